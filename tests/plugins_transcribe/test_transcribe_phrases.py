"""An engine's seconds become the meeting's times, whatever part of the speech its session got."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from transcribe_bench import ZERO_MS

from rtmsd_transcribe.engine import RATE, Heard, Word
from rtmsd_transcribe.phrases import Phrases
from rtmsd_transcribe.speech import Speech

FIVE_SECS = bytes(2 * RATE * 5)


def speech() -> Speech:
    """Five seconds, then five that were said a minute later."""
    made = Speech(7, "Ann")
    made.add(ZERO_MS, FIVE_SECS)
    made.add(ZERO_MS + 60_000, FIVE_SECS)
    return made


def heard(text: str, start: float, end: float, *, final: bool = True) -> Heard:
    return Heard(text, start, end, final, words=(Word(text, start, end, 0.5),))


def test_seconds_become_times() -> None:
    """Of a session that began in the middle: its zero is where it began; words too; a jump is no trouble."""
    phrases = Phrases(speech(), "own", answered=2 * RATE, interim=False)
    phrases.sent(2 * RATE, 8 * RATE)
    [first] = phrases.take(heard("one", 1.0, 3.0))
    assert (first.start_ms - ZERO_MS, first.end_ms - ZERO_MS) == (3000, 5000)
    [second] = phrases.take(heard("two", 3.0, 8.0))
    assert (second.start_ms - ZERO_MS, second.end_ms - ZERO_MS) == (60_000, 65_000)
    assert [(word.text, word.start_ms - ZERO_MS, word.confidence) for word in second.words] == [
        ("two", 60_000, 0.5)
    ]
    assert (second.user_id, second.user_name, second.source, second.operation) == (7, "Ann", "own", "new")
    assert phrases.answered == 10 * RATE


def test_what_was_skipped_moves_the_times_behind_it() -> None:
    """A session that was not sent two seconds says times without them."""
    phrases = Phrases(speech(), "own", answered=0, interim=False)
    phrases.sent(0, RATE)
    phrases.sent(3 * RATE, RATE)
    [frame] = phrases.take(heard("one", 0.5, 1.5))
    assert (frame.start_ms - ZERO_MS, frame.end_ms - ZERO_MS) == (500, 3500)


def test_a_final_lets_go_of_its_sound() -> None:
    """What is answered need not be sent again."""
    one = speech()
    phrases = Phrases(one, "own", answered=0, interim=False)
    phrases.sent(0, 4 * RATE)
    list(phrases.take(heard("one", 0.0, 2.0, final=False)))
    assert one.first == 0
    list(phrases.take(heard("one", 0.0, 2.0)))
    assert one.first == 2 * RATE


def test_interim_results_have_the_key_of_their_final() -> None:
    """An update concerns the phrase with the same user and timestamp, also when its start has moved."""
    phrases = Phrases(speech(), "own", answered=0, interim=True)
    phrases.sent(0, 5 * RATE)
    results = (
        heard("a", 0.5, 1, final=False),
        heard("a b", 0.4, 2, final=False),
        heard("A, b.", 0.4, 2),
        heard("c", 3, 4),
    )
    frames = [frame for result in results for frame in phrases.take(result)]
    assert [frame.operation for frame in frames] == ["new", "update", "update", "new"]
    assert {frame.timestamp_ms - ZERO_MS for frame in frames[:3]} == {500}
    assert frames[2].start_ms - ZERO_MS == 400 and frames[3].timestamp_ms - ZERO_MS == 3000


def test_an_empty_final_takes_back_what_was_shown() -> None:
    """And it answers its sound all the same."""
    phrases = Phrases(speech(), "own", answered=0, interim=True)
    phrases.sent(0, 5 * RATE)
    list(phrases.take(heard("hm", 0.5, 1, final=False)))
    assert [frame.operation for frame in phrases.take(heard("  ", 0.0, 2))] == ["delete"]
    assert phrases.answered == 2 * RATE
    assert list(phrases.withdraw()) == []


@given(
    st.lists(st.tuples(st.floats(-10, 100), st.floats(-10, 100), st.booleans()), max_size=30), st.booleans()
)
def test_impossible_times_do_no_harm(results: list[tuple[float, float, bool]], interim: bool) -> None:
    """Whatever seconds an engine says, a phrase lies within what it was sent, and does not end before it begins."""
    one = speech()
    phrases = Phrases(one, "own", answered=0, interim=interim)
    phrases.sent(0, 3 * RATE)
    for start, end, final in results:
        for frame in phrases.take(heard("word", start, end, final=final)):
            assert ZERO_MS <= frame.start_ms <= frame.end_ms <= ZERO_MS + 3000
    assert 0 <= phrases.answered <= 3 * RATE
