"""A server with `POST /v1/audio/transcriptions`, with the rules of its form."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field

import soundfile
from aiohttp import web
from coded_speech import RATE, CodedWord, Ear
from fake_service import KEY, FakeService, Faults

_LARGEST_BYTES = 25 * 2**20


@dataclass
class Upload:
    """One request: its fields, and how much sound was in it."""

    secs: float
    fields: dict[str, list[str]] = field(default_factory=dict)

    def one(self, name: str) -> str | None:
        values = self.fields.get(name, [])
        assert len(values) < 2, f"{name} came twice"
        return values[0] if values else None


class FakeOpenAI(FakeService):
    """`only_json`: knows no other format. `times`: "segments", "words", "none", or "zero" as some servers have it.

    `got`: every request with sound that came, `answered`: those of them that got a transcript.
    """

    path = "/v1/audio/transcriptions"

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        only_json: bool = False,
        times: str = "segments",
        ghosts: bool = False,
    ) -> None:
        super().__init__(faults)
        self.only_json = only_json
        self.times = times
        self.ghosts = ghosts  # makes up words where there is silence, and says that it is
        self.quota_used_up = False
        self.got: list[Upload] = []
        self.answered: list[Upload] = []

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        upload = Upload(0.0)
        ear = await _read_form(request, upload)
        if isinstance(ear, Ear):
            self.got.append(upload)
        failing = self._failing()
        if failing is not None:
            return failing
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _error(401, "invalid_api_key")
        if self.quota_used_up:
            return _error(429, "insufficient_quota")
        if isinstance(ear, web.Response):
            return ear
        await asyncio.sleep(self.faults.slow_secs)
        verbose = upload.one("response_format") == "verbose_json"
        if verbose and self.only_json:
            return _error(400, "unsupported_value")
        if not verbose and "timestamp_granularities[]" in upload.fields:
            return _error(400, "invalid_value")
        self.answered.append(upload)
        return web.json_response(self._transcript(ear, verbose=verbose))

    def _transcript(self, ear: Ear, *, verbose: bool) -> dict[str, object]:
        text = " ".join(word.text for word in ear.words)
        if not verbose:
            return {"text": text}
        answer: dict[str, object] = {"task": "transcribe", "duration": ear.secs, "text": text}
        if self.times in ("segments", "zero"):
            segments = [_segment(ear.words, zero=self.times == "zero")] if ear.words else []
            ghost = {
                "text": "Thank you.",
                "start": 0.0,
                "end": 0.1,
                "no_speech_prob": 0.97,
                "avg_logprob": -0.3,
            }
            answer["segments"] = [*([ghost] if self.ghosts else []), *segments]
        if self.times in ("segments", "words"):
            answer["words"] = [
                {"word": word.text, "start": word.start_secs, "end": word.end_secs} for word in ear.words
            ]
        return answer


def _segment(words: list[CodedWord], *, zero: bool) -> dict[str, object]:
    return {
        "id": 0,
        "text": " " + " ".join(word.text for word in words),
        "start": 0.0 if zero else max(words[0].start_secs - 0.1, 0.0),
        "end": 0.0 if zero else words[-1].end_secs + 0.1,
        "avg_logprob": -0.2,
        "no_speech_prob": 0.01,
    }


async def _read_form(request: web.Request, upload: Upload) -> Ear | web.Response:
    ear: Ear | None = None
    async for part in await request.multipart():
        assert part.name
        if part.name != "file":
            upload.fields.setdefault(part.name, []).append(await part.text())
            continue
        data = await part.read()
        if not part.filename or not part.headers.get("Content-Type", "").startswith("audio/"):
            return _error(400, "invalid_file_format")
        if len(data) > _LARGEST_BYTES:
            return _error(413, "too_large")
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
        assert (rate, samples.shape[1]) == (RATE, 1)
        ear = Ear()
        ear.hear(samples.tobytes())
        ear.end()
        upload.secs = ear.secs
    if ear is None or ear.secs < 0.1 or not upload.one("model"):
        return _error(400, "missing_or_too_short")
    return ear


def _error(status: int, code: str) -> web.Response:
    return web.json_response({"error": {"message": "…", "type": "error", "code": code}}, status=status)
