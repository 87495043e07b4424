"""A Vosk server, with its rules: 8000 Hz unless told, one answer per piece, the goodbye compared letter by letter."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMessage, WSMsgType, web
from coded_speech import Ear
from fake_service import ENDED, FakeLiveService, Session, dropped, used_up

_PAUSE_SECS = 0.5


class FakeVosk(FakeLiveService):
    """`most_waiting`: the most pieces that ever waited for their answer."""

    most_waiting = 0

    async def _converse(self, request: web.Request, socket: web.WebSocketResponse, session: Session) -> None:
        session.ear = Ear(8000)
        drop = used_up(self.faults.drop_after_secs)
        inbox: asyncio.Queue[WSMessage] = asyncio.Queue()
        reading = asyncio.create_task(_read(socket, inbox))
        try:
            while (message := await inbox.get()).type not in ENDED:
                # The one that is being answered counts too.
                self.most_waiting = max(self.most_waiting, inbox.qsize() + 1)
                if await self._took(socket, session, message) or dropped(request, session, drop):
                    return
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _took(self, socket: web.WebSocketResponse, session: Session, message: WSMessage) -> bool:
        """Answer a message; true at the end."""
        if message.type is WSMsgType.BINARY:
            session.ear.hear(message.data)
            await self._answer(socket, session, final=session.ear.quiet_secs >= _PAUSE_SECS)
            return False
        if "config" in message.data:
            assert session.secs == 0, "the configuration comes first"
            session.ear = Ear(int(json.loads(message.data)["config"].get("sample_rate", 8000)))
            return False
        if message.data != '{"eof" : 1}':
            # The real server takes any other text for sound and breaks.
            await self.close(socket, session, 1011)
            return True
        session.said_goodbye = True
        session.ear.end()
        await self._answer(socket, session, final=True)
        if not self.faults.mute:
            await socket.close()
        return not self.faults.mute

    async def _answer(self, socket: web.WebSocketResponse, session: Session, *, final: bool) -> None:
        words = session.ear.words[session.words_given :]
        text = " ".join(word.text for word in words)
        if not final:
            return await self.say(socket, {"partial": text})
        session.words_given += len(words)
        if not words:
            return await self.say(socket, {"text": ""})
        result = [
            {"conf": 0.9, "start": word.start_secs, "end": word.end_secs, "word": word.text} for word in words
        ]
        return await self.say(socket, {"result": result, "text": text})


async def _read(socket: web.WebSocketResponse, inbox: asyncio.Queue[WSMessage]) -> None:
    while True:
        message = await socket.receive()
        inbox.put_nowait(message)
        if message.type in ENDED:
            return
