"""The word error rate, by which a transcript is measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.word_errors import word_errors, words_of


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("", "", 0),
        ("a b c", "a x c", 1),
        ("a b", "", 2),
        ("", "a b", 2),
        ("a", "b a c", 2),
        ("a b c d", "b c d", 1),
        ("a b c d", "d c b a", 4),
        ("Thank you all, see you.", "thank you all see you", 0),
        ("It’s a re-make", "it's a re make", 0),
        ("open 24 hours", "open hours", 1),
    ],
)
def test_word_errors_are_counted(said: str, heard: str, errors: int) -> None:
    """Replaced, missing and additional words count once each; case and punctuation do not."""
    assert word_errors(said, heard) == errors


texts = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


@given(said=texts, heard=texts)
def test_errors_lie_between_what_must_and_what_can_be_wrong(said: str, heard: str) -> None:
    """Whichever is the truth, the count is the same: at least the difference in length, at most the longer text."""
    lengths = len(words_of(said)), len(words_of(heard))
    errors = word_errors(said, heard)
    assert errors == word_errors(heard, said)
    assert abs(lengths[0] - lengths[1]) <= errors <= max(lengths)
    assert (errors == 0) == (said == heard)
