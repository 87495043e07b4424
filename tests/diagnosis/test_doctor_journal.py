"""What the doctor reads out of the journal: which events never came, and which streams were refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from examined import MANUAL, app, case, config

from rtmsd.config import AppConfig
from rtmsd.diagnosis.arrivals import STOP_MS, arrivals, missing
from rtmsd.diagnosis.finding import Finding
from rtmsd.diagnosis.mixups import credentials
from rtmsd.frames import StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal, NoteRow, StreamRow

T = 1_738_392_034_000
RTMS = ("meeting.rtms_started", "meeting.rtms_stopped")
LIFE = ("meeting.started", "meeting.participant_joined", "meeting.ended")


def stream(
    stream_id: str,
    *,
    app: str = "notes",
    uuid: str = "u==",
    reason: int | None = 6,
    ended_ms: int | None = T,
    operator: str = "ann",
) -> StreamRow:
    return StreamRow(
        info=StreamInfo(
            app=app,
            product="meeting",
            stream_id=stream_id,
            meeting_uuid=uuid,
            meeting_id="85746065432",
            account_id="AAAAAABBBB",
            operator_id=operator,
            started_ms=T,
        ),
        server_urls=("wss://zoom.us",),
        segment=0,
        last_contact_ms=T,
        ended_ms=ended_ms,
        reason=reason,
        name="",
        sentence="",
    )


def lacks(
    which: AppConfig, events: Sequence[str], *streams: StreamRow, now_ms: int = T + STOP_MS + 1
) -> list[str]:
    return list(missing(which, dict.fromkeys(events, (1, T)), streams, now_ms=now_ms))


@pytest.mark.parametrize(
    ("changes", "events", "words"),
    [
        ({}, RTMS, []),
        ({}, (), []),
        ({}, ("meeting.started",), ["rtms_started", "rtms_stopped"]),
        ({}, ("webinar.rtms_started",), ["rtms_stopped"]),
        ({"start": "manual", "manual": MANUAL}, (*RTMS, *LIFE), []),
        ({"start": "manual", "manual": MANUAL}, RTMS, ["meeting.started never"]),
        ({"start": "manual", "manual": MANUAL}, (*RTMS, "meeting.started"), ["participant_joined"]),
        ({"manual": MANUAL}, RTMS, []),
        ({"manual": MANUAL}, (*RTMS, "meeting.started"), ["participant_joined"]),
        ({"start": "manual", "manual": MANUAL}, LIFE, ["rtms_stopped"]),
        ({"manual": MANUAL}, LIFE, ["rtms_started", "rtms_stopped"]),
    ],
)
def test_what_never_came(changes: dict[str, Any], events: Sequence[str], words: list[str]) -> None:
    """An app lacks what it needs and never got, by how its streams begin; of one that got nothing, nothing is said."""
    told = lacks(app(**changes), events, stream("a"))
    assert len(told) == len(words) and all(word in one for word, one in zip(words, told, strict=True)), told


def test_a_stop_may_be_on_its_way() -> None:
    """The stop webhook is not missed for ten minutes, nor while no stream has ended."""
    started = ("meeting.rtms_started",)
    assert lacks(app(), started, stream("a"), now_ms=T + STOP_MS) == []
    assert lacks(app(), started, stream("a", ended_ms=None)) == []


class At(Clock):
    """A clock that stands."""

    def __init__(self, ms: int) -> None:
        self.wall = lambda: ms / 1000


async def journal(
    path: Path, *, events: Sequence[tuple[str, str]] = (), streams: Sequence[StreamRow] = ()
) -> None:
    """Write a journal as a daemon does."""
    async with Journal.open(path, At(T)) as written:
        for number, (app_name, event) in enumerate(events):
            await written.take_webhook(
                app=app_name,
                event=event,
                event_ts=T + number,
                stream_id="a",
                body=b"{}",
                received_ms=T + number,
            )
        for row in streams:
            await written.stream_started(row.info, row.server_urls)
            if row.ended_ms is not None:
                await written.stream_ended(row.info.stream_id, row.ended_ms, row.reason, "", "")


async def found(path: Path, *apps: AppConfig) -> tuple[Finding, Finding]:
    async with case(config(apps=apps or (app(),), state_dir=path), clock=At(T + 2 * STOP_MS)) as one:
        return await arrivals(one), await credentials(one)


async def test_no_journal_yet(tmp_path: Path) -> None:
    """Before the first start there is nothing to read, which is no fault; nothing is created."""
    events, odd = await found(tmp_path / "state")
    assert events.state == "skipped" and "has rtmsd ever run" in events.sentence and odd.state == "ok"
    assert not (tmp_path / "state").exists()


async def test_nothing_has_come(tmp_path: Path) -> None:
    """An empty journal is no fault of the journal's; the sentence says where to look."""
    await journal(tmp_path)
    events, odd = await found(tmp_path)
    assert events.state == "skipped" and "no-webhook" in events.sentence and odd.state == "ok"


