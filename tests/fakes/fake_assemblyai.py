"""AssemblyAI's streaming service, version 3, with its rules: pieces of 50 to 1000 ms, real time, a session's lifetime."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web
from coded_speech import RATE, CodedWord
from fake_service import ENDED, KEY, FakeLiveService, Session, dropped, used_up

_NEEDED = {"encoding": "pcm_s16le", "sample_rate": "16000"}
_END_OF_TURN_SECS = 0.4
_AHEAD_SECS = 1.0  # more than that and sound came faster than real time
_LIFETIME_SECS = 3 * 3600.0


class FakeAssemblyAI(FakeLiveService):
    path = "/v3/ws"

    async def _converse(self, request: web.Request, socket: web.WebSocketResponse, session: Session) -> None:
        if request.headers.get("Authorization") != KEY:
            return await self._fault(socket, session, 1008, "Not authorized")
        if any(request.query.get(name) != value for name, value in _NEEDED.items()):
            return await self._fault(socket, session, 3006, "Invalid query")
        if not request.query.get("speech_model"):
            return await self._fault(socket, session, 3006, "speech_model is missing")
        await self.say(socket, {"type": "Begin", "id": "1", "expires_at": 0})
        lifetime = used_up(self.faults.lifetime_secs) or _LIFETIME_SECS
        try:
            async with asyncio.timeout(lifetime):
                await self._listen(request, socket, session)
        except TimeoutError:
            await self._fault(socket, session, 3008, "Session expired")

    async def _listen(self, request: web.Request, socket: web.WebSocketResponse, session: Session) -> None:
        loop = asyncio.get_running_loop()
        began, turn = loop.time(), 0
        drop = used_up(self.faults.drop_after_secs)
        while (message := await socket.receive()).type not in ENDED:
            if message.type is WSMsgType.TEXT:
                if json.loads(message.data)["type"] == "Terminate":
                    return await self._terminate(socket, session, turn)
                return await self._fault(socket, session, 3006, "Invalid message")
            secs = len(message.data) / 2 / RATE
            if not 0.05 <= secs <= 1.0 or session.secs + secs > loop.time() - began + _AHEAD_SECS:
                return await self._fault(socket, session, 3007, "Input duration, or faster than real time")
            session.ear.hear(message.data)
            if dropped(request, session, drop):
                return None
            turn = await self._answer(socket, session, turn)
        return None

    async def _answer(self, socket: web.WebSocketResponse, session: Session, turn: int) -> int:
        words = session.ear.words[session.words_given :]
        if not words:
            return turn
        if session.ear.quiet_secs < _END_OF_TURN_SECS:
            await self.say(socket, _turn(turn, words, ended=False, formatted=False))
            return turn
        session.words_given += len(words)
        await self.say(socket, _turn(turn, words, ended=True, formatted=False))
        await self.say(socket, _turn(turn, words, ended=True, formatted=True))
        return turn + 1

    async def _terminate(self, socket: web.WebSocketResponse, session: Session, turn: int) -> None:
        session.said_goodbye = True
        session.ear.end()
        words = session.ear.words[session.words_given :]
        if words:
            # There is no time left to format the last turn.
            await self.say(socket, _turn(turn, words, ended=True, formatted=False))
        await self.say(socket, {"type": "Termination", "audio_duration_seconds": round(session.secs)})
        if not self.faults.mute:
            await socket.close(code=1000)
        else:
            await socket.receive()

    async def _fault(self, socket: web.WebSocketResponse, session: Session, code: int, why: str) -> None:
        await self.say(socket, {"type": "Error", "error_code": code, "error": why})
        await self.close(socket, session, code, why)


def _turn(order: int, words: list[CodedWord], *, ended: bool, formatted: bool) -> dict[str, object]:
    text = " ".join(word.text for word in words)
    return {
        "type": "Turn",
        "turn_order": order,
        "turn_is_formatted": formatted,
        "end_of_turn": ended,
        "transcript": f"{text.capitalize()}." if formatted else text,
        "end_of_turn_confidence": 0.8,
        "words": [
            {
                "text": word.text,
                "start": round(word.start_secs * 1000),
                "end": round(word.end_secs * 1000),
                "confidence": 0.9,
                "word_is_final": ended,
            }
            for word in words
        ],
    }
