"""faster-whisper on this machine, with a model that lies in a directory; nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from rtmsd_transcribe.engines.local import Local

# The large models take a minute to load from a slow disk.
_START_SECS = 300.0


@dataclass(frozen=True, kw_only=True)
class WhisperOptions:
    """`model`: the directory of a converted model, with model.bin and tokenizer.json in it. `device` and `compute_type` as CTranslate2 has them.

    `processes`: how many pieces are understood at the same time; each has the model in its own memory.
    """

    model: Path
    device: str = "cpu"
    compute_type: str = "default"
    cpu_threads: Annotated[int, Meta(ge=0)] = 0
    beam_size: Annotated[int, Meta(ge=1, le=20)] = 5
    processes: Annotated[int, Meta(ge=1, le=16)] = 1
    longest_secs: Annotated[float, Meta(ge=5, le=30)] = 30.0
    pause_secs: Annotated[float, Meta(ge=0.2, le=5)] = 0.6
    answer_secs: Annotated[float, Meta(ge=1, le=3600)] = 300.0
    no_speech: Annotated[float, Meta(ge=0, le=1)] = 0.8

    def __post_init__(self) -> None:
        if find_spec("faster_whisper") is None:
            raise ValueError("faster-whisper is not installed: pip install 'rtmsd[whisper]'")
        # Without its own tokenizer faster-whisper would fetch one.
        missing = [name for name in ("model.bin", "tokenizer.json") if not (self.model / name).is_file()]
        if missing:
            raise ValueError(
                f"model must be the directory of a converted Whisper model: there is no {' and no '.join(missing)} in it"
            )


class Whisper(Local):
    """The engine; see `engine.Engine`."""

    name = "whisper"
    options = WhisperOptions

    def __init__(self, options: WhisperOptions) -> None:
        super().__init__(
            {
                "model": str(options.model),
                "device": options.device,
                "compute_type": options.compute_type,
                "cpu_threads": options.cpu_threads,
                "beam_size": options.beam_size,
            },
            processes=options.processes,
            longest_secs=options.longest_secs,
            pause_secs=options.pause_secs,
            start_secs=_START_SECS,
            answer_secs=options.answer_secs,
            no_speech=options.no_speech,
        )
