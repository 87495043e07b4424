"""Whether the hosts can be reached: names, connections, TLS; and what this machine's clock says beside Zoom's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from rtmsd.diagnosis.finding import Case, Finding

ANSWER_SECS = 10.0

CLOCK_SECS = 30.0
"""More is a problem: webhooks whose timestamp is 300 s off are refused (protocol.md §2.2), and clocks drift on."""

# OpenSSL's numbers (X509_V_ERR_…).
_NOT_YET, _EXPIRED = 9, 10
_OTHER_NAME = (62, 64)  # of a name, of an address
_UNKNOWN_ISSUER = (18, 19, 20, 21)


async def clock(case: Case) -> Finding:
    """Compare this machine's clock with the Date of an answer of Zoom's API."""
    before = case.clock.wall()
    try:
        headers = await _head(case, case.config.zoom.api_url, case.tls)
    except (aiohttp.ClientError, TimeoutError):
        return Finding("clock", "skipped", "Zoom's API does not answer, so that no clock can be compared.")
    middle = (before + case.clock.wall()) / 2
    theirs = None
    with contextlib.suppress(ValueError, TypeError):
        theirs = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    if theirs is None:
        return Finding("clock", "skipped", "The answer of Zoom's API has no date to compare with.")
    ahead = middle - theirs - 0.5  # a Date names the second that has begun
    if abs(ahead) <= CLOCK_SECS:
        return Finding(
            "clock", "ok", f"This machine's clock is within {max(1.0, abs(ahead)):.0f} s of Zoom's."
        )
    way = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "clock",
        "broken",
        f"This machine's clock is {abs(ahead):.0f} s {way} Zoom's. Webhooks whose time is more than 300 s off are refused, and "
        "everything is placed by that clock: set it, and let it be kept right (timedatectl set-ntp true).",
    )


async def names(case: Case) -> Finding:
    """Look every host up."""
    hosts = _hosts(case)
    for host, what in hosts.items():
        if problem := await _lookup(host):
            return Finding(
                "names",
                "broken",
                f"{host} ({what}) is not found: {problem}. Look at this machine's DNS (resolvectl query {host}), and at the name in "
                "the configuration.",
            )
    return Finding("names", "ok", f"Found: {', '.join(hosts)}.")


async def encryption(case: Case) -> Finding:
    """Connect to every host, over TLS wherever its address says https."""
    notes = []
    for what, url in _urls(case).items():
        host = URL(url).host or ""
        try:
            await _head(case, url, case.tls)
        except (aiohttp.ClientError, TimeoutError) as error:
            if what == _OWN and not_running(url, error):
                return Finding("tls", "broken", f"{host} ({what}): {NOT_RUNNING}")
            return Finding(
                "tls", "broken", f"{host} ({what}): {trouble(error)}. {_remedy(error, own=what == _OWN)}"
            )
        if what == _OWN and case.config.zoom.ca_file is not None and await _needs_ca_file(case, url):
            notes.append(
                f"{host} is trusted thanks to zoom.ca_file only, which Zoom does not have: its certificate must be signed by a public "
                "CA, unless a simulator is Zoom."
            )
    told = "All hosts answer, with certificates that are trusted."
    if any(URL(url).scheme == "http" for url in _urls(case).values()):
        told = "All hosts answer; what is http:// is on this machine."
    return Finding("tls", "ok", " ".join([told, *notes]))


def trouble(error: BaseException) -> str:
    """Say why no answer came, without a full stop; the text of the peer is not in it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        told = error.certificate_error
        reason = told.verify_message if isinstance(told, ssl.SSLCertVerificationError) else "not valid"
        return f"the TLS certificate is not accepted ({reason})"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not found"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed: the other end speaks none, or only versions before 1.2"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_SECS:.0f} s"
    return f"the connection broke off ({type(error).__name__})"


NOT_RUNNING = (
    "nobody listens there: is rtmsd running? Start it (rtmsd run), then run this again. If it runs, compare webhook.public_url with "
    "the address that it prints."
)


def not_running(url: str, error: BaseException) -> bool:
    """Whether `url` is this machine's own and nobody takes the connection: then no network or proxy is to blame."""
    if not isinstance(error, aiohttp.ClientConnectorError):
        return False
    refused = error.os_error.errno == errno.ECONNREFUSED
    return refused and URL(url).scheme == "http"  # the configuration allows that for loopback only


_OWN = "webhook.public_url"


def _urls(case: Case) -> dict[str, str]:
    zoom, own = case.config.zoom, case.config.webhook.public_url
    urls = {"zoom.oauth_url": zoom.oauth_url, "zoom.api_url": zoom.api_url}
    if any(app.events is not None for app in case.config.apps):
        urls["zoom.events_url"] = "http" + zoom.events_url.removeprefix("ws")  # of a WebSocket: wss as https
    return urls | ({_OWN: own} if own is not None else {})


def _hosts(case: Case) -> dict[str, str]:
    return {URL(url).host or "": what for what, url in _urls(case).items()}


async def _lookup(host: str) -> str:
    try:
        async with asyncio.timeout(ANSWER_SECS):
            await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        return trouble(error)
    except (OSError, UnicodeError) as error:
        return (error.strerror if isinstance(error, OSError) else None) or "no such name"
    return ""


async def _head(case: Case, url: str, tls: ssl.SSLContext) -> Mapping[str, str]:
    """Ask for nothing but headers; whatever the status is, somebody is there."""
    async with case.session.head(
        url, timeout=aiohttp.ClientTimeout(total=ANSWER_SECS), allow_redirects=False, ssl=tls
    ) as response:
        return response.headers


async def _needs_ca_file(case: Case, url: str) -> bool:
    try:
        await _head(case, url, ssl.create_default_context())
    except aiohttp.ClientConnectorCertificateError:
        return True
    except (aiohttp.ClientError, TimeoutError):
        pass  # whatever else is wrong, it is not the CA
    return False


def _remedy(error: BaseException, *, own: bool) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        told = error.certificate_error
        code = told.verify_code if isinstance(told, ssl.SSLCertVerificationError) else 0
        return _certificate_remedy(code, own=own)
    if own:
        return (
            "See that the proxy in front of rtmsd runs, listens there, and speaks TLS 1.2 or later. Where a network cannot reach its "
            "own public address, run this on a machine outside."
        )
    return "Let the firewall pass connections to port 443 of *.zoom.us; rtmsd uses no HTTP proxy."


def _certificate_remedy(code: int, *, own: bool) -> str:
    if code == _NOT_YET:
        return "Look at this machine's clock first; then at the date from which the certificate is valid."
    if code == _EXPIRED:
        return "Renew it." if own else "Look at this machine's clock: Zoom's certificates do not expire."
    if code in _OTHER_NAME:
        return (
            "The certificate must name this very host."
            if own
            else "Something else answers in Zoom's place: look at DNS, and for a proxy that opens TLS."
        )
    if code in _UNKNOWN_ISSUER and own:
        return (
            "It must be signed by a public CA, and the proxy must send the whole chain: the certificate and the intermediate ones "
            "(fullchain.pem with Let's Encrypt). Browsers hide that mistake, Zoom does not."
        )
    return (
        "Update this machine's CA certificates (package ca-certificates); if a proxy of your network opens TLS, name its CA in "
        "zoom.ca_file."
    )
