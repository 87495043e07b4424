"""The connections of an engine that is somewhere else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Self

import aiohttp


class Connected:
    """Holds an aiohttp session from the entering of an engine to its leaving.

    A request with a function as its `trace_request_ctx` has it called when it goes out: there is a connection then.
    """

    _http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No limit: each live session keeps a connection, and a meeting may have hundreds of speakers.
        connector = aiohttp.TCPConnector(limit=0)
        self._http = aiohttp.ClientSession(connector=connector, trace_configs=[_goes_out()])
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._http is not None
        await self._http.close()
        self._http = None

    @property
    def http(self) -> aiohttp.ClientSession:
        assert self._http is not None, "an engine is entered before it is used"
        return self._http


def _goes_out() -> aiohttp.TraceConfig:
    async def tell(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(tell)
    return trace
