"""Meetings on the page, in the JSON and among the problems: where the start of each one's stream stands, and why."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from page_source import (
    DISK,
    ENDED,
    GUEST_FIRST,
    LIVE,
    NOW_MS,
    STREAMS,
    UNREACHED,
    SetClock,
    Source,
    admin,
    page,
)

from rtmsd.web.counters import Warned, WebhookCounters
from rtmsd.web.problems import problems
from rtmsd.web.status import EventSocketStatus, MeetingStatus

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

ASKED = replace(GUEST_FIRST, state="requested", sentence="Zoom is asked to start the app.")
NOT_TAKEN = replace(
    STREAMS,
    state="not_taken",
    sentence="The meeting is not taken: the meeting's topic matches no pattern there (only.topics).",
    streams=(),
)
CONNECTED = replace(UNREACHED, connected_since_ms=NOW_MS - 5_000, events=12, last_event_ms=NOW_MS - 3_000)


async def section(source: Source, name: str = "meetings") -> str:
    text = await page(source)
    begin = text.index(f'<section id="{name}"')
    return text[begin : text.index("</section>", begin)]


@pytest.mark.parametrize(
    ("meeting", "state", "css"),
    [
        (replace(STREAMS, state="armed", streams=(), sentence="The meeting has started."), "armed", "armed"),
        (replace(STREAMS, state="accepted", streams=(), sentence="Zoom took it."), "accepted", "accepted"),
        (GUEST_FIRST, "armed", "problem"),
        (ASKED, "requested", "problem"),
        (replace(GUEST_FIRST, state="refused"), "refused", "problem"),
        (replace(GUEST_FIRST, state="given_up", over=True), "given up", "problem"),
        (replace(GUEST_FIRST, state="never_started", uuid="", over=True), "never started", "problem"),
        (NOT_TAKEN, "not taken", "not_taken"),
    ],
)
async def test_a_meeting_without_a_stream(meeting: MeetingStatus, state: str, css: str) -> None:
    """It stands there with its state and its sentence, and while it is in trouble with the last trouble, too; escaped."""
    text = await section(Source(all_meetings=[meeting]))
    assert f'<li id="{meeting.anchor}" data-state="{meeting.state}">' in text
    assert f'<span class="state {css}">{state}</span>' in text
    assert f"Meeting {meeting.number}" in text and "<i>" not in text
    for sentence in {meeting.sentence, meeting.trouble} - {""}:
        assert text.count(sentence.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")) == 1


async def test_a_meeting_that_streams_is_linked_to_its_stream() -> None:
    """It is told in its stream's card, and not once more."""
    text = await section(Source(all_streams=[LIVE, ENDED], all_meetings=[STREAMS]))
    assert f'<a href="#stream-{LIVE.stream_id}">Meeting {LIVE.meeting_id}</a>' in text
    assert STREAMS.sentence not in text and "<li" not in text
    assert "0 without a stream yet" in text


@pytest.mark.parametrize(
    "meeting",
    [
        replace(STREAMS, streams=(ENDED.stream_id,)),
        replace(STREAMS, streams=(ENDED.stream_id,), state="given_up", sentence="The stream was stopped."),
        replace(STREAMS, streams=(ENDED.stream_id,), state="idle", sentence="The meeting ended.", over=True),
        replace(STREAMS, streams=(), state="idle", sentence=""),
        replace(NOT_TAKEN, over=True),
        replace(GUEST_FIRST, over=True, trouble_ms=NOW_MS - 25 * HOUR_MS),
    ],
)
async def test_what_is_over_is_not_repeated(meeting: MeetingStatus) -> None:
    """A meeting whose stream's card says all, or of which nothing is left to say, is not there."""
    assert "None." in await section(Source(all_streams=[ENDED], all_meetings=[meeting]))


async def test_a_stream_that_is_started_again() -> None:
    """A meeting whose stream broke, and is wanted again, is there beside that stream."""
    again = replace(STREAMS, streams=(ENDED.stream_id,), state="armed", sentence="It is started again.")
    assert again.sentence in await section(Source(all_streams=[ENDED], all_meetings=[again]))


async def test_the_verdict_counts_who_waits() -> None:
    """All is well while a meeting waits without trouble, and it is said that it does."""
    armed = replace(GUEST_FIRST, problem=False, trouble="", trouble_ms=None, sentence="It has started.")
    assert "1 meeting goes on without one so far" in await section(Source(all_meetings=[armed]), "verdict")
    assert "so far" not in await section(Source(all_meetings=[NOT_TAKEN]), "verdict")


async def test_of_very_many_meetings_few_are_shown() -> None:
    """The first stand there, those in trouble before the others; the rest can be unfolded, and beyond 200 are counted only."""
    calm = replace(GUEST_FIRST, problem=False, trouble="", trouble_ms=None, sentence="It has started.")
    meetings = [replace(calm, uuid=f"calm-{number}", number=str(number)) for number in range(300)]
    meetings[250] = replace(meetings[250], problem=True, trouble="Look here.", trouble_ms=NOW_MS)
    streams = [replace(LIVE, stream_id=f"living-{number}") for number in range(300)]
    meetings += [replace(STREAMS, uuid=f"on-{one.stream_id}", streams=(one.stream_id,)) for one in streams]
    text = await section(Source(all_streams=streams, all_meetings=meetings))
    assert text.count("<li") == 200 and "188 more" in text and "and 100 more, in the JSON only" in text
    assert text.index("calm-250") < text.index("calm-0")
    assert text.count('href="#stream-') == 12 and "and 288 more" in text
    assert "300 without a stream yet" in text


