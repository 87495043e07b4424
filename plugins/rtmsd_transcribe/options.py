"""The options of the transcription sink, and what goes together."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Annotated, Literal

from msgspec import Meta

from rtmsd.api import Secret
from rtmsd_transcribe.choice import find_class
from rtmsd_transcribe.engines import ENGINES
from rtmsd_transcribe.engines.assemblyai import AssemblyAIOptions
from rtmsd_transcribe.engines.deepgram import DeepgramOptions
from rtmsd_transcribe.engines.openai import OpenAIOptions
from rtmsd_transcribe.engines.pocketsphinx import PocketSphinxOptions
from rtmsd_transcribe.engines.vosk import VoskOptions
from rtmsd_transcribe.engines.whisper import WhisperOptions

_LIBRARIES = ("webrtcvad", "soxr")


@dataclass(frozen=True, kw_only=True)
class TranscribeOptions:
    """The keys of `[[sinks]]` with `type = "transcribe"`.

    `engines`: who transcribes, the first that works; the next takes over when it breaks. Each has its own table, such as
    `[sinks.deepgram]`; "module:Class" names somebody else's, which is made with `arguments`, and `secret` if there is one.
    `language`: a tag such as "en". `silence_secs`: a pause this long ends a speaker's session. `backlog`: what becomes of
    sound that came faster than it is spoken, as after a lost connection: "send" it at once, "pace" it, "skip" what is
    older than some seconds. `max_seconds_per_day`: how much sound is sent in a day (UTC), all engines together; 0: all
    there is. `interim`: publish also what is not final yet. `beside_zoom`: whether Zoom is asked for its transcript too.
    """

    engines: Annotated[tuple[str, ...], Meta(min_length=1)]
    language: str = "en"
    silence_secs: Annotated[float, Meta(ge=0.3, le=60)] = 3.0
    backlog: Literal["send", "skip", "pace"] = "send"
    max_seconds_per_day: Annotated[float, Meta(ge=0)] = 0
    interim: bool = False
    beside_zoom: bool = True
    openai: OpenAIOptions | None = None
    deepgram: DeepgramOptions | None = None
    assemblyai: AssemblyAIOptions | None = None
    vosk: VoskOptions | None = None
    whisper: WhisperOptions | None = None
    pocketsphinx: PocketSphinxOptions | None = None
    arguments: dict[str, bool | int | float | str] = field(default_factory=dict)
    secret: Secret | None = None

    def __post_init__(self) -> None:
        for library in _LIBRARIES:
            if find_spec(library) is None:
                raise ValueError(
                    f'transcription needs the library {library}, which is not installed: pip install "rtmsd[transcribe]"'
                )
        if not self.engines:
            raise ValueError(f"engines must name who transcribes, such as {', '.join(ENGINES)}, and is empty")
        if len(set(self.engines)) < len(self.engines):
            raise ValueError("engines names one of them twice")
        for name in self.engines:
            self._check(name)

    def _check(self, name: str) -> None:
        if ":" in name:
            find_class(name)
        elif name not in ENGINES:
            known = ", ".join(f'"{one}"' for one in ENGINES)
            raise ValueError(
                f'engines: there is no engine "{name}"; there are {known}, and "module:Class" for another'
            )
        elif getattr(self, name) is None:
            try:
                ENGINES[name].options()
            except TypeError:
                raise ValueError(
                    f'engines: "{name}" needs its own table, [sinks.{name}], with what it cannot do without, such as key'
                ) from None