async def test_what_has_come_is_counted(tmp_path: Path) -> None:
    """Event by event, app by app, also while a daemon has the journal open."""
    came = [("notes", RTMS[0]), ("notes", RTMS[0]), ("notes", RTMS[1])]
    async with Journal.open(tmp_path, At(T)):
        pass
    await journal(tmp_path, events=came, streams=[stream("a")])
    async with Journal.open(tmp_path, At(T)):
        events, odd = await found(tmp_path, app(), app("sales"))
    assert events.state == "ok" and odd.state == "ok", (events, odd)
    assert "meeting.rtms_started 2×, meeting.rtms_stopped 1×, last 2025-02-01T06:40Z" in events.sentence
    assert "App sales: nothing yet." in events.sentence


async def test_an_event_that_is_not_ticked(tmp_path: Path) -> None:
    """The app and the event are named, and where to tick it."""
    await journal(tmp_path, events=[("notes", RTMS[0])], streams=[stream("a")])
    events, _ = await found(tmp_path)
    assert events.state == "broken" and "App notes" in events.sentence and "rtms_stopped" in events.sentence
    assert "Event subscription" in events.sentence


async def test_a_start_by_hand_may_still_be_on_its_way(tmp_path: Path) -> None:
    """During the first meeting of a manual app no stream has ever begun: that is noted with what was last refused, the chain
    is whole, and what comes after is looked at."""
    await journal(tmp_path, events=[("notes", event) for event in LIFE])
    manual = app(start="manual", manual=MANUAL)
    events, odd = await found(tmp_path, manual)
    assert events.state == "ok" and "No request to start it has been followed" in events.sentence, events
    assert "The last that failed" not in events.sentence and odd.state == "ok"
    async with Journal.open(tmp_path, At(T)) as written:
        for kind, sentence in (
            ("refused", "Old."),
            ("never_started", "The host is away."),
            ("gap", "A hole."),
        ):
            written.note(
                NoteRow(app="notes", meeting_uuid="u==", at_ms=T, kind=kind, sentence=sentence, problem=True),
                lambda error: pytest.fail(str(error)),
            )
    events, _ = await found(tmp_path, manual)
    assert events.state == "ok" and "The last that failed: The host is away." in events.sentence
    await journal(tmp_path, events=[("notes", RTMS[0])])
    events, _ = await found(tmp_path, manual)
    assert "No request" not in events.sentence


async def test_a_stream_that_was_refused(tmp_path: Path) -> None:
    """The last stream of an app ended with 18: app, stream and page are named; a later good one clears it."""
    await journal(tmp_path, streams=[stream("good", uuid="v=="), stream("bad", reason=18)])
    _, odd = await found(tmp_path)
    assert odd.state == "broken" and "app notes" in odd.sentence and "bad" in odd.sentence
    assert "development or production" in odd.sentence and "two builds" not in odd.sentence
    await journal(tmp_path, streams=[stream("later", uuid="w==")])
    _, odd = await found(tmp_path)
    assert odd.state == "ok", odd


async def test_two_builds_of_one_app(tmp_path: Path) -> None:
    """Both stream the same user's meeting: a warning; one of them was refused: that is the broken link, and it is said."""
    both = [stream("a", app="dev"), stream("b", app="prod")]
    await journal(tmp_path, streams=both)
    _, odd = await found(tmp_path, app("dev"), app("prod"))
    assert odd.state == "ok" and "Apps dev and prod" in odd.sentence and "uninstall one" in odd.sentence
    await journal(
        tmp_path, streams=[stream("c", app="prod", uuid="x==", reason=18), stream("d", app="dev", uuid="x==")]
    )
    _, odd = await found(tmp_path, app("dev"), app("prod"))
    assert odd.state == "broken" and "credentials of app prod" in odd.sentence
    assert "App dev had a stream of that meeting too" in odd.sentence


async def test_two_apps_of_two_users_are_no_mix_up(tmp_path: Path) -> None:
    """Different users may have different apps in one meeting."""
    await journal(tmp_path, streams=[stream("a", app="dev"), stream("b", app="prod", operator="ben")])
    _, odd = await found(tmp_path, app("dev"), app("prod"))
    assert odd.sentence == "Nothing is odd about them."
