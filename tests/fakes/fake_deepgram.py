"""Deepgram's live service, with its rules: key, query, text keep-alives, and the hang-up after 10 s of nothing."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web
from coded_speech import CodedWord
from fake_service import ENDED, KEY, FakeLiveService, Session, dropped, used_up

IDLE_SECS = 10.0
_NEEDED = {"encoding": "linear16", "sample_rate": "16000", "channels": "1"}
_ENDPOINTING_SECS, _FINAL_SECS = 0.3, 3.0


class FakeDeepgram(FakeLiveService):
    path = "/v1/listen"

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Token {KEY}":
            return web.Response(status=401)
        if any(request.query.get(name) != value for name, value in _NEEDED.items()):
            return web.Response(status=400)
        return None if request.query.get("model") else web.Response(status=400)

    async def _converse(self, request: web.Request, socket: web.WebSocketResponse, session: Session) -> None:
        drop = used_up(self.faults.drop_after_secs)
        while True:
            try:
                async with asyncio.timeout(IDLE_SECS):
                    message = await socket.receive()
            except TimeoutError:
                return await self.close(socket, session, 1011, "NET-0001")
            if message.type in ENDED:
                return None
            if message.type is WSMsgType.BINARY:
                if not message.data or len(message.data) % 2:
                    return await self.close(socket, session, 1008, "DATA-0000")
                session.ear.hear(message.data)
                if dropped(request, session, drop):
                    return None
                await self._answer(socket, session)
            elif await self._control(socket, session, json.loads(message.data)["type"]):
                return None

    async def _control(self, socket: web.WebSocketResponse, session: Session, kind: str) -> bool:
        """Do what a text asks for; true at the end."""
        if kind == "KeepAlive":
            session.keep_alives += 1
            return False
        session.ear.end()
        await self._results(socket, session, final=True, speech_final=kind == "CloseStream")
        if kind != "CloseStream":
            return False
        session.said_goodbye = True
        await self.say(socket, {"type": "Metadata", "duration": session.secs, "channels": 1})
        if not self.faults.mute:
            await socket.close(code=1000)
        return not self.faults.mute

    async def _answer(self, socket: web.WebSocketResponse, session: Session) -> None:
        waiting = session.ear.words[session.words_given :]
        if not waiting:
            return
        if session.ear.quiet_secs >= _ENDPOINTING_SECS:
            await self._results(socket, session, final=True, speech_final=True)
        elif session.secs - waiting[0].start_secs >= _FINAL_SECS:
            await self._results(socket, session, final=True, speech_final=False)
        else:
            await self._results(socket, session, final=False, speech_final=False)

    async def _results(
        self, socket: web.WebSocketResponse, session: Session, *, final: bool, speech_final: bool
    ) -> None:
        words = session.ear.words[session.words_given :]
        session.words_given += len(words) if final else 0
        start = words[0].start_secs if words else session.secs
        await self.say(
            socket,
            {
                "type": "Results",
                "channel_index": [0, 1],
                "start": start,
                "duration": session.secs - start,
                "is_final": final,
                "speech_final": speech_final,
                "channel": {"alternatives": [_alternative(words)]},
            },
        )


def _alternative(words: list[CodedWord]) -> dict[str, object]:
    return {
        "transcript": " ".join(word.text for word in words),
        "confidence": 0.9,
        "words": [
            {
                "word": word.text,
                "punctuated_word": word.text,
                "start": word.start_secs,
                "end": word.end_secs,
                "confidence": 0.9,
            }
            for word in words
        ],
    }
