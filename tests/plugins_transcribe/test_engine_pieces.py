"""Sound is cut at silence, and nothing that was spoken is lost or doubled by it."""

from __future__ import annotations

import pytest
from coded_speech import Ear, sentence, silence, word
from hypothesis import given
from hypothesis import strategies as st

from rtmsd_transcribe.engine import RATE, EngineLost, EngineStalled, Heard, Word
from rtmsd_transcribe.engines.pieces import FRAME_BYTES, Cutter, Piece, webrtc_speech
from rtmsd_transcribe.engines.piecewise import PieceSession, Sent, orderly

LOUD = b"\x00\x20"


def is_loud(frame: bytes) -> bool:
    return any(frame)


def frames(pattern: str) -> bytes:
    """`x` is 20 ms of speech, `.` of silence; each frame of speech holds its number."""
    return b"".join(
        (index + 1).to_bytes(2, "little") * (FRAME_BYTES // 2) if letter == "x" else bytes(FRAME_BYTES)
        for index, letter in enumerate(pattern)
    )


def cut(pcm: bytes, *, step: int = 3200, **how: float) -> list[Piece]:
    cutter = Cutter(is_loud, **how)
    pieces = [piece for at in range(0, len(pcm), step) for piece in cutter.add(pcm[at : at + step])]
    return pieces + cutter.rest()


def test_a_pause_ends_a_piece() -> None:
    """Two sentences are two pieces, each with a little of the silence around it."""
    pcm = frames("." * 100 + "x" * 50 + "." * 100 + "x" * 25 + "." * 5)
    one, two = cut(pcm)
    assert one.start_secs + one.speech_start_secs == pytest.approx(2.0)
    assert one.start_secs + one.speech_end_secs == pytest.approx(3.0)
    assert one.secs == pytest.approx(1.0 + 0.3 + 0.36, abs=0.1)
    assert two.start_secs + two.speech_start_secs == pytest.approx(5.0)
    assert two.start_secs + two.speech_end_secs == pytest.approx(5.5)


def test_silence_and_clicks_are_no_pieces() -> None:
    """A minute of silence with clicks in it costs nothing, and is not kept."""
    cutter = Cutter(is_loud)
    assert cutter.add(frames(("x" + "." * 49) * 60)) == []
    assert cutter.rest() == []
    assert len(cutter._frames) < 30


def test_speech_without_a_pause_is_cut_where_it_is_quiet() -> None:
    """No piece is longer than it may be, and the cut lies in the softest moment of its last seconds."""
    soft = bytearray(LOUD * 16000 * 40)
    soft[32000 * 28 : 32000 * 28 + 6400] = b"\x01\x00" * 3200
    one, two = cut(bytes(soft), longest_secs=30.0)
    assert 28.0 <= one.secs <= 28.2
    assert two.start_secs == pytest.approx(one.secs)
    assert one.pcm + two.pcm == bytes(soft)


@given(
    pattern=st.lists(st.tuples(st.sampled_from("x."), st.integers(1, 80)), max_size=30),
    step=st.integers(1, 5000),
)
def test_speech_is_in_exactly_one_piece(pattern: list[tuple[str, int]], step: int) -> None:
    """Whatever the order of speech and silence, and however it comes: pieces do not overlap, and lack only clicks."""
    letters = "".join(letter * count for letter, count in pattern)
    pcm = frames(letters)
    end, covered = 0, set()
    for piece in cut(pcm, step=step * 2, longest_secs=5.0):
        start = round(piece.start_secs * 32000)
        own = piece.pcm[: round((piece.secs - piece.added_secs) * 32000)]  # short ones have silence added
        assert start >= end
        assert piece.end_secs == pytest.approx((start + len(own)) / 32000)
        assert pcm.ljust(len(pcm) + FRAME_BYTES, b"\0").startswith(own, start)
        assert 0.5 <= piece.secs <= 5.0
        assert 0 <= piece.speech_start_secs < piece.speech_end_secs <= piece.secs + 1e-9
        end = start + len(own)
        covered |= set(range(start // FRAME_BYTES, -(-end // FRAME_BYTES)))
    for index in set(range(len(letters))) - covered:
        around = letters[max(index - 4, 0) : index + 5]
        assert letters[index] == "." or "xxx" not in around


def test_real_detection_finds_every_word() -> None:
    """WebRTC's detector with the cutter: each word of coded speech is whole in one piece."""
    numbers = [*range(1, 30)]
    pcm = silence(1.3) + b"".join(sentence(numbers[at : at + 4]) for at in range(0, 29, 4)) + word(40)
    cutter = Cutter(webrtc_speech())
    heard = []
    for piece in [*cutter.add(pcm), *cutter.rest()]:
        ear = Ear()
        ear.hear(piece.pcm)
        ear.end()
        heard += [one.number for one in ear.words]
    assert heard == [*numbers, 40]


times = st.floats(-5, 60)
PIECE = Piece(bytes(RATE * 2 * 30), start_secs=7.0, speech_start_secs=0.3, speech_end_secs=29.5)


@given(spans=st.lists(st.tuples(times, times, times, times), max_size=8))
def test_answers_are_put_in_order(spans: list[tuple[float, float, float, float]]) -> None:
    """Whatever times a model makes up: no answer begins before the one before it has ended, and all lie in the speech."""
    answer = [
        Heard("a", start, end, True, (Word("a", word_start, word_end),))
        for start, end, word_start, word_end in spans
    ]
    last = 0.3
    for heard in orderly(answer, PIECE):
        assert last <= heard.start_secs <= heard.end_secs <= 29.5
        assert last <= heard.words[0].start_secs <= heard.words[0].end_secs <= 29.5
        last = heard.end_secs


def test_answers_in_order_are_left_alone() -> None:
    """Good times stay; what has no text, or begins after the sound, goes."""
    good = [Heard("a", 0.5, 1.0, True), Heard("b", 1.0, 2.0, True)]
    assert orderly([*good, Heard("", 2.0, 2.5, True), Heard("c", 30.0, 31.0, True)], PIECE) == good


async def test_the_silence_around_speech_is_no_speech() -> None:
    """An engine that takes all of a piece for words gives the times of what was spoken in it, a second after the start."""
    asked: list[Piece] = []

    async def all_of_it(piece: Piece, before: str, sent: Sent) -> list[Heard]:
        asked.append(piece)
        return [Heard("a", 0.0, piece.secs, True, (Word("a", 0.0, piece.secs),))]

    session = PieceSession(all_of_it, Cutter(is_loud))
    await session.send(frames("." * 50 + "x" * 50 + "." * 100))
    await session.finish()
    [heard] = [heard async for heard in session.heard() if heard.text]
    assert asked[0].start_secs < 0.8 and asked[0].start_secs + asked[0].secs > 2.2
    assert (heard.start_secs, heard.end_secs) == (pytest.approx(1.0), pytest.approx(2.0))
    assert (heard.words[0].start_secs, heard.words[0].end_secs) == (heard.start_secs, heard.end_secs)


# Two pieces: one from 1 s to 3 s, and one from 5 s to 5.4 s, which is made as long as a piece must be.
TWO = frames("." * 65 + "x" * 70 + "." * 130 + "x" * 3)
ENDS = [pytest.approx(3.0), pytest.approx(5.36)]
LATER_END = pytest.approx(5.66)  # of the second, when silence follows it


async def in_pieces(session: PieceSession, pcm: bytes = TWO) -> None:
    await session.send(pcm)
    await session.finish()


async def test_a_piece_without_words_is_answered() -> None:
    """Every piece is answered up to its end, whether there are words in it or not: it is never sent again."""

    async def nothing(piece: Piece, before: str, sent: Sent) -> list[Heard]:
        return []

    session = PieceSession(nothing, Cutter(is_loud))
    await in_pieces(session)
    assert [(one.text, one.end_secs, one.final) async for one in session.heard()] == [
        ("", end, True) for end in ENDS
    ]


@pytest.mark.parametrize("kind", [EngineLost, EngineStalled])
@pytest.mark.parametrize(
    ("times_sent", "said", "until"),
    [(1, None, LATER_END), (2, None, LATER_END), (0, None, 0.0), (1, 0.0, 0.0)],
    ids=["sent", "sent-twice", "not-sent", "no-fault-of-the-sound"],
)
async def test_only_the_piece_at_fault_is_blamed(
    kind: type[EngineLost], times_sent: int, said: float | None, until: float
) -> None:
    """The error says where the piece that was sent last ends, not what waits behind it; what went out counts each time."""
    asked: list[Piece] = []

    async def breaks(piece: Piece, before: str, sent: Sent) -> list[Heard]:
        asked.append(piece)
        for _ in range(times_sent if len(asked) == 2 else 1):
            sent()
        if len(asked) == 2:
            raise kind("it broke.", until_secs=said)
        return []

    session = PieceSession(breaks, Cutter(is_loud))
    await in_pieces(session, TWO + TWO)
    with pytest.raises(kind) as caught:
        [heard async for heard in session.heard()]
    assert caught.value.until_secs == until
    assert session.sent_secs == pytest.approx(asked[0].secs + times_sent * asked[1].secs)
