"""`rtmsd tap`: what the running daemon hears, on this program's output."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import aiohttp
from yarl import URL

from rtmsd.config import AdminConfig, UnixListen
from rtmsd.config.document import read_document
from rtmsd.config.walk import BAD, Surroundings, Table
from rtmsd.errors import ConfigError, RtmsdError

_CONNECT_SECS = 10.0
_LONGEST_SENTENCE = 4096
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to go, not where to listen


def read_admin(path: Path, *, environ: Mapping[str, str]) -> AdminConfig:
    """Read `[admin]` alone: the rest may need secrets that whoever asks does not have. Raises ConfigError."""
    problems: list[str] = []
    surroundings = Surroundings(environ=environ, base=path.absolute().parent)
    root = Table(read_document(path), path="", problems=problems, surroundings=surroundings)
    table = root.table("admin")
    admin = table.fill(AdminConfig)
    table.finish()
    if problems or admin is BAD:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    assert isinstance(admin, AdminConfig)
    return admin


async def run_tap(admin: AdminConfig, query: Mapping[str, str], *, out: BinaryIO) -> None:
    """Write what the daemon answers to `out`, which is not buffered, until the stream ends.

    Whoever reads may stop at any time. Raises RtmsdError with the daemon's sentence when it refuses, or when it is not there
    or goes away.
    """
    url, connector = _where(admin)
    headers = {"Authorization": f"Bearer {admin.token.reveal()}"} if admin.token is not None else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
            session.get(url.with_query(query), allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise RtmsdError(await _refusal(answer))
            async for data in answer.content.iter_any():
                _write(out, data)
    except BrokenPipeError:
        return  # who reads has enough
    except (aiohttp.ClientConnectorError, TimeoutError) as error:
        # asyncio's own text repeats the address; the number of a name that cannot be resolved is below zero.
        number = getattr(error, "errno", None) or 0
        why = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or "it does not answer"
        raise RtmsdError(
            f"no daemon is reached at {admin.listen} ({why}); start it, or name its configuration with -c"
        ) from error
    except aiohttp.ClientError as error:
        raise RtmsdError(
            "the daemon broke off before the stream's end: it was stopped, this program took nothing for a minute, or Zoom "
            "sends another form of sound now; run it again"
        ) from error


def _where(admin: AdminConfig) -> tuple[URL, aiohttp.BaseConnector]:
    listen = admin.listen
    if isinstance(listen, UnixListen):
        return URL("http://localhost/tap"), aiohttp.UnixConnector(str(listen.path))
    if listen.port == 0:
        raise RtmsdError(
            f"the configuration lets the system choose the admin port ({listen}): write one to tap it"
        )
    host = _EVERYWHERE.get(listen.host, listen.host)
    return URL.build(scheme="http", host=host, port=listen.port, path="/tap"), aiohttp.TCPConnector()


async def _refusal(answer: aiohttp.ClientResponse) -> str:
    said = (await answer.content.read(_LONGEST_SENTENCE)).decode("utf-8", "replace").strip()
    if answer.status == 401:
        return "the daemon has another admin token than this configuration; give the one that it runs with"
    if answer.content_type != "text/plain" or not said:
        return f"expected rtmsd at {answer.host}, and something else answered (status {answer.status})"
    return said


def _write(out: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(out.fileno(), view) :]
