"""Whether Zoom gives the controller apps tokens, and whether these may do what the configuration wants (protocol.md §1.2, §3.1)."""

from __future__ import annotations

from rtmsd.config import AppConfig
from rtmsd.diagnosis.finding import Case, Finding
from rtmsd.diagnosis.mixups import odd_text
from rtmsd.zoom.oauth import TokenError, TokenSource, account_grant

# Granular ones first: those can be added to new apps. Any of them is enough.
_START = (
    "meeting:update:participant_rtms_app_status:admin",
    "meeting:update:participant_rtms_app_status",
    "meeting:write:admin",
    "meeting:write",
)
_LOOK_UP = ("meeting:read:meeting:admin", "meeting:read:meeting", "meeting:read:admin", "meeting:read")
_LIST = (
    "meeting:read:list_meetings:admin",
    "meeting:read:list_meetings",
    "meeting:read:admin",
    "meeting:read",
)


async def tokens(case: Case) -> Finding:
    """Fetch a token for every `[apps.manual]`; refresh tokens of hosts work once, so they are left alone."""
    hosts = sum(len(app.hosts) for app in case.config.apps)
    untouched = (
        f" {hosts} host{'s have' if hosts != 1 else ' has'} a refresh token, which is not tried: it works only once."
        if hosts
        else ""
    )
    controlled = [app for app in case.config.apps if app.manual is not None]
    if not controlled:
        return Finding(
            "token", "skipped", f"No app has [apps.manual], so that no token is needed.{untouched}"
        )
    for app in controlled:
        if problem := await _fetch(case, app):
            return Finding("token", "broken", f"[apps.manual] of app {app.name}: {problem}")
    names = ", ".join(app.name for app in controlled)
    return Finding("token", "ok", f"Zoom gives a token to [apps.manual] of {names}.{untouched}")


async def _fetch(case: Case, app: AppConfig) -> str:
    manual = app.manual
    assert manual is not None
    source = TokenSource(
        session=case.session,
        oauth_url=case.config.zoom.oauth_url,
        client_id=manual.client_id,
        client_secret=manual.client_secret,
        grant=account_grant(manual.account_id),
        clock=case.clock,
        tls=case.tls,
    )
    try:
        case.tokens[app.name] = await source.token()
    except TokenError as error:
        values = {
            "account_id": manual.account_id,
            "client_id": manual.client_id,
            "client_secret": manual.client_secret.reveal(),
        }
        odd = [f"{key} {what}." for key, value in values.items() if (what := odd_text(value))]
        return " ".join([str(error), *odd])
    finally:
        await source.close()
    return ""


async def scopes(case: Case) -> Finding:
    """Compare what the tokens may do with what will be asked."""
    if not case.tokens:
        return Finding("scopes", "skipped", "There is no token whose scopes could be looked at.")
    notes = []
    for name, token in case.tokens.items():
        if not token.scopes:
            notes.append(f"Zoom does not say which scopes [apps.manual] of app {name} has.")
            continue
        if not token.scopes.intersection(_START):
            return Finding(
                "scopes",
                "broken",
                f"[apps.manual] of app {name} may not start the app: add the scope {_START[0]} to the Server-to-Server app, in the "
                "Marketplace under Scopes, and activate it again.",
            )
        missing = [needed[0] for needed in (_LOOK_UP, _LIST) if not token.scopes.intersection(needed)]
        if missing:
            notes.append(
                f"[apps.manual] of app {name} may start, but lacks {' and '.join(missing)}: meetings that no event told of, such as "
                "those that began while rtmsd was down, are not found."
            )
    return Finding("scopes", "ok", " ".join(["Whoever starts may do so.", *notes]))
