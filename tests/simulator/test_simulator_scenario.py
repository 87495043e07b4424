"""Scenarios in TOML: what they become, and what is said about those that are wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rtmsd.errors import SimulatorError
from rtmsd.protocol.codes import MediaDataType
from rtmsd.simulator import (
    Chats,
    Drops,
    Ends,
    FallsSilent,
    Joins,
    Leaves,
    Mutes,
    Pauses,
    PostsWebhooks,
    Resumes,
    Says,
    Unmutes,
    distortions,
    load_scenario,
    load_sentences,
)
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.cloud.face_words import FACE_WORDS
from rtmsd.simulator.held import Held
from rtmsd.simulator.scenario import load_script
from rtmsd.simulator.vocabulary import WORDS

ROOT = Path(__file__).parents[2]
MIRA, TOMAS = 16778240, 16779264

EVERYTHING = """
seconds = 20
seed = 7
media = ["audio", "chat"]
people = [{ name = "Mira Tal" }, { name = "Tomas Vik" }]
timeline = [
    { at_secs = 0, do = "join", who = "Mira Tal" },
    { at_secs = 0.02, do = "leave", who = "Tomas Vik" },
    { at_secs = 0.04, do = "mute", who = "Mira Tal" },
    { at_secs = 0.06, do = "unmute", who = "Mira Tal" },
    { at_secs = 0.7, do = "say", who = "Mira Tal", sentence = "begin" },
    { at_secs = 4, do = "say", who = "Mira Tal", seconds = 1.5, noise = 3, text = "hiss" },
    { at_secs = 6, do = "say", who = "Mira Tal", seconds = 1, tone_hz = 440 },
    { at_secs = 7, do = "chat", who = "Tomas Vik", text = "hello" },
    { at_secs = 8, do = "pause" },
    { at_secs = 9, do = "resume" },
    { at_secs = 10, do = "drop" },
    { at_secs = 11, do = "drop", socket = "audio", how = "close", code = 1011 },
    { at_secs = 12, do = "silence", seconds = 3 },
    { at_secs = 13, do = "webhooks", copies = 2, delay_secs = 1.5 },
    { at_secs = 14, do = "end", reason = 8 },
]
"""


def scenario(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return path


def test_every_word_becomes_its_action(tmp_path: Path) -> None:
    """What is written is what is played, with the defaults that the documentation names."""
    meeting = load_scenario(scenario(tmp_path, EVERYTHING))
    assert (meeting.ends_ms, meeting.seed) == (20_000, 7)
    assert meeting.media == MediaDataType.AUDIO | MediaDataType.CHAT
    assert [(person.user_id, person.name) for person in meeting.people] == [
        (MIRA, "Mira Tal"),
        (TOMAS, "Tomas Vik"),
    ]
    begin, hiss, hum = [one for one in meeting.timeline if isinstance(one, Says)]
    assert [one for one in meeting.timeline if not isinstance(one, Says)] == [
        Joins(0, MIRA),
        Leaves(20, TOMAS),
        Mutes(40, MIRA),
        Unmutes(60, MIRA),
        Chats(7000, TOMAS, "hello"),
        Pauses(8000),
        Resumes(9000),
        Drops(10_000, "signaling", "reset"),
        Drops(11_000, "audio", "close", 1011),
        FallsSilent(12_000, 3.0),
        PostsWebhooks(13_000, 2, 1.5),
        Ends(14_000, 8),
    ]
    assert (hiss.sentence.text, hiss.sentence.duration_ms) == ("hiss", 1500)
    assert (hum.sentence.text, hum.sentence.duration_ms) == ("", 1000)
    assert begin == Says(700, MIRA, load_sentences()["begin"])


def test_noise_is_the_same_for_a_seed_and_another_for_the_next_meeting(tmp_path: Path) -> None:
    """A scenario sounds the same each time, and unlike itself where it is played several times at once."""
    path = scenario(tmp_path, EVERYTHING)

    def hiss(number: int) -> bytes:
        return load_scenario(path, number=number).timeline[5].sentence.pcm  # type: ignore[union-attr]

    assert hiss(0) == hiss(0) != hiss(1)


def test_a_cut_scenario_ends_earlier_and_is_never_longer(tmp_path: Path) -> None:
    """What would have happened later does not happen."""
    meeting = load_scenario(scenario(tmp_path, EVERYTHING))
    cut = meeting.cut(8.5)
    assert cut.ends_ms == 8500 and max(action.at_ms for action in cut.timeline) == 8000
    assert meeting.cut(60) == meeting


def test_every_problem_is_told_at_once_with_its_path(tmp_path: Path) -> None:
    """Nothing is played, and the writer need not run it again to hear of the next mistake."""
    text = """
