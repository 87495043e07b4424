"""The connections of an engine that is somewhere else."""

from __future__ import annotations

from typing import Self

import aiohttp


class Connected:
    """Holds an aiohttp session from the entering of an engine to its leaving."""

    _http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No limit: each live session keeps a connection, and a meeting may have hundreds of speakers.
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._http is not None
        await self._http.close()
        self._http = None

    @property
    def http(self) -> aiohttp.ClientSession:
        assert self._http is not None, "an engine is entered before it is used"
        return self._http
