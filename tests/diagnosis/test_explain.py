"""Whoever has seen a number learns what it means and what to do."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rtmsd.cli import main
from rtmsd.diagnosis.codes import STATUS_CODES, STOP_REASONS
from rtmsd.diagnosis.explain import explain
from rtmsd.zoom.replies import BY_CODE


@pytest.mark.parametrize(
    ("code", "kinds", "words"),
    [
        ("18", ["stop", "status", "sdk"], "did not accept the credentials"),
        ("stop:18", ["stop"], "did not accept the credentials"),
        ("status:3", ["status"], "signature of the handshake"),
        ("2310", ["api"], "Developer Pack"),
        ("api:13262", ["api"], "meeting content"),
        ("sdk:960", ["sdk"], "no success"),
        ("0x3c0", ["sdk"], "no success"),
        ("0x3C0", ["sdk"], "no success"),
        ("-1", ["sdk"], "without a reason"),
        ("AUTHENTICATION_FAILURE", ["stop"], "did not accept the credentials"),
        ("stop_bc_meeting_ended", ["stop"], "The meeting ended."),
        ("stop:99", ["stop"], "not known here"),
        ("424242", [], ""),
    ],
)
def test_a_code_has_these_meanings(code: str, kinds: list[str], words: str) -> None:
    """A bare number has all its meanings, one with a kind exactly that."""
    found = explain(code)
    assert [one.kind for one in found] == kinds
    assert not words or words in found[0].explanation.cause


@pytest.mark.parametrize("code", ["", "eighteen", "stop:", "zoom:18", "1e3", "stop:18x", "0x"])
def test_what_is_no_code_is_said(code: str) -> None:
    """The sentence says what was expected."""
    with pytest.raises(ValueError, match="expected a number"):
        explain(code)


def test_every_row_of_the_tables_has_cause_and_remedy() -> None:
    """protocol.md §4.2, §6.4, §6.6 and §9.2, walked."""
    codes = [f"stop:{number}" for number in STOP_REASONS]
    codes += [f"status:{number}" for number in STATUS_CODES]
    codes += [f"api:{number}" for number in (*BY_CODE, 401, 403, 404, 429)]
    codes += [f"sdk:{number}" for number in (*range(48), -1, 504, 610, 613, 960)]
    for code in codes:
        [found] = explain(code)
        assert found.explanation.cause.endswith(".") and found.explanation.remedy.endswith("."), code
        assert found.explanation.source


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
