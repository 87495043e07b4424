"""The transcript of a complete recording as two Parquet tables, for DuckDB, Spark, pandas: what was said, and each word."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rtmsd.errors import RecordingError
from rtmsd.recording.captions import Phrase, final, transcripts
from rtmsd.recording.exporting import complete, manifest_for
from rtmsd.recording.files import make_directories
from rtmsd.recording.lines import decode_all
from rtmsd.recording.manifest import Manifest

SEGMENTS = "segments.parquet"
WORDS = "words.parquet"


def write_parquet(directory: Path, out: Path) -> tuple[int, int]:
    """Write `segments.parquet` and `words.parquet` into the directory `out`; return how many rows each has.

    The phrases of all who transcribed are there, with their `source`. Zoom says when a phrase begins and ends, not when
    its words do: then their times divide the phrase by the length of the words, and are marked as `estimated`. Corrected phrases are there as they stand in the end. Raises RecordingError
    when there is no recording, or no pyarrow; OSError when a file cannot be used.
    """
    try:
        arrow, files = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise RecordingError(
            'Parquet needs the library pyarrow: install rtmsd with it, pip install "rtmsd[parquet]"'
        ) from None
    manifest = manifest_for(out, directory)
    with complete(directory):
        spoken = [
            phrase
            for name in transcripts(manifest.files)
            for phrase in final(decode_all((directory / name).read_bytes(), Phrase))
        ]
    make_directories(out)
    tables = {SEGMENTS: _segments(manifest, spoken), WORDS: _words(manifest, spoken)}
    for name, rows in tables.items():
        schema = _schema(arrow, words=name == WORDS)
        files.write_table(arrow.Table.from_pylist(rows, schema=schema), out / name, compression="zstd")
    return len(tables[SEGMENTS]), len(tables[WORDS])


def _schema(arrow: Any, *, words: bool) -> Any:
    text, number, secs = arrow.string(), arrow.int64(), arrow.float64()
    time = arrow.timestamp("ms", tz="UTC")
    fields = [("meeting_id", text), ("meeting_uuid", text), ("stream_id", text), ("segment", number)]
    fields += [("word", number)] if words else []
    fields += [("user_id", number), ("user_name", text), ("start", secs), ("end", secs)]
    fields += [("started_at", time), ("ended_at", time), ("text", text)]
    fields += [("estimated", arrow.bool_())] if words else [("language", number), ("source", text)]
    return arrow.schema(fields)


def _segments(manifest: Manifest, spoken: Iterable[Phrase]) -> list[dict[str, Any]]:
    return [
        _whose(manifest, phrase, number)
        | {"start": phrase.start, "end": phrase.end, "text": phrase.text}
        | {"started_at": phrase.start_ms, "ended_at": phrase.end_ms}
        | {"language": phrase.language, "source": phrase.source}
        for number, phrase in enumerate(spoken)
    ]


def _words(manifest: Manifest, spoken: Iterable[Phrase]) -> list[dict[str, Any]]:
    rows = []
    for number, phrase in enumerate(spoken):
        rows += [
            _whose(manifest, phrase, number)
            | {"word": place, "text": word.text, "estimated": False}
            | {"start": phrase.start + (word.start_ms - phrase.start_ms) / 1000}
            | {"end": phrase.start + (word.end_ms - phrase.start_ms) / 1000}
            | {"started_at": word.start_ms, "ended_at": word.end_ms}
            for place, word in enumerate(phrase.words)
        ]
        words = [] if phrase.words else phrase.text.split()
        letters, at = sum(map(len, words)), 0
        for place, word in enumerate(words):
            start, at = at / letters, at + len(word)
            span_ms, span = phrase.end_ms - phrase.start_ms, phrase.end - phrase.start
            rows.append(
                _whose(manifest, phrase, number)
                | {"word": place, "text": word, "estimated": True}
                | {"start": phrase.start + span * start, "end": phrase.start + span * at / letters}
                | {"started_at": phrase.start_ms + round(span_ms * start)}
                | {"ended_at": phrase.start_ms + round(span_ms * at / letters)}
            )
    return rows


def _whose(manifest: Manifest, phrase: Phrase, number: int) -> dict[str, Any]:
    return {
        "meeting_id": manifest.meeting_id,
        "meeting_uuid": manifest.meeting_uuid,
        "stream_id": manifest.stream_id,
        "segment": number,
        "user_id": phrase.user_id,
        "user_name": phrase.user_name.encode("utf-8", "replace").decode(),
    }
