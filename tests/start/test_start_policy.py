"""What is done about an announced stream."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rtmsd.config import OnlyConfig
from rtmsd.protocol.webhook import WebhookEvent, parse
from rtmsd.start.policy import Decision, Failover, Ignore, Join, KnownStream, decide
from rtmsd.start.rules import Facts, refused_stream

NOW = 1_738_392_034_000
URL = "wss://zoomsjc1.sjc.zoom.us:443"
OTHER = "wss://zoomiad2.iad.zoom.us:443"


def event(**changes: Any) -> WebhookEvent:
    payload = {
        "meeting_id": "85746065432",
        "meeting_uuid": "4444AAAiAAAAAiAiAiiAii==",
        "rtms_stream_id": "609340fb2a7946909659956c8aa9250c",
        "is_original_host": True,
        "server_urls": URL,
    }
    event_ts = changes.pop("event_ts", NOW - 300)
    payload.update(changes)
    body = {"event": "meeting.rtms_started", "event_ts": event_ts, "payload": payload}
    parsed = parse(msgspec.json.encode({key: value for key, value in body.items() if value is not None}))
    assert isinstance(parsed, WebhookEvent)
    return parsed


def known(*, alive: bool, ended: bool = False, urls: tuple[str, ...] = (URL,)) -> KnownStream:
    return KnownStream(alive=alive, ended=ended, server_urls=urls)


def decided(
    what: WebhookEvent, stream: KnownStream | None = None, *, original_host: bool = False
) -> Decision:
    facts = Facts(is_original_host=what.is_original_host)
    refusal = refused_stream(OnlyConfig(original_host=original_host), facts)
    return decide(what, refusal=refusal, now_ms=NOW, known=stream)


def test_a_new_stream_is_joined() -> None:
    """A fresh start of an unknown stream is joined, with every address in Zoom's order."""
    assert decided(event()) == Join((URL,))
    assert decided(event(server_urls=f"{URL}, {OTHER}")) == Join((URL, OTHER))


@pytest.mark.parametrize(
    ("age_ms", "joined"), [(60_000, True), (60_001, False), (-5_000, True), (300_000, False)]
)
def test_a_late_start(age_ms: int, joined: bool) -> None:
    """An unknown stream's start is joined up to 60 s after the event; later it is a problem that says why."""
    decision = decided(event(event_ts=NOW - age_ms))
    assert isinstance(decision, Join) is joined
    if isinstance(decision, Ignore):
        assert decision.problem
        assert "Zoom's retry" in decision.sentence
        assert "too late" in decision.sentence


def test_a_start_without_time() -> None:
    """A start that does not say when it happened is not called late."""
    assert decided(event(event_ts=None)) == Join((URL,))


@pytest.mark.parametrize("missing", ["server_urls", "rtms_stream_id"])
def test_an_expired_trial(missing: str) -> None:
    """A start without address or stream id is explained as a missing entitlement."""
    decision = decided(event(**{missing: ""}))
    assert isinstance(decision, Ignore)
    assert decision.problem
    assert missing in decision.sentence
    assert "Developer Pack" in decision.sentence


@pytest.mark.parametrize(("host", "joined"), [(True, True), (False, False), (None, False)])
def test_only_original_host(host: bool | None, joined: bool) -> None:
    """With only.original_host, streams of others are left alone; it is a problem only when nobody says whose it is."""
    decision = decided(event(is_original_host=host), original_host=True)
    assert isinstance(decision, Join) is joined
    if isinstance(decision, Ignore):
        assert decision.problem is (host is None)
        assert "only.original_host" in decision.sentence
    assert decided(event(is_original_host=host)) == Join((URL,))


def test_a_known_stream() -> None:
    """Same address and living sockets: nothing. Dead sockets: join again. Another address: failover. Ended: nothing."""
    nothing = decided(event(), known(alive=True))
    assert isinstance(nothing, Ignore)
    assert not nothing.problem
    assert decided(event(), known(alive=False)) == Join((URL,))
    assert decided(event(server_urls=OTHER), known(alive=True)) == Failover((OTHER,))
    assert decided(event(server_urls=OTHER), known(alive=False)) == Failover((OTHER,))
    ended = decided(event(server_urls=OTHER), known(alive=False, ended=True))
    assert isinstance(ended, Ignore)
    assert not ended.problem


@pytest.mark.parametrize("alive", [True, False])
def test_a_known_stream_and_an_old_start(alive: bool) -> None:
    """Age does not matter for a known stream, but an old start of another server does not undo a failover, not even in
    an outage."""
    old = NOW - 300_000
    assert decided(event(event_ts=old), known(alive=False)) == Join((URL,))
    late = decided(event(event_ts=old, server_urls=OTHER), known(alive=alive))
    assert isinstance(late, Ignore)
    assert not late.problem


def test_a_known_stream_without_address() -> None:
    """When a repeat names no address, the known one is used if it is needed."""
    assert decided(event(server_urls=""), known(alive=False)) == Join((URL,))
    assert isinstance(decided(event(server_urls=""), known(alive=True)), Ignore)


def test_a_stream_that_was_given_up() -> None:
    """Zoom announces it again: it is joined as if it were new, and not when the announcement is old."""
    lost = KnownStream(alive=False, ended=True, given_up=True, server_urls=(URL,))
    assert decided(event(), lost) == Join((URL,))
    assert isinstance(decided(event(event_ts=NOW - 300_000), lost), Ignore)
    assert isinstance(decided(event(server_urls=""), lost), Ignore)
