"""Measurements, run by hand from the checkout: `python -m tests.benchmarks frames`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks import frames, transcribe


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    one = commands.add_parser("frames", help=frames.__doc__)
    one.add_argument("--streams", type=int, default=400)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--secs", type=float, default=6.0)
    one.add_argument("--only", nargs="*", default=[], choices=[variant.name for variant in frames.VARIANTS])
    one.add_argument("--json", type=Path, dest="json_file", metavar="FILE")
    other = commands.add_parser("transcribe", help=transcribe.__doc__)
    other.add_argument("--tracks", type=int, default=50)
    other.add_argument("--secs", type=float, default=30.0)
    other.add_argument("--json", type=Path, dest="json_file", metavar="FILE")
    options = parser.parse_args()
    if options.command == "transcribe":
        return transcribe.run(tracks=options.tracks, secs=options.secs, json_file=options.json_file)
    return frames.run(
        streams=options.streams,
        rounds=options.rounds,
        secs=options.secs,
        only=options.only,
        json_file=options.json_file,
    )


if __name__ == "__main__":
    sys.exit(main())
