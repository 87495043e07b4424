"""Walk the chain to Zoom and back, link by link, up to the first that is broken."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from rtmsd.config import Config
from rtmsd.diagnosis import controller, reach
from rtmsd.diagnosis.arrivals import arrivals
from rtmsd.diagnosis.finding import Case, Finding
from rtmsd.diagnosis.mixups import credentials
from rtmsd.diagnosis.own_webhook import own_webhook
from rtmsd.runtime.clock import Clock

Check = Callable[[Case], Awaitable[Finding]]

CHECKS: tuple[Check, ...] = (
    reach.clock,
    reach.names,
    reach.encryption,
    own_webhook,
    controller.tokens,
    controller.scopes,
    arrivals,
    credentials,
)
"""In this order: each makes sense only when those before it are whole."""


async def examine(config: Config, *, tls: ssl.SSLContext, clock: Clock) -> AsyncIterator[Finding]:
    """Yield what each step finds; the last is the first that is broken, if any is. Nothing is changed anywhere."""
    yield Finding("config", "ok", _of_config(config))
    async with aiohttp.ClientSession() as session:
        case = Case(config=config, session=session, tls=tls, clock=clock)
        for check in CHECKS:
            finding = await check(case)
            yield finding
            if finding.state == "broken":
                return


def _of_config(config: Config) -> str:
    told = "The configuration is good."
    return " ".join([told, *(f"Warning: {warning}." for warning in config.warnings)])
