"""What somebody has seen, and what it means: Zoom's numbers, its own client's, the words of OAuth, and symptoms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rtmsd.diagnosis.api_codes import API_NUMBERS, WORDS, api_code
from rtmsd.diagnosis.codes import STATUS_CODES, STOP_REASONS, Explanation, status_code, stop_reason
from rtmsd.diagnosis.oauth_codes import OAUTH_NUMBERS, OAUTH_WORDS
from rtmsd.diagnosis.sdk_codes import SDK_NUMBERS, sdk_reason
from rtmsd.diagnosis.symptoms import SYMPTOMS, Symptom


@dataclass(frozen=True)
class Meaning:
    """One meaning of what was seen: `kind` is stop, status, api, oauth, sdk or symptom; `seen` only of symptoms."""

    kind: str
    explanation: Explanation
    seen: str = ""

    @property
    def key(self) -> str:
        """What to type for exactly this one."""
        one = self.explanation
        return f"{self.kind}:{one.name if one.number is None else one.number}"


def _symptom(one: Symptom) -> Meaning:
    return Meaning("symptom", Explanation(one.number, one.name, one.cause, one.remedy, one.source), one.seen)


_BY_NUMBER = {one.number: _symptom(one) for one in SYMPTOMS}

_CODES: Mapping[str, Callable[[int], Explanation | None]] = MappingProxyType(
    {
        "stop": STOP_REASONS.get,
        "status": STATUS_CODES.get,
        "api": api_code,
        "oauth": OAUTH_NUMBERS.get,
        "sdk": sdk_reason,
    },
)


def _named() -> Mapping[str, list[Meaning]]:
    """Give what every name means, in capitals; Zoom uses some for a stop reason and for a status."""
    names: dict[str, list[Meaning]] = {}
    tables = {
        "stop": STOP_REASONS.values(),
        "status": STATUS_CODES.values(),
        "api": WORDS.values(),
        "oauth": OAUTH_WORDS.values(),
    }
    for kind, table in tables.items():
        for one in table:
            names.setdefault(one.name.removeprefix("STOP_BC_").upper(), []).append(Meaning(kind, one))
    for meaning in _BY_NUMBER.values():
        names.setdefault(meaning.explanation.name.upper(), []).append(meaning)
    return MappingProxyType(names)


_NAMES = _named()


def explain(code: str) -> list[Meaning]:
    """Give every meaning of what somebody saw: `18`, `stop:18`, `api:2310`, `oauth:invalid_client`, `0x3c0`, `symptom:1`, a name.

    Hexadecimal numbers are the SDK's; a bare number is no symptom's, and the word `symptom` is all of them. Empty when it
    means nothing here; a stop reason or a status that is merely new is explained as that when its kind is said. Raises
    ValueError with a sentence when `code` has none of these forms.
    """
    text = code.strip().lower()
    if text == "symptom":
        return list(_BY_NUMBER.values())
    form = re.fullmatch(r"(?:(stop|status|api|oauth|sdk|symptom):)?(.*)", text, re.DOTALL)
    assert form is not None, "everything matches"
    kind, rest = form[1], form[2]
    named = _NAMES.get(rest.upper().removeprefix("STOP_BC_"), [])
    if found := [one for one in named if kind in (None, one.kind)]:
        return found
    if not re.fullmatch(r"0x[0-9a-f]{1,8}|-?[0-9]{1,9}", rest):
        raise ValueError(
            "expected a number, one with its kind (stop:18, status:3, api:2310, oauth:4711, sdk:960, symptom:1), or a name, got "
            f"{code[:60]!r}; rtmsd explain --list has all of them"
        )
    number = int(rest, 0) if rest.startswith("0x") else int(rest)
    if kind is None and rest.startswith("0x"):
        kind = "sdk"
    return _of_number(kind, number)


def _of_number(kind: str | None, number: int) -> list[Meaning]:
    if kind == "symptom":
        return [_BY_NUMBER[number]] if number in _BY_NUMBER else []
    if kind == "stop":
        return [Meaning("stop", stop_reason(number))]
    if kind == "status":
        return [Meaning("status", status_code(number))]
    codes = _CODES.items() if kind is None else [(kind, _CODES[kind])]
    return [Meaning(name, known) for name, code in codes if (known := code(number)) is not None]


def everything() -> list[Meaning]:
    """Give all there is to explain, kind by kind."""
    numbers = {
        "stop": STOP_REASONS,
        "status": STATUS_CODES,
        "api": API_NUMBERS,
        "oauth": OAUTH_NUMBERS,
        "sdk": SDK_NUMBERS,
        "symptom": _BY_NUMBER,
    }
    found = [one for kind, table in numbers.items() for number in table for one in _of_number(kind, number)]
    words = [one for named in _NAMES.values() for one in named if one.explanation.number is None]
    return sorted([*found, *words], key=lambda one: list(numbers).index(one.kind))
