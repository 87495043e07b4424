"""A child process that answers with what it was asked, instead of recognizing; and misbehaves when asked to."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from rtmsd_transcribe.engines.child_program import Recognize, Segments, Unusable, serve


def echo(options: dict[str, Any]) -> Recognize:
    if options.get("refuse"):
        raise Unusable("there is no model in here")
    time.sleep(options.get("load_secs", 0.0))

    def recognize(question: dict[str, Any], pcm: bytes) -> Segments:
        if question.get("die"):
            os._exit(3)
        deadline = time.monotonic() + question.get("busy_secs", 0.0)
        while time.monotonic() < deadline:
            pass  # holds the interpreter's lock, as pocketsphinx does
        return [
            {
                "text": os.environ.get(question.get("variable", ""), question.get("text", "")),
                "start": 0.0,
                "end": len(pcm) / 32000,
                "pid": os.getpid(),
            }
        ]

    return recognize


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, echo)
