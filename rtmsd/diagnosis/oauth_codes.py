"""What Zoom's token endpoint answers: its numbers, and the words of OAuth (protocol.md §3.1)."""

from __future__ import annotations

from rtmsd.diagnosis.codes import Explanation
from rtmsd.diagnosis.sources import OAUTH_ERRORS

_COPY = "Copy Client ID and Client Secret again from the app's page, as a pair, and look that the app is activated."
_AGAIN = "The user has to authorise the app again; put the new refresh token into the configuration."
_MANUAL = "`[apps.manual]` has to name a Server-to-Server OAuth app, not the RTMS app itself: look at its three values."
_REDIRECT = "Begin the authorisation again, with the redirect URL exactly as it stands on the app's page."
_BUG = "This is a fault of rtmsd or a change of Zoom's: please report it with the log."

_NUMBERS: dict[int, tuple[str, str, str]] = {
    4700: (
        "token empty, or no cause given",
        "The request had no token, or Zoom gives no cause. The API also says this when the token lacks a scope.",
        "Look for the scope that the message names; otherwise ask Zoom with the tracking id that stands in the log.",
    ),
    4702: ("invalid client", "Zoom does not know this client id with this client secret.", _COPY),
    4704: ("invalid client secret", "Zoom does not know this client id with this client secret.", _COPY),
    4705: ("grant type not supported", "The app cannot have tokens in the way that was asked for.", _MANUAL),
    4706: ("something is missing", "Client id, client secret or grant type was not in the request.", _BUG),
    4709: (
        "redirect mismatch",
        "The redirect URL of an authorisation is not the one that the app names.",
        _REDIRECT,
    ),
    4711: (
        "scopes do not match",
        "The token's scopes are not those of the app: somebody changed them after the app was authorised. The API also says "
        "this when the token lacks a scope, and names the scope.",
        "Add the scope that is named to the app, then let the account or user authorise it again.",
    ),
    4717: (
        "app disabled",
        "The app was disabled.",
        "Look at the app's page in the Marketplace, and ask Zoom why it was disabled.",
    ),
    4724: (
        "bad JWT",
        "The token is not one of Zoom's.",
        "Look at `oauth_url` and `api_url` in [zoom]: they must be of the same cloud.",
    ),
    4732: (
        "no code",
        "Zoom could not make a code for the authorisation.",
        "Try again; if it lasts, ask Zoom.",
    ),
    4733: ("code expired", "The code of an authorisation is older than five minutes.", _REDIRECT),
    4734: ("bad code", "The code of an authorisation is wrong, or was used before.", _REDIRECT),
    4735: ("owner gone", "The user whose token it is is no longer there.", _AGAIN),
    4737: ("not authorised", "Nobody has given this token an authorisation, or it was taken back.", _AGAIN),
    4738: (
        "disabled by an administrator",
        "An administrator of the account does not allow the app.",
        "Ask the account's administrator to allow it in the Marketplace (Manage, Apps on Account).",
    ),
    4740: (
        "refreshed too often",
        "The refresh token was used too often.",
        "See that no second program uses the same refresh token. " + _AGAIN,
    ),
    4741: (
        "revoked",
        "The token was revoked: the same user has authorised the app again since, somewhere else.",
        "Each authorisation ends the one before it: use one refresh token in one place. " + _AGAIN,
    ),
}
_WORDS: dict[str, tuple[str, str]] = {
    "unsupported_grant_type": (
        "Zoom does not take this app's credentials for a token of an account: the app is no Server-to-Server OAuth app, or "
        "`account_id` was missing.",
        _MANUAL,
    ),
    "invalid_client": ("Zoom does not know this client id with this client secret.", _COPY),
    "invalid_request": (
        "Zoom found the token request wrong: most often `account_id` is not that of the app's own account.",
        "Copy Account ID from the Server-to-Server app's page again.",
    ),
    "invalid_grant": (
        "Zoom does not take the refresh token any more: it was used, revoked, or is another app's.",
        _AGAIN,
    ),
}
_FIELD = {"unsupported_grant_type": f"{OAUTH_ERRORS}, and reported by developers"}

OAUTH_NUMBERS = {
    number: Explanation(number, name, cause, remedy, OAUTH_ERRORS)
    for number, (name, cause, remedy) in _NUMBERS.items()
}
OAUTH_WORDS = {
    word: Explanation(
        None, word, cause, remedy, _FIELD.get(word, "the words of OAuth 2.0, RFC 6749 section 5.2")
    )
    for word, (cause, remedy) in _WORDS.items()
}
