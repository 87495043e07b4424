"""Zoom's webhooks: signed, sent, and sent again when nobody took them (protocol.md §2)."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
import orjson

from rtmsd.errors import SimulatorError
from rtmsd.protocol.signature import validation_token, webhook_signature
from rtmsd.runtime.clock import Clock

_ANSWER_SECS = 3.0
_RETRY_SECS = (300.0, 1200.0, 3600.0)
_VALID_SECS = 72 * 3600.0
_WARN_AFTER, _DISABLE_AFTER = (2, 4), 6

WEBHOOK_PACE = 600.0
"""Nobody waits an hour for a retry: unless a scenario says how fast time goes, ten minutes are a second."""

OnWebhook = Callable[[Mapping[str, str], bytes], None]


class SendsWebhooks(Protocol):
    """What brings events to an app; see `Webhooks`."""

    async def send(
        self,
        event: str,
        event_ms: int,
        payload: Mapping[str, object],
        *,
        pace: float = ...,
        retry_refused: bool = ...,
    ) -> bool: ...


class Webhooks:
    """Signs webhooks and POSTs them to `url`, hands them to `on_webhook`, or both.

    Zoom tries again 5, then 20, then 60 minutes after a 5xx or a dead connection, and never after a 4xx. Every 72 h it
    validates the URL again; when that failed six times, nothing is sent there any more. All this is `pace` times
    faster here. A webhook that nobody took is told to `tell`.
    """

    def __init__(
        self,
        *,
        url: str | None,
        secret: str,
        clock: Clock,
        on_webhook: OnWebhook | None,
        tell: Callable[[str], None],
        pace: float = WEBHOOK_PACE,
    ) -> None:
        self.url = url
        self.disabled = False
        self._secret = secret
        self._clock = clock
        self._on_webhook = on_webhook
        self._tell = tell
        self._pace = pace

    @property
    def reach_somebody(self) -> bool:
        return self.url is not None or self._on_webhook is not None

    async def send(
        self,
        event: str,
        event_ms: int,
        payload: Mapping[str, object],
        *,
        pace: float = WEBHOOK_PACE,
        retry_refused: bool = False,
    ) -> bool:
        """Send one webhook; False when nobody took it. `retry_refused`: try again after a 3xx and 4xx, too.

        Cancelling abandons it.
        """
        body = event_body(event, event_ms, payload)
        headers = self._signed(body)
        if self._on_webhook:
            self._on_webhook(headers, body)
        if self.url is None:
            return True
        if self.disabled:
            self._tell(f"webhook {event}: not sent, the endpoint is disabled")
            return False
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECS)) as session:
            for pause_secs in (0.0, *_RETRY_SECS):
                await asyncio.sleep(pause_secs / pace)
                problem, again = await _post(session, self.url, headers, body)
                if problem is None:
                    return True
                if not (again or retry_refused):
                    break
        self._tell(
            f"webhook {event}: expected {self.url} to answer 200 or 204 within 3 s, {problem}; gave up"
        )
        return False

    async def validate(self) -> None:
        """Ask the endpoint to prove that it knows the secret, as Zoom does when a subscription is saved.

        Raises SimulatorError when it does not.
        """
        if self.url is None:
            return
        token = secrets.token_urlsafe(16)
        body = event_body("endpoint.url_validation", self._clock.wall_ms(), {"plainToken": token})
        expected = validation_token(secret=self._secret, plain_token=token)
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECS)) as session,
                session.post(self.url, data=body, headers=self._signed(body)) as answer,
            ):
                given = orjson.loads(await answer.read()) if answer.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            raise SimulatorError(
                f"URL validation: expected {self.url} to answer 200 with JSON within 3 s, got"
                f" {type(error).__name__}; is the receiver running?"
            ) from error
        proof = given.get("encryptedToken") if isinstance(given, dict) else None
        if not hmac.compare_digest(str(proof).encode(), expected.encode()):
            raise SimulatorError(
                f"URL validation: {self.url} did not answer with the encryptedToken that belongs to the webhook"
                " secret; give the receiver the secret that the simulator prints"
            )

    async def keep_validating(self) -> None:
        """Validate the URL every 72 h, warn, and disable it in the end; runs until cancelled."""
        failures = 0
        while not self.disabled:
            await asyncio.sleep(_VALID_SECS / self._pace)
            try:
                await self.validate()
            except SimulatorError as error:
                failures += 1
                self._tell(str(error))
                if failures in _WARN_AFTER:
                    self._tell(f"Zoom writes an e-mail: {failures} validations of {self.url} have failed")
                self.disabled = failures >= _DISABLE_AFTER
            else:
                failures = 0
        self._tell(f"Zoom sends no more webhooks to {self.url}: {failures} validations have failed")

    def _signed(self, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._clock.wall()))
        return {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Zoom Marketplace/1.0a",
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": webhook_signature(secret=self._secret, timestamp=timestamp, body=body),
            "x-zm-request-id": secrets.token_hex(16),
        }


def event_body(event: str, event_ms: int, payload: Mapping[str, object]) -> bytes:
    """Write an event as JSON, which is the same over webhooks and the event WebSocket."""
    return orjson.dumps({"event": event, "event_ts": event_ms, "payload": payload})


async def _post(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[str | None, bool]:
    """Give what went wrong, and whether Zoom would try again."""
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            if answer.status in (200, 204):
                return None, False
            return f"it answered {answer.status}", answer.status >= 500
    except TimeoutError:
        return "it did not answer", True
    except aiohttp.ClientError as error:
        return f"could not reach it ({type(error).__name__})", True


async def stopped(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