async def test_json() -> None:
    """The same meetings come as JSON, all of them."""
    meetings = [GUEST_FIRST, STREAMS, replace(STREAMS, uuid="over", over=True)]
    async with (
        admin(Source(all_meetings=meetings)) as session,
        session.get("/api/v1/meetings") as response,
    ):
        document = msgspec.json.decode(await response.read())
    assert document["now_ms"] == NOW_MS
    assert [msgspec.convert(one, MeetingStatus) for one in document["meetings"]] == [
        replace(one, streams=list(one.streams)) for one in meetings
    ]


@pytest.mark.parametrize(
    ("meeting", "now", "lately"),
    [
        (STREAMS, 0, 0),
        (NOT_TAKEN, 0, 0),
        (GUEST_FIRST, 1, 0),
        (ASKED, 1, 0),
        (replace(GUEST_FIRST, over=True), 1, 0),
        (replace(GUEST_FIRST, trouble_ms=NOW_MS - HOUR_MS), 0, 1),
        (replace(GUEST_FIRST, trouble_ms=NOW_MS - 25 * HOUR_MS), 0, 0),
        (replace(GUEST_FIRST, state="confirmed", problem=False), 0, 1),
    ],
)
def test_a_start_in_trouble(meeting: MeetingStatus, now: int, lately: int) -> None:
    """It is a problem until a stream starts, for an hour at most; then for a day it was one."""
    found = problems([], [], [], WebhookCounters(), meetings=[meeting], now_ms=NOW_MS)
    assert [len(one) for one in found] == [now, lately]
    assert all(one.sentence == GUEST_FIRST.trouble for side in found for one in side)


async def test_trouble_is_told_on_top_and_leads_to_the_meeting() -> None:
    """The sentence on top is that below, with a link to it; when it streams after all the link leads to the stream."""
    text = await page(Source(all_meetings=[GUEST_FIRST]))
    assert "1 thing to look at" in text and "20 s ago" in text
    assert f'<a href="#{GUEST_FIRST.anchor}">Meeting {GUEST_FIRST.number} (notes)</a>' in text
    assert f'id="{GUEST_FIRST.anchor}"' in text
    mended = replace(GUEST_FIRST, state="confirmed", problem=False, streams=(LIVE.stream_id,))
    text = await page(Source(all_streams=[LIVE], all_meetings=[mended]))
    assert "Lately: 1 thing" in text
    assert f'<a href="#stream-{LIVE.stream_id}">Meeting {GUEST_FIRST.number} (notes)</a>' in text


def test_one_cause_is_not_told_by_every_meeting() -> None:
    """When very many starts are in trouble, so many are told and the others counted; without a number it is a meeting, too."""
    meetings = [replace(GUEST_FIRST, uuid=str(number), number="") for number in range(50)]
    now, _ = problems([], [], [], WebhookCounters(), meetings=meetings, now_ms=NOW_MS)
    assert [one.where for one in now] == ["A meeting (notes)"] * 20 + ["Meetings"]
    assert now[-1].sentence == "30 more have no stream so far; they stand below."


def test_what_zoom_tells_of_a_meeting_is_told_once() -> None:
    """A notice of Zoom's that has become a meeting's trouble is not told of the account, too."""
    counters = WebhookCounters()
    counters.warned.append(Warned("notes", "rtms.start_failed", 5, GUEST_FIRST.trouble, NOW_MS))
    counters.warned.append(Warned("other", "rtms.start_failed", 5, GUEST_FIRST.trouble, NOW_MS))
    now, _ = problems([], [], [], counters, meetings=[GUEST_FIRST], now_ms=NOW_MS)
    assert [one.where for one in now] == ["Zoom account (other)", f"Meeting {GUEST_FIRST.number} (notes)"]


@pytest.mark.parametrize(
    ("socket", "now", "lately", "state", "shown"),
    [
        (UNREACHED, 1, 0, "disconnected", "could not be reached"),
        (CONNECTED, 0, 1, "connected", "Connected 5 s ago. "),
        (
            replace(CONNECTED, problem="", problem_ms=None),
            0,
            0,
            "connected",
            "Events: 12, the last one 3 s ago.",
        ),
        (EventSocketStatus(app="notes", connected_since_ms=None), 0, 0, "connecting", "No event so far."),
    ],
)
async def test_an_event_websocket(
    socket: EventSocketStatus, now: int, lately: int, state: str, shown: str
) -> None:
    """Its state stands beside the webhooks; that it is not connected is a problem until it is."""
    found = problems([], [], [], WebhookCounters(), sockets=[socket], now_ms=NOW_MS)
    assert [len(one) for one in found] == [now, lately]
    text = await section(Source(all_event_sockets=[socket]), "webhooks")
    assert '<div class="card" id="events-notes">' in text
    assert f'<span class="state {state}">{state}</span>' in text and shown in text
    assert "Event WebSocket" not in await section(Source(), "webhooks")


async def test_health_is_not_about_meetings() -> None:
    """Meetings that do not start, and an event WebSocket that is not connected, are no reason to start rtmsd again."""
    source = Source(all_meetings=[GUEST_FIRST], all_event_sockets=[UNREACHED], all_sinks=[DISK])
    async with admin(source, clock=SetClock()) as session:
        for path in ("/healthz", "/readyz"):
            async with session.get(path) as response:
                assert response.status == 200
