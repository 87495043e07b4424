"""Credentials that cannot be right, or are probably another app's (protocol.md §1.6, §9.1 #2 and #3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rtmsd.config import AppConfig, Secret
from rtmsd.diagnosis.finding import Case, Finding
from rtmsd.errors import JournalError
from rtmsd.protocol.codes import StopReason
from rtmsd.state.past import read_journal
from rtmsd.state.rows import StreamRow

_ODD = {
    "\"'`“”‘’": "holds quotation marks, which no value of Zoom's has: take them out where it is stored",
    "<>{}[]…": "looks like a placeholder, not like a value of Zoom's: copy it from the app's page",
    ",;": "holds a comma or semicolon, which no value of Zoom's has: copy it again",
}


async def credentials(case: Case) -> Finding:
    """Look at the ids and secrets, and at what streams of the past tell of them."""
    apps = case.config.apps
    if problem := next(contradictions(apps), ""):
        return Finding("credentials", "broken", problem)
    streams: list[StreamRow] = []
    try:
        with read_journal(case.config.state_dir) as past:
            streams = past.streams()
    except JournalError:
        pass  # the step before has said so
    if problem := next(refused_streams(apps, streams), ""):
        return Finding("credentials", "broken", problem)
    return Finding(
        "credentials", "ok", " ".join(["Nothing is odd about them.", *shared_meetings(apps, streams)])
    )


def odd_text(value: str) -> str:
    """Say what is odd about an id or a secret of Zoom's, without showing it; empty when nothing is."""
    if any(character.isspace() for character in value):
        return "holds white space: copy it again"
    for characters, sentence in _ODD.items():
        if set(characters) & set(value):
            return sentence
    if not value.isascii():
        return "holds letters with accents or look-alikes: copy it again"
    return ""


def contradictions(apps: Sequence[AppConfig]) -> Iterator[str]:
    """Yield, in sentences, what cannot be right in the apps' ids and secrets."""
    seen: list[tuple[Secret, str]] = []
    ids = {app.client_id: f"client_id of app {app.name}" for app in apps}
    for app in apps:
        for key, value in _values(app):
            text = value.reveal() if isinstance(value, Secret) else value
            if what := odd_text(text):
                yield f"{key} of app {app.name} {what}."
        where = next((other for secret, other in seen if secret == app.client_secret), None)
        if where is not None:
            yield (
                f"client_secret of app {app.name} is the same as that of app {where}: each app, and each of its environments, has a "
                "pair of its own. Copy both again."
            )
        seen.append((app.client_secret, app.name))
        if app.manual is not None and app.manual.client_id in ids:
            yield (
                f"manual.client_id of app {app.name} is the {ids[app.manual.client_id]}: [apps.manual] needs a Server-to-Server OAuth "
                "app, which is another one."
            )


def _values(app: AppConfig) -> Iterator[tuple[str, str | Secret]]:
    yield "client_id", app.client_id
    yield "client_secret", app.client_secret
    for index, secret in enumerate(app.webhook_secrets):
        yield f"webhook_secrets[{index}]", secret
    if app.manual is not None:
        yield "manual.account_id", app.manual.account_id
        yield "manual.client_id", app.manual.client_id
        yield "manual.client_secret", app.manual.client_secret


def refused_streams(apps: Sequence[AppConfig], streams: Sequence[StreamRow]) -> Iterator[str]:
    """Yield the apps whose last stream was refused for its credentials. `streams` of the journal, newest first."""
    for app in apps:
        ended = (row for row in streams if row.info.app == app.name and row.ended_ms is not None)
        last = next(ended, None)
        if last is None or last.reason != StopReason.AUTHENTICATION_FAILURE:
            continue
        others = sorted(_apps_of(last.info.meeting_uuid, streams) - {app.name})
        both = (
            f" App {', '.join(others)} had a stream of that meeting too: are they two builds of one app?"
            if others
            else ""
        )
        yield (
            f"Zoom refused the credentials of app {app.name} for its last stream {last.info.stream_id} (stop reason 18). Its webhook was "
            "verified by a Secret Token of that app, so client_id and client_secret are of another app, or of its other environment "
            "(development or production): copy both from the page on which that Secret Token stands."
            f"{both}"
        )


def shared_meetings(apps: Sequence[AppConfig], streams: Sequence[StreamRow]) -> Iterator[str]:
    """Yield a warning when several apps of one account stream the same meeting for the same user, as two builds of one app do."""
    names = {app.name for app in apps}
    users: dict[tuple[str, str], set[str]] = {}
    for row in streams:
        users.setdefault((row.info.meeting_uuid, row.info.operator_id), set()).add(row.info.app)
    pairs = {tuple(sorted(found & names)) for (_, user), found in users.items() if user}
    for pair in sorted(pair for pair in pairs if len(pair) > 1):
        yield (
            f"Apps {' and '.join(pair)} have streamed the same meeting for the same user: if they are the development and the "
            "production build of one app, uninstall one of them, since both cost."
        )


def _apps_of(uuid: str, streams: Sequence[StreamRow]) -> set[str]:
    return {row.info.app for row in streams if row.info.meeting_uuid == uuid}
