"""What comes over an event WebSocket, message by message."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.zoom.event_messages import HEARTBEAT, Kind, read_message

STARTED = '{"event": "meeting.started", "payload": {"topic": "Zürich"}}'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"module":"build_connection","success":true,"content":"ok","header":{}}', Kind.ANSWER),
        ('{"module":"build_connection"}', Kind.ANSWER),
        ('{"module":"heartbeat","success":true,"content":"live","header":{}}', Kind.ANSWER),
        (HEARTBEAT, Kind.ANSWER),
        (
            '{"module":"build_connection","success":false,"content":"token is empty","header":{}}',
            Kind.REFUSAL,
        ),
        ('{"module":"heartbeat","success":false}', Kind.REFUSAL),
        ('{"module":"news","success":false}', Kind.UNKNOWN),
        ('{"module":null}', Kind.MALFORMED),
        ('{"event":"meeting.started"}', Kind.MALFORMED),
        ('{"module":"message","content":""}', Kind.MALFORMED),
        ('{"module":"message","content":"null"}', Kind.MALFORMED),
        ('{"module":"message","content":["event"]}', Kind.MALFORMED),
        ("{" * 200_000, Kind.MALFORMED),
        (json.dumps({"module": "message", "content": "[" * 200_000}), Kind.MALFORMED),
        ("\ufeff{}", Kind.MALFORMED),
    ],
)
def test_each_form_is_told_from_the_others(text: str, kind: Kind) -> None:
    """The forms that were seen, and the ways to get them wrong; only events have an event."""
    assert read_message(text) == (kind, b"")


@pytest.mark.parametrize("escaped", [False, True])
def test_an_event_is_its_own_text(escaped: bool) -> None:
    """Unwrapped, not written anew: spaces and characters are as Zoom wrote them, however the wrapping is encoded."""
    wrapped = json.dumps({"module": "message", "content": STARTED}, ensure_ascii=escaped)
    for form in (wrapped, wrapped.encode()):
        assert read_message(form) == (Kind.EVENT, STARTED.encode())


def test_an_event_may_stand_unwrapped() -> None:
    """Should Zoom send an object where it sends text today."""
    kind, event = read_message('{"module":"message","content":' + STARTED + "}")
    assert kind is Kind.EVENT and json.loads(event) == json.loads(STARTED)


@given(st.one_of(st.text(), st.binary(), st.recursive(st.none() | st.text(), st.lists).map(json.dumps)))
def test_anything_can_be_read(data: str | bytes) -> None:
    """Whatever is sent has a kind, never an error."""
    assert isinstance(read_message(data).kind, Kind)


@given(st.text(st.characters(codec="utf-8")), st.integers())
def test_every_event_comes_through(topic: str, number: int) -> None:
    """Any text in an event survives the double wrapping."""
    content = json.dumps({"event": "meeting.started", "event_ts": number, "topic": topic}, ensure_ascii=False)
    assert read_message(json.dumps({"module": "message", "content": content})) == (
        Kind.EVENT,
        content.encode(),
    )
