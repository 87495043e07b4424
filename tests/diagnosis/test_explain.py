"""Whoever has seen a number, a word or a symptom learns what it means and what to do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.cli import main
from rtmsd.diagnosis.explain import Meaning, everything, explain
from rtmsd.diagnosis.symptoms import SYMPTOMS
from rtmsd.zoom.replies import BY_CODE

ROWS: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parents[1] / "corpus" / "explain.toml").read_text()
)


@pytest.mark.parametrize(
    ("code", "kinds", "words"),
    [
        ("18", ["stop", "status", "sdk"], "did not accept the credentials"),
        ("stop:18", ["stop"], "did not accept the credentials"),
        ("status:3", ["status"], "signature of the handshake"),
        ("2310", ["api"], "Developer Pack"),
        ("api:13262", ["api"], "meeting content"),
        ("4711", ["api", "oauth"], "lacks a scope"),
        ("oauth:invalid_client", ["oauth"], "client secret"),
        ("unsupported_grant_type", ["oauth"], "Server-to-Server"),
        ("api:202", ["api"], "no proof"),
        ("sdk:960", ["sdk"], "no success"),
        ("sdk:6", ["sdk"], "On leaving: this is Zoom's stop reason 6. The meeting ended."),
        ("0x3c0", ["sdk"], "no success"),
        ("0x3C0", ["sdk"], "no success"),
        ("-1", ["sdk"], "without a reason"),
        ("AUTHENTICATION_FAILURE", ["stop"], "did not accept the credentials"),
        ("INTERNAL_EXCEPTION", ["stop", "status"], "internal fault"),
        ("stop_bc_meeting_ended", ["stop"], "The meeting ended."),
        ("stop:99", ["stop"], "not known here"),
        ("symptom:1", ["symptom"], "Nobody who may approve"),
        ("silent-start", ["symptom"], "Nobody who may approve"),
        ("Symptom:Wrong-Pair", ["symptom"], "another app"),
        ("symptom:99", [], ""),
        ("424242", [], ""),
    ],
)
def test_a_code_has_these_meanings(code: str, kinds: list[str], words: str) -> None:
    """A bare number has all its meanings, one with a kind exactly that; names mean what they name."""
    found = explain(code)
    assert [one.kind for one in found] == kinds
    assert not words or words in found[0].explanation.cause


@pytest.mark.parametrize(
    "code", ["", "eighteen", "stop:", "zoom:18", "1e3", "stop:18x", "0x", "stop:silent-start"]
)
def test_what_is_no_code_is_said(code: str) -> None:
    """The sentence says what was expected."""
    with pytest.raises(ValueError, match="expected a number"):
        explain(code)


def _whole(meaning: Meaning) -> bool:
    """Whether there is a cause and a remedy, in whole sentences, and a source that its reader can find."""
    one = meaning.explanation
    sentences = all(
        re.fullmatch(r"(?s)\S.*[.)]", text) and "  " not in text for text in (one.cause, one.remedy)
    )
    return sentences and bool(one.name) and bool(one.source) and "protocol.md" not in str(meaning)


@pytest.mark.parametrize(
    ("table", "code"), [(table, code) for table, codes in ROWS.items() for code in codes]
)
def test_every_row_is_explained(table: str, code: str) -> None:
    """Each row of the tables of protocol.md has one meaning, with cause, remedy and source."""
    [found] = explain(code)
    assert _whole(found), found


def test_all_that_is_known_is_whole() -> None:
    """Nothing that can be explained lacks a part, and each has its own key, which leads back to it."""
    known = everything()
    assert len({one.key for one in known}) == len(known) > 190
    for one in known:
        assert _whole(one), one
        assert explain(one.key) == [one]


def test_the_coordinator_s_codes_are_known() -> None:
    """Whatever code the start coordinator acts on can be explained."""
    for code in BY_CODE:
        assert explain(f"api:{code}")


def test_symptoms_have_names_of_their_own() -> None:
    """Numbers without a gap, names that can be typed and are no code's, and what is seen as a sentence."""
    assert [one.number for one in SYMPTOMS] == list(range(1, 33))
    for one in SYMPTOMS:
        assert re.fullmatch(r"[a-z0-9-]+", one.name) and one.seen.endswith(".")
        assert [found.explanation.number for found in explain(one.name)] == [one.number]


@given(st.text(max_size=30))
def test_any_text_is_answered(text: str) -> None:
    """Whatever is asked for: meanings, or a sentence."""
    try:
        explain(text)
    except ValueError as error:
        assert str(error)


def test_the_command_prints_cause_and_remedy() -> None:
    """`rtmsd explain`: every meaning on the terminal; what means nothing is exit 1, what is no code exit 2."""
    told = CliRunner().invoke(main, ["explain", "stop:18"])
    assert told.exit_code == 0 and "AUTHENTICATION_FAILURE" in told.output and "client_secret" in told.output
    assert CliRunner().invoke(main, ["explain", "424242"]).exit_code == 1
    assert CliRunner().invoke(main, ["explain", "eighteen"]).exit_code == 2


def test_the_command_lists_what_it_knows() -> None:
    """A line for each with --list or without a code; the word `symptom` tells all of them whole."""
    listed = CliRunner().invoke(main, ["explain", "--list"])
    assert listed.exit_code == 0
    assert len(listed.output.splitlines()) == len(everything())
    assert "symptom:29" in listed.output and "oauth:invalid_client" in listed.output
    assert CliRunner().invoke(main, ["explain"]).output == listed.output
    told = CliRunner().invoke(main, ["explain", "symptom"]).output
    assert all(f"symptom:{one.number}  {one.name}\n  {one.seen}\n  {one.cause}\n" in told for one in SYMPTOMS)
