"""What a controller does with curl: it asks for a token, and calls the API."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp


class Curl:
    """Knows where Zoom's tokens and its API are, and whom to trust."""

    def __init__(
        self, session: aiohttp.ClientSession, *, ca_file: Path | str, oauth_url: str, api_url: str
    ) -> None:
        self.session, self.oauth_url, self.api_url = session, oauth_url, api_url
        self.tls = ssl.create_default_context(cafile=str(ca_file))

    async def token(self, client_id: str, client_secret: str, **asked: str) -> str:
        headers = {"Authorization": aiohttp.encode_basic_auth(client_id, client_secret)}
        async with self.session.post(self.oauth_url, params=asked, headers=headers, ssl=self.tls) as answer:
            assert answer.status == 200
            return str((await answer.json())["access_token"])

    async def app(self, token: str, number: int, action: str, **settings: str) -> tuple[int, str]:
        """Start an app in a meeting, or stop, pause or resume it; gives status and text of the answer."""
        async with self.session.patch(
            f"{self.api_url}/live_meetings/{number}/rtms_app/status",
            json={"action": action, "settings": settings},
            headers={"Authorization": f"Bearer {token}"},
            ssl=self.tls,
        ) as answer:
            return answer.status, await answer.text()
