"""The drawing of who was heard when."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rtmsd.web.timeline import WIDTH, Speaker, Timeline, draw

ZERO = 1_738_392_000_000


def at(*seconds: tuple[float, float]) -> tuple[tuple[int, int], ...]:
    return tuple((ZERO + int(start * 1000), ZERO + int(end * 1000)) for start, end in seconds)


def timeline(until: float, *, over: bool = False, **parts: object) -> Timeline:
    return replace(Timeline(from_ms=ZERO, until_ms=ZERO + int(until * 1000), over=over), **parts)  # type: ignore[arg-type]


def spans(path: str) -> list[tuple[int, int]]:
    """Read a path back: boxes are M x y h width …, strokes M x y H x."""
    boxes = [(int(x), int(x) + int(width)) for x, width in re.findall(r"M(\d+) \d+h(\d+)v", path)]
    strokes = [(int(x), int(end)) for x, end in re.findall(r"M(\d+) \d+H(\d+)", path)]
    assert len(boxes) + len(strokes) == path.count("M")
    return boxes + strokes


def test_everything_stands_at_its_time() -> None:
    """Of a stream that is over the axis is its length: speech, silence, gaps and pauses lie where they were."""
    drawing = draw(
        timeline(
            100,
            over=True,
            speakers=[Speaker(7, at((10, 20), (50, 60)), 20_000)],
            missing=at((30, 40)),
            paused=at((70, 80)),
        )
    )
    assert spans(drawing.lines[0].speech) == [(100, 200), (500, 600)]
    assert spans(drawing.missing) == [(300, 400)]
    assert spans(drawing.paused) == [(700, 800)]
    assert spans(drawing.silence) == [(0, 300), (400, 700), (800, 1000)]
    assert drawing.ticks == ("0", "50 s", "1 min 40 s")


def test_a_living_stream_has_room_to_grow() -> None:
    """Its axis is a round length, and what was drawn once stays where it is until that is full."""
    speech = [Speaker(7, at((1, 5)), 4_000)]
    drawings = [draw(timeline(until, speakers=speech)) for until in (21, 40, 60)]
    assert {one.ticks for one in drawings} == {("0", "30 s", "1 min")}
    assert {one.lines[0].speech for one in drawings} == {drawings[0].lines[0].speech}
    assert [spans(one.silence)[-1][1] for one in drawings] == [350, 666, 1000]
    assert draw(timeline(61)).ticks[2] == "2 min"
    assert draw(timeline(100_000)).ticks[2] == "2 d"


def test_not_being_connected_is_neither_silence_nor_missing() -> None:
    """Until it is known what Zoom replays, the time since the socket was lost is shown as just that."""
    drawing = draw(timeline(15, away=at((10, 15))[0]))
    assert spans(drawing.away) == [(500, 750)]
    assert spans(drawing.silence) == [(0, 500)] and drawing.missing == ""


def test_what_overlaps_is_no_silence() -> None:
    """A pause within a gap ends no gap."""
    drawing = draw(timeline(100, over=True, missing=at((30, 60)), paused=at((40, 50))))
    assert spans(drawing.silence) == [(0, 300), (600, 1000)]


def test_what_lies_outside_is_cut() -> None:
    """Times before the beginning or after now, whatever clock they are of, are not drawn."""
    drawing = draw(
        timeline(
            100, over=True, speakers=[Speaker(7, at((-50, -40), (-10, 10), (90, 5000), (6000, 7000)), 1)]
        )
    )
    assert spans(drawing.lines[0].speech) == [(0, 100), (900, 1000)]


def test_a_word_in_a_long_meeting_is_seen() -> None:
    """Nothing is too narrow to be seen, and what then touches is one: a line has no more parts than can be told apart."""
    words = at(*((number * 10, number * 10 + 0.5) for number in range(2880)))
    drawing = draw(timeline(28_800, over=True, speakers=[Speaker(7, words, 1_440_000)]))
    drawn = spans(drawing.lines[0].speech)
    assert drawn[0][1] - drawn[0][0] >= 2 and drawn[-1][1] <= WIDTH and len(drawn) < WIDTH / 2


@pytest.mark.parametrize(
    ("speakers", "labels", "more"),
    [
        (0, ["Nobody"], 0),
        (1, ["Speaker 1"], 0),
        (15, [f"Speaker {number}" for number in range(1, 13)], 3),
    ],
)
def test_lines(speakers: int, labels: list[str], more: int) -> None:
    """There is a line for each of the first speakers, and one when nobody has spoken."""
    drawing = draw(timeline(60, speakers=[Speaker(number, at((1, 2)), 1000) for number in range(speakers)]))
    assert [line.label for line in drawing.lines] == labels and drawing.more == more


def test_mixed_audio_has_no_speakers() -> None:
    """When Zoom mixes, the line is everybody's."""
    [line] = draw(timeline(60, speakers=[Speaker(0, at((1, 2)), 1000)], mixed=True)).lines
    assert (line.label, line.title) == ("Everybody", "mixed by Zoom")
