"""Meetings that go wrong, played all at once to one daemon in fast time, and what became of them."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fast_time import FastClock, run_fast
from running_daemon import expected, manifest, running, samples, webhook_url

from rtmsd.recording import verify
from rtmsd.simulator import Joins, Meeting, Person, Says, Sentence, Simulator, Truth, load_sentences
from rtmsd.simulator.actions import StreamAction
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.speech.generated import noise
from rtmsd.web.status import StreamStatus

ANN, BO = 16778240, 16779264
COMPLETE_SECS = 150.0


@dataclass(frozen=True)
class Played:
    """What was said, how the daemon saw it, where it was recorded, and how often the client sent each message type
    on each kind of socket (handshakes and acknowledgements, which carry the stream's id)."""

    truth: Truth
    status: list[StreamStatus]
    recordings: list[Path]
    sent: Counter[tuple[str, int]]

    @property
    def recording(self) -> Path:
        [only] = self.recordings
        return only

    @property
    def about(self) -> dict[str, Any]:
        return manifest(self.recording)

    def gaps(self, media: str) -> list[dict[str, Any]]:
        return [gap for gap in self.about["gaps"] if gap["media"] == media]


def meeting(
    *happens: StreamAction,
    seconds: float = 15.0,
    seed: int = 1,
    behaviour: Behaviour | None = None,
    pace: float = 1.0,
) -> Meeting:
    """One talks all the time, another says a sentence at the beginning and one before the end."""
    sentences = load_sentences()
    ends_ms = int(seconds * 1000) // 20 * 20
    people = (Person(ANN, "Mira Tal"), Person(BO, "Tomas Vik"))
    timeline = (
        Joins(0, ANN),
        Joins(0, BO),
        Says(200, ANN, Sentence("", noise((seed, 1), ends_ms - 400))),
        Says(400, BO, sentences["open"]),
        Says(ends_ms - 4000, BO, sentences["tests"]),
    )
    return Meeting(
        people,
        (*timeline, *happens),
        ends_ms,
        seed=seed,
        behaviour=behaviour or Behaviour(),
        pace=pace,
    )


def play_all(
    meetings: Mapping[str, Meeting], tmp: Path, *, speed: float, send_rate_ms: int = 100
) -> dict[str, Played]:
    """Play them all at once, `speed` times as fast as real; wait until what is recorded of them is complete."""
    return run_fast(_play_all(meetings, tmp, FastClock(speed), send_rate_ms), speed)


async def _play_all(
    meetings: Mapping[str, Meeting], tmp: Path, clock: FastClock, send_rate_ms: int
) -> dict[str, Played]:
    uuids: dict[str, str] = {}  # of all stream ids

    def posted(_: object, body: bytes) -> None:
        payload = json.loads(body)["payload"]
        uuids[payload["rtms_stream_id"]] = payload["meeting_uuid"]

    async with (
        Simulator(directory=tmp / "zoom", clock=clock, on_webhook=posted) as zoom,
        running(zoom, tmp, send_rate_ms=send_rate_ms, clock=clock) as ready,
    ):
        zoom_url = webhook_url(ready)
        async with asyncio.TaskGroup() as tasks:
            plays = {
                name: tasks.create_task(zoom.play(meeting=what, webhook=zoom_url))
                for name, what in meetings.items()
            }
        await _completed(tmp, ready.report.streams)
        streams = list(ready.report.streams())
    recordings = {path.parent: manifest(path.parent) for path in tmp.glob("recordings/*/*/*/SHA256SUMS")}
    result = {}
    for name, play in plays.items():
        truth = play.result()
        uuid = uuids[truth.stream_id]
        ids = {stream_id for stream_id, its in uuids.items() if its == uuid}
        result[name] = Played(
            truth,
            [one for one in streams if one.stream_id in ids],
            [path for path, about in recordings.items() if about["meeting_uuid"] == uuid],
            Counter(
                (one.socket, one.message["msg_type"])
                for one in zoom.received
                if one.message.get("rtms_stream_id") in ids
            ),
        )
    return result


async def _completed(tmp: Path, streams: Any) -> None:
    """Wait until every stream is over and every recording has its sums; or for so long that it never will."""
    for _ in range(int(COMPLETE_SECS / 0.5)):
        over = all(one.ended_ms is not None for one in streams())
        if over and len(list(tmp.glob("recordings/*/*/*/SHA256SUMS"))) == len(
            list(tmp.glob("recordings/*/*/*"))
        ):
            return
        await asyncio.sleep(0.5)


def assert_whole(played: Played) -> None:
    """One valid recording with every sample that was said, and no gap in the sound."""
    assert _gaps(played) == [], _gaps(played)
    assert_equals_truth_outside_gaps(played)


def _gaps(played: Played) -> list[tuple[int, int]]:
    """The gaps in the sound, in ms of the meeting."""
    started_ms = played.truth.started_ms
    return [(gap["from_ms"] - started_ms, gap["to_ms"] - started_ms) for gap in played.gaps("audio")]


def assert_equals_truth_outside_gaps(played: Played, until_ms: int | None = None) -> None:
    """One valid recording; outside the ledgered gaps its samples are what was said, within them that or silence.

    It lasts until the last word, or is only looked at until `until_ms`.
    """
    recording, about = played.recording, played.about
    assert verify(recording).problems == []
    files = {int(path.stem.removeprefix("user=")): path for path in recording.glob("audio/user=*.wav")}
    zero_ms = about["zero_ms"]
    for user_id in {user_id for user_id, spans in played.truth.tracks.items() if spans}:
        track = samples(files[user_id])
        length = max(len(track), (played.truth.tracks[user_id][-1].end_ms - zero_ms) * 16)
        truth = expected(played.truth, user_id, zero_ms=zero_ms, length=length)[: len(track)]
        missing = np.zeros(len(track), dtype=bool)
        for gap in played.gaps("audio"):
            if gap["user_id"] in (None, user_id):
                missing[max(0, (gap["from_ms"] - zero_ms) * 16) : max(0, (gap["to_ms"] - zero_ms) * 16)] = (
                    True
                )
        wrong = (track != truth) & ~(missing & (track == 0))
        if until_ms is not None:
            wrong[(until_ms - zero_ms) * 16 :] = False
        at_ms = [zero_ms - played.truth.started_ms + int(place) // 16 for place in np.flatnonzero(wrong)]
        assert not at_ms, (
            f"user {user_id}: {len(at_ms) / 16000:.2f} s differ, from {at_ms[0]} to {at_ms[-1]} ms of the meeting; gaps: {_gaps(played)}"
        )
        end_ms = min(played.truth.tracks[user_id][-1].end_ms, until_ms or math.inf)
        assert any(gap["to_ms"] >= end_ms for gap in played.gaps("audio")) or (
            zero_ms + len(track) / 16 >= end_ms
        ), f"user {user_id} ends early"
