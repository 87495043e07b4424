"""How an app's streams begin: what `start`, `[apps.manual]`, `[apps.only]` and the rest must fit together as."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rtmsd.config.model import AppConfig, ExpectedConfig, ManualConfig, OnlyConfig
from rtmsd.config.walk import BAD, Table

_NUMBER = re.compile(r"[0-9]{9,20}")


def read_only(app: Table) -> Any:
    """Read the table `only` of an app; return an OnlyConfig, or BAD."""
    table = app.table("only")
    meetings = table.take("meetings", tuple[str | int, ...], ())
    if meetings is not BAD:
        meetings = tuple(_number(table, f"meetings[{index}]", one) for index, one in enumerate(meetings))
    only: OnlyConfig = table.fill(OnlyConfig, meetings=meetings)
    table.finish()
    if only is not BAD:
        for key in ("hosts", "operators", "accounts", "topics"):
            _check_texts(table, key, getattr(only, key))
    return only


def read_expected(app: Table) -> Any:
    """Read the tables `expected` of an app; return ExpectedConfigs, or BAD."""
    found = []
    for table in app.tables("expected"):
        meeting = table.take("meeting", str | int)
        if meeting is not BAD:
            meeting = _number(table, "meeting", meeting)
        one: ExpectedConfig = table.fill(ExpectedConfig, meeting=meeting)
        table.finish()
        if one is not BAD and one.at.tzinfo is None:
            table.problem("at", "expected a time with its offset, such as 2026-11-23T10:00:00Z or …+01:00")
        found.append(one)
    return BAD if BAD in found else tuple(found)


def check_start(table: Table, app: AppConfig) -> None:
    """Report what does not go together."""
    for key, sentence in _contradictions(app):
        table.problem(key, sentence)


def _contradictions(app: AppConfig) -> Iterator[tuple[str, str]]:
    manual = app.manual
    if app.start == "manual" and manual is None and not app.hosts:
        yield (
            "start",
            '"manual" needs somebody who may ask Zoom to start: [apps.manual] with a Server-to-Server OAuth app, or '
            "[[apps.hosts]] with hosts who have authorised this app",
        )
    if app.only.refused == "stop" and manual is None and not app.hosts:
        yield "only.refused", '"stop" asks Zoom, which needs [apps.manual] or [[apps.hosts]]; use "leave"'
    if app.events is not None and app.events.owner == "manual" and manual is None:
        yield "events.owner", '"manual" needs [apps.manual]; use "app"'
    if manual is not None:
        yield from _wrong_controller(app, manual)
    ids = [one.user_id for one in app.hosts]
    for index, user_id in enumerate(ids):
        if not user_id.strip() or user_id == "me":
            yield (
                f"hosts[{index}].user_id",
                "expected the host's Zoom user id, such as 30R7kT7bTIKSNUFEuH_Qlg",
            )
        elif user_id in ids[:index]:
            yield f"hosts[{index}].user_id", f'"{user_id}" stands here twice'


def _wrong_controller(app: AppConfig, manual: ManualConfig) -> Iterator[tuple[str, str]]:
    for key in ("account_id", "client_id"):
        value = getattr(manual, key)
        if not value or any(character.isspace() for character in value):
            yield (
                f"manual.{key}",
                "is empty or holds white space; copy it again from the controller app's page",
            )
    if manual.client_id == app.client_id:
        yield (
            "manual.client_id",
            "is the same as client_id; the RTMS app cannot get tokens of an account: make a Server-to-Server OAuth app "
            "beside it and name that one here",
        )
    elif manual.client_secret == app.client_secret:
        yield "manual.client_secret", "is the same as client_secret; each app has its own"


def _number(table: Table, key: str, value: str | int) -> str:
    number = re.sub(r"[\s-]", "", str(value))
    if not _NUMBER.fullmatch(number):
        table.problem(key, f'expected a meeting number, such as "857 4606 5432", got "{str(value)[:60]}"')
    return number


def _check_texts(table: Table, key: str, values: tuple[str, ...]) -> None:
    for index, value in enumerate(values):
        if not value.strip():
            table.problem(f"{key}[{index}]", "is empty; leave it out")