secnds = 20
media = ["audio", "smell"]
people = [{ name = "Mira Tal" }, { name = "Mira Tal", age = 3 }, { name = "" }]
timeline = [
    { at_secs = 0.01, do = "join", who = "Mira Tall" },
    { at_secs = 1, do = "jion", who = "Mira Tal" },
    { at_secs = -1, do = "say", who = "Mira Tal", sentence = "beginn" },
    { at_secs = 1, do = "say", who = "Mira Tal", seconds = 1 },
    { at_secs = 1, do = "chat", who = "Mira Tal", text = 5 },
    { at_secs = "soon", do = "drop", socket = "vidio", code = 1000 },
    { at_secs = 2, do = "pause", secs = 3 },
    7,
]
"""
    path = scenario(tmp_path, text)
    with pytest.raises(SimulatorError) as caught:
        load_scenario(path)
    heading, *problems = [line.strip() for line in str(caught.value).splitlines()]
    assert heading == f"{path}: {len(problems)} problems; nothing was played"
    told = "\n".join(problems)
    for sentence in (
        "seconds: is missing",
        'secnds: unknown key; did you mean "seconds"?',
        'media[1]: expected one of "audio", "video", "share", "transcript", "chat"; got "smell"',
        'people[1].name: there is already a person "Mira Tal"',
        "people[1].age: unknown key",
        'people[2].name: expected some text in quotes, got ""',
        "timeline[0].at_secs: expected a multiple of 0.02 s, got 0.01",
        '"Mira Tall"; did you mean "Mira Tal"?',
        '"jion"; did you mean "join"?',
        "timeline[2].at_secs: expected a number, at least 0, got -1",
        '"beginn"; did you mean "begin"?',
        'timeline[3]: says something: give "sentence", or "seconds" and either "tone_hz" or "noise"',
        "timeline[4].do: this meeting has no chat",
        "timeline[4].text: expected some text in quotes, got 5",
        'timeline[5].at_secs: expected a number, at least 0, got "soon"',
        "timeline[5].socket: expected one of",
        "timeline[5].code: only a Close frame has one",
        "timeline[6].secs: unknown key",
        "timeline[7]: expected a table, got 7",
    ):
        assert sentence in told, sentence


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("seconds = ", "expected TOML"),
        ("seconds = 5", "nobody is there"),
        (
            'seconds = 5\npeople = [{name = "A"}]\ntimeline = [{at_secs = 6, do = "pause"}]',
            r"6 s is not before the end at 5 s",
        ),
        (
            'seconds = 9\npeople = [{name = "A"}]\ntimeline = ['
            '{at_secs = 1, do = "say", who = "A", sentence = "begin"},'
            '{at_secs = 2, do = "say", who = "A", sentence = "late"}]',
            "nobody says two things at once",
        ),
    ],
)
def test_a_scenario_that_cannot_be_played_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """Each with the sentence that says why."""
    with pytest.raises(SimulatorError, match=complaint):
        load_scenario(scenario(tmp_path, text))


def test_a_scenario_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error says which file could not be read."""
    with pytest.raises(SimulatorError, match=r"none\.toml: expected a scenario"):
        load_scenario(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "scenarios").glob("*.toml")), ids=lambda p: p.stem)
def test_the_example_scenarios_can_be_played(path: Path) -> None:
    """Every file that we offer loads."""
    assert load_scenario(path).timeline


def test_the_documentation_names_every_word_and_its_example_loads(tmp_path: Path) -> None:
    """docs/scenarios.md has a row for each action, no other word, every sentence, and an example that is right."""
    text = (ROOT / "docs" / "scenarios.md").read_text()
    actions, rest = text.split("### What is distorted")
    rows = re.findall(r"^\| ((?:`\w+` ?)+) \|", actions, flags=re.MULTILINE)
    words = {word for row in rows for word in re.findall(r"`(\w+)`", row)} - {"do"}
    assert words == set(WORDS)
    assert all(f"`{name}`" in text for name in load_sentences())
    assert all(f"`{name}`" in rest for name in (*distortions.WORDS, *Behaviour.__dataclass_fields__))
    example, held = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert tomllib.loads(example)["people"]
    load_scenario(scenario(tmp_path, example))
    assert set(tomllib.loads(held)["meeting"]) == set(Held.__dataclass_fields__)
    assert load_script(scenario(tmp_path, example + held)).held is not None
    assert all(f"\n| `{word}` |" in rest for word in FACE_WORDS)
