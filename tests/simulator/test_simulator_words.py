"""How products, cameras, screens, chat and corrections are written in a scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import ContactCenterEventType, MediaDataType
from rtmsd.simulator import (
    ChangesGroup,
    Chats,
    Corrects,
    Holds,
    Meeting,
    Shares,
    TurnsCamera,
    VoiceEvent,
    load_scenario,
)

ANN, BO = 16778240, 16779264
HEAD = """
seconds = 20
{head}
people = [{{ name = "Ann", language = "fr" }}, {{ name = "Bo", role = "consumer" }}]
timeline = [{{ at_secs = 1, do = {action} }}{earlier}]
"""
EVERYTHING = 'media = ["audio", "video", "share", "transcript", "chat"]'


def read(tmp_path: Path, action: str, head: str = EVERYTHING) -> Meeting:
    path = tmp_path / "scenario.toml"
    earlier = ', { at_secs = 0, do = "chat", who = "Bo", text = "first", label = "x" }'
    path.write_text(HEAD.format(head=head, action=action, earlier=earlier if head == EVERYTHING else ""))
    return load_scenario(path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"camera", who = "Ann"', TurnsCamera(1000, ANN, on=True)),
        ('"camera", who = "Ann", turn = "off"', TurnsCamera(1000, ANN, on=False)),
        ('"share", who = "Bo", turn = "on"', Shares(1000, BO, on=True)),
        ('"chat", who = "Bo", text = "a"', Chats(1000, BO, "a")),
        ('"chat", who = "Bo", text = "a", label = "x", to = "Ann"', Chats(1000, BO, "a", label="x", to=ANN)),
        ('"chat", who = "Bo", text = "a", of = "x", group = "g"', Chats(1000, BO, "a", of="x", group="g")),
        ('"chat", who = "Bo", operation = "delete", of = "x"', Chats(1000, BO, "", "delete", of="x")),
        (
            '"chat", who = "Bo", operation = "add_emoji", of = "x", text = "+"',
            Chats(1000, BO, "+", "add_emoji", of="x"),
        ),
        ('"chat_group", who = "Bo", group = "g"', ChangesGroup(1000, BO, "create", "g")),
        (
            '"chat_group", who = "Bo", group = "g", change = "member_status", members = ["Ann"], status = "left_meeting"',
            ChangesGroup(1000, BO, "member_status", "g", (ANN,), 4),
        ),
        ('"correct", who = "Ann", text = "better"', Corrects(1000, ANN, "better")),
        ('"retract", who = "Ann"', Corrects(1000, ANN, None)),
    ],
)
def test_what_people_do_is_read(written: str, meant: object, tmp_path: Path) -> None:
    """Each word gives its action, with the documented defaults."""
    assert read(tmp_path, written).timeline[0] == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"hold", who = "Ann"', Holds(1000, ANN, on=True)),
        ('"unhold", who = "Ann"', Holds(1000, ANN, on=False)),
        (
            '"voice_event", who = "Ann", event = "transfer_initiated"',
            VoiceEvent(1000, ANN, ContactCenterEventType.TRANSFER_INITIATED),
        ),
    ],
)
def test_what_happens_in_a_contact_centre_is_read(written: str, meant: object, tmp_path: Path) -> None:
    """Its words are taken when the product is its own."""
    assert read(tmp_path, written, 'product = "contact_center"').timeline == (meant,)


def test_the_head_of_a_scenario_is_read(tmp_path: Path) -> None:
    """Product, nesting, languages and roles stand in the meeting as they were written."""
    webinar = read(tmp_path, '"retract", who = "Ann"', 'product = "webinar"\nid_key = "meeting_uuid"')
    assert (webinar.product.name, webinar.product.id_key) == ("webinar", "meeting_uuid")
    head = 'product = "video_sdk"\nnested = true\nlanguage_after_secs = 4.5\nmedia = ["video", "share"]'
    meeting = read(tmp_path, '"camera", who = "Ann"', head)
    assert (meeting.product.name, meeting.nested, meeting.language_after_secs) == ("video_sdk", True, 4.5)
    assert meeting.media == MediaDataType.VIDEO | MediaDataType.DESKSHARE
    assert [(person.language, person.role) for person in meeting.people] == [(13, "agent"), (9, "consumer")]


@pytest.mark.parametrize(
    ("written", "head", "sentence"),
    [
        ('"camera", who = "Ann"', "", 'timeline[0].do: this meeting has no video'),
        ('"share", who = "Ann"', 'media = ["video"]', 'timeline[0].do: this meeting has no share'),
        ('"hold", who = "Ann"', EVERYTHING, "timeline[0].do: holds and voice events happen in a contact centre"),
        ('"camera", who = "Ann", turn = "of"', EVERYTHING, 'timeline[0].turn: expected one of "on", "off"'),
        ('"chat", who = "Ann", text = "x", operation = "update"', EVERYTHING, "timeline[0].of: is missing"),
        ('"chat", who = "Ann", text = "x", to = "Bo", group = "g"', EVERYTHING, "timeline[0].to: a message goes to"),
        ('"chat", who = "Ann", text = "x", to = "Bob"', EVERYTHING, 'timeline[0].to: expected one of "Ann", "Bo"'),
        ('"retract", who = "Ann"', 'product = "phones"', 'product: expected one of "meeting"'),
        ('"retract", who = "Ann"', 'product = "phone"\nmedia = ["video", "transcript"]', "media: there are no scopes"),
        ('"chat", who = "Ann", text = "y", of = "z"', EVERYTHING, 'timeline: no earlier chat message is labelled "z"'),
        ('"retract", who = "Ann"', "nested = 1", "nested: expected true or false, got 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_its_path(written: str, head: str, sentence: str, tmp_path: Path) -> None:
    """Nothing is played when something is written that the meeting cannot have."""
    with pytest.raises(SimulatorError) as caught:
        read(tmp_path, written, head)
    assert sentence in str(caught.value)
