"""Any server with `POST /v1/audio/transcriptions`: OpenAI, Speaches, vLLM, LocalAI, Groq; whisper.cpp's /inference too.

The form and the answers: https://platform.openai.com/docs/api-reference/audio/createTranscription. Sound is cut at
silence into pieces of 30 s at most; the end of what was said before goes along as the prompt.
"""

from __future__ import annotations

import asyncio
import io
import os
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Literal

import aiohttp
import numpy as np
from msgspec import Meta

from rtmsd.api import Secret
from rtmsd_transcribe.engine import RATE, EngineLost, EngineRefused, EngineStalled, Heard
from rtmsd_transcribe.engines.address import check_address, host_of
from rtmsd_transcribe.engines.connections import Connected
from rtmsd_transcribe.engines.faults import http_fault
from rtmsd_transcribe.engines.openai_answer import error_code, understood
from rtmsd_transcribe.engines.pieces import Cutter, Piece, webrtc_speech
from rtmsd_transcribe.engines.piecewise import PieceSession, Sent

# How servers say that they do not know a field or a format.
_NOT_UNDERSTOOD = (400, 422)

# For the whole there is `answer_secs`.
_TIMES = aiohttp.ClientTimeout(total=None, sock_connect=10.0)

# An answer about 30 s of speech is some kilobytes.
_LARGEST_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class OpenAIOptions:
    """`url` is the whole address. `no_speech`: segments that are silence with more than this probability are dropped."""

    model: str = "whisper-1"
    key: Secret | None = None
    url: str = "https://api.openai.com/v1/audio/transcriptions"
    upload: Literal["flac", "wav"] = "flac"
    longest_secs: Annotated[float, Meta(ge=5, le=30)] = 30.0
    pause_secs: Annotated[float, Meta(ge=0.2, le=5)] = 0.6
    answer_secs: Annotated[float, Meta(ge=1, le=600)] = 45.0
    no_speech: Annotated[float, Meta(ge=0, le=1)] = 0.8

    def __post_init__(self) -> None:
        check_address(self.url, kind="http")
        if self.upload == "flac" and find_spec("soundfile") is None:
            raise ValueError(
                'upload = "flac" needs soundfile: pip install \'rtmsd[flac]\', or say upload = "wav"'
            )


class OpenAI(Connected):
    """The engine; see `engine.Engine`."""

    name = "openai"
    real_time_only = False
    options = OpenAIOptions

    def __init__(self, options: OpenAIOptions) -> None:
        self._options = options
        # gpt-4o-transcribe knows no verbose_json; other models are asked, and believed when they refuse it.
        self._verbose = not options.model.startswith("gpt-")
        self._verbose_works = self._works = False  # some piece got an answer so, or at all

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[PieceSession]:
        async def transcribe(piece: Piece, before: str, sent: Sent) -> list[Heard]:
            return await self._transcribe(piece, before, language.split("-")[0], sent)

        options = self._options
        cutter = Cutter(webrtc_speech(), longest_secs=options.longest_secs, pause_secs=options.pause_secs)
        yield PieceSession(transcribe, cutter)

    async def _transcribe(self, piece: Piece, before: str, language: str, sent: Sent) -> list[Heard]:
        encode = _flac if self._options.upload == "flac" else _wav
        sound = await asyncio.to_thread(encode, piece.pcm)

        async def posted(*, verbose: bool) -> tuple[int, bytes, str | None]:
            return await self._posted(self._form(sound, before, language, verbose=verbose), sent)

        verbose = self._verbose  # others may learn meanwhile that it has to be False
        status, body, retry_after = await posted(verbose=verbose)
        if status in _NOT_UNDERSTOOD and verbose and not self._verbose_works:
            verbose = False
            status, body, retry_after = await posted(verbose=False)
        if status != 200:
            raise self._fault(status, body, retry_after)
        self._works, self._verbose = True, verbose
        self._verbose_works |= verbose
        return understood(body, piece, no_speech=self._options.no_speech)

    def _fault(self, status: int, body: bytes, retry_after: str | None) -> EngineLost | EngineRefused:
        if status == 429 and error_code(body) == "insufficient_quota":
            return http_fault(self.name, 402)
        return http_fault(self.name, status, retry_after, works=self._works)

    async def _posted(self, form: aiohttp.FormData, sent: Sent) -> tuple[int, bytes, str | None]:
        options, gone_out = self._options, asyncio.Event()
        headers = {"Authorization": f"Bearer {options.key.reveal()}"} if options.key else {}

        def goes_out() -> None:
            gone_out.set()
            sent()

        try:
            async with (
                asyncio.timeout(options.answer_secs),
                self.http.post(
                    options.url,
                    data=form,
                    headers=headers,
                    allow_redirects=False,
                    timeout=_TIMES,
                    trace_request_ctx=goes_out,
                ) as answer,
            ):
                return answer.status, await _body(answer), answer.headers.get("Retry-After")
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            stalled = isinstance(error, TimeoutError) and gone_out.is_set()
            what = "did not answer in time" if stalled else "could not be reached"
            sentence = f"openai {what} at {host_of(options.url)}: {type(error).__name__}."
        # Outside of the handler: aiohttp's error may hold the request's headers.
        raise EngineStalled(sentence) if stalled else EngineLost(sentence)

    def _form(self, sound: bytes, before: str, language: str, *, verbose: bool) -> aiohttp.FormData:
        form = aiohttp.FormData()
        kind = self._options.upload
        form.add_field("file", sound, filename=f"piece.{kind}", content_type=f"audio/{kind}")
        form.add_field("model", self._options.model)
        form.add_field("language", language)
        form.add_field("temperature", "0")
        if before:
            form.add_field("prompt", before)
        form.add_field("response_format", "verbose_json" if verbose else "json")
        if verbose:
            form.add_field("timestamp_granularities[]", "segment")
            form.add_field("timestamp_granularities[]", "word")
        return form


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(body)


def _flac(pcm: bytes) -> bytes:
    import soundfile  # half a second to load; only who uploads FLAC needs it

    # A file in memory, not a BytesIO: for that soundfile would need callbacks made while running, which systemd's
    # MemoryDenyWriteExecute forbids.
    with open(os.memfd_create("piece"), "w+b") as file:
        samples = np.frombuffer(pcm, dtype="<i2")
        soundfile.write(file.fileno(), samples, RATE, format="FLAC", subtype="PCM_16", closefd=False)
        file.seek(0)
        return file.read()


def _wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        sound.writeframes(pcm)
    return file.getvalue()
