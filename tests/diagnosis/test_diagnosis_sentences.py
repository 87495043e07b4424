"""Every number has its sentences, and every end of a stream says what to do."""

from __future__ import annotations

import itertools

import pytest

from rtmsd.diagnosis import STATUS_CODES, STOP_REASONS, explain_end, explain_medium, status_code, stop_reason
from rtmsd.protocol.codes import StatusCode, StopReason

OUTCOMES = (
    "ended",
    "refused",
    "rejected",
    "unreachable",
    "no_media",
    "lost",
    "left",
    "bad_url",
    "ended_unknown",
)


def end(
    outcome: str,
    *,
    reason: int | None = None,
    status: int | None = None,
    detail: str = "",
    app: str = "notes",
) -> str:
    return explain_end(outcome=outcome, reason=reason, status=status, detail=detail, app=app)


def test_the_tables_are_complete() -> None:
    """Every number that Zoom documents has a name, a cause and a remedy that are sentences."""
    assert list(STOP_REASONS) == [int(number) for number in StopReason] == list(range(27))
    assert list(STATUS_CODES) == [int(number) for number in StatusCode] == list(range(48))
    for table in (STOP_REASONS, STATUS_CODES):
        for number, explained in table.items():
            assert explained.number == number
            assert explained.name.isupper()
            assert explained.source.startswith("https://")
            for sentence in (explained.cause, explained.remedy):
                assert sentence.endswith((".", ")"))
                assert sentence[0].isupper() or sentence.startswith("rtmsd")
                assert "  " not in sentence


def test_unknown_numbers() -> None:
    """A number that is not in the table is explained as such, with itself in the sentence."""
    assert "99" in stop_reason(99).cause
    assert "99" in status_code(99).cause
    assert "99" in end("ended", reason=99)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_a_sentence(outcome: str) -> None:
    """Whatever came with an outcome, the result is prose without holes, and the detail stands in it."""
    for reason, status, detail in itertools.product(
        (None, 0, 6, 18), (None, 3, 77), ("", "connection refused.")
    ):
        sentence = end(outcome, reason=reason, status=status, detail=detail)
        assert sentence.endswith(".")
        assert "None" not in sentence
        assert ".." not in sentence
        assert "()" not in sentence
        assert ". ." not in sentence
        if detail and reason is None:
            assert "(connection refused)" in sentence


def test_an_outcome_of_a_newer_machine() -> None:
    """An outcome that is not known here still gives a sentence."""
    assert end("exploded") == "The stream ended. The recording up to there is complete."


def test_a_normal_end_is_short() -> None:
    """The end of a meeting needs no remedy."""
    assert end("ended", reason=6) == "The meeting ended (stop reason 6)."


def test_credentials() -> None:
    """Everything that smells of wrong credentials names the app and says what to compare."""
    for sentence in (end("ended", reason=18), end("refused"), end("rejected", status=3)):
        assert "app notes" in sentence
        assert "client_secret" in sentence
        assert "development or production" in sentence


def test_a_reason_of_zoom_beats_what_we_saw() -> None:
    """When the sockets just closed and Zoom's reason came, the reason is told."""
    assert "(stop reason 23)" in end("ended_unknown", reason=23)
    assert "(stop reason 18)" in end("refused", reason=18)


def test_media() -> None:
    """A refused medium names the scope that is missing, the way Zoom spells it."""
    assert "meeting:read:meeting_audio" in explain_medium("audio", 9, "")
    assert "meeting:read:meeting_screenshare" in explain_medium("share", None, "Zoom offered no server")
    assert "meeting:read:meeting_transcript " in explain_medium("transcript", None, "")
    assert "status 24" in explain_medium("audio", 24, "")
    assert "scope" not in explain_medium("audio", None, "not regained within 65 s")
    assert "[apps.media]" in explain_medium("audio", 24, "")
    assert "Zoom offered no server" in explain_medium("share", None, "Zoom offered no server.")
