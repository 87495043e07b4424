"""The truth of a played meeting as files, so that another process can compare a recording with it.

`{directory}/{stream id}/truth.json` holds all but the samples; `user={user id}.pcm` beside it one person's samples
without the silence between them: 16 kHz mono L16, span after span.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import orjson

from rtmsd.simulator.truth import Run, Span, Truth


class _Placed(msgspec.Struct):
    """One span of a track: so many bytes of its file, from this time on."""

    timestamp_ms: int
    length: int
    runs: list[Run] = []  # msgspec copies the default for every instance


def write_truth(directory: Path, truth: Truth) -> None:
    """Write one meeting's truth; `truth.json` comes last. Blocks. Raises OSError."""
    place = directory / truth.stream_id
    place.mkdir(parents=True, exist_ok=True)
    document = dataclasses.asdict(dataclasses.replace(truth, tracks={}))
    document["tracks"] = {
        str(user_id): [_Placed(span.timestamp_ms, len(span.pcm), span.runs) for span in spans]
        for user_id, spans in truth.tracks.items()
    }
    for user_id, spans in truth.tracks.items():
        (place / f"user={user_id}.pcm").write_bytes(b"".join(span.pcm for span in spans))
    part = place / "truth.json.part"
    part.write_bytes(
        orjson.dumps(msgspec.to_builtins(document), option=orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2)
    )
    part.rename(place / "truth.json")


def read_truth(place: Path) -> Truth:
    """Read what `write_truth` wrote for one stream. Raises OSError, or ValueError when it is no truth."""
    document = msgspec.json.decode((place / "truth.json").read_bytes())
    placed = msgspec.convert(document.pop("tracks"), dict[int, list[_Placed]], strict=False)
    truth = msgspec.convert(document, Truth, strict=False)
    for user_id, spans in placed.items():
        pcm = (place / f"user={user_id}.pcm").read_bytes()
        offset = 0
        for span in spans:
            samples = bytearray(pcm[offset : offset + span.length])
            truth.tracks.setdefault(user_id, []).append(Span(span.timestamp_ms, samples, span.runs))
            offset += span.length
    return truth
