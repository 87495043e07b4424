"""What must not stand twice in a configuration: names, client ids, webhook secrets."""

from __future__ import annotations

import re
from typing import Any

from rtmsd.config.model import ManualConfig
from rtmsd.config.secrets import Secret
from rtmsd.config.walk import BAD, REQUIRED, Table

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Names:
    """Take the `name` of each table: safe in paths, and not twice."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.seen: list[str] = []

    def take(self, table: Table) -> Any:
        name = table.take("name", str, REQUIRED)
        if name is BAD:
            return BAD
        if not _NAME.fullmatch(name):
            table.problem(
                "name",
                f'expected up to 64 of a-z, 0-9, "-" and "_", beginning with a letter or digit, got "{name}"',
            )
        elif name in self.seen:
            table.problem(
                "name",
                f'there is already {"an" if self._what == "app" else "a"} {self._what} "{name}"; names are unique',
            )
        else:
            self.seen.append(name)
        return name


class Once:
    """What must not stand twice: the webhook secret that fits names the app, whose client id then signs."""

    def __init__(self) -> None:
        self._client_ids: dict[str, str] = {}
        self._webhook_secrets: list[tuple[Secret, str]] = []

    def check(self, table: Table, client_id: Any, client_secret: Any, webhook_secrets: Any) -> None:
        if client_id is not BAD:
            self._client_id(table, client_id)
        if webhook_secrets is BAD:
            return
        if not webhook_secrets:
            table.problem(
                "webhook_secrets",
                "names no secret; expected the Secret Token of the app's event subscription",
            )
        self._secrets(table, "webhook_secrets", client_secret, webhook_secrets)

    def check_controller(self, table: Table, manual: ManualConfig | None) -> None:
        """Check the event subscription of a controller app, which has a Secret Token of its own."""
        if manual is not None:
            self._secrets(table, "manual.webhook_secrets", manual.client_secret, manual.webhook_secrets)

    def _secrets(self, table: Table, name: str, client_secret: Any, secrets: tuple[Secret, ...]) -> None:
        for index, secret in enumerate(secrets):
            key = f"{name}[{index}]"
            where = next((path for other, path in self._webhook_secrets if other == secret), None)
            if where is not None:
                table.problem(key, f"is the same as {where}; each app and each rotation has its own")
            if client_secret is not BAD and secret == client_secret:
                table.problem(
                    key,
                    "is the same as client_secret; one is the app's Client Secret, the other the Secret Token "
                    "of its event subscription",
                )
            self._webhook_secrets.append((secret, table.at(key)))

    def _client_id(self, table: Table, client_id: str) -> None:
        if not client_id or any(character.isspace() for character in client_id):
            table.problem("client_id", "is empty or holds white space; copy it again from the app's page")
        elif client_id in self._client_ids:
            table.problem(
                "client_id", f"is the same as {self._client_ids[client_id]}; one app stands here once"
            )
        else:
            self._client_ids[client_id] = table.at("client_id")
