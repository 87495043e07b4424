"""Kill a recording process at random moments, and hold what is left against what was said."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent))

from mortal_meeting import STEP_MS, ZERO, length_ms, sound, speaks

from rtmsd.recording import recover, unfinished, verify
from rtmsd.recording.manifest import Manifest

FLUSH_SECS = 0.2
# What a crash may cost besides: the batch in hand, and how late a busy machine flushes.
SLACK_SECS = 0.5
_CHILD = Path(__file__).with_name("mortal_meeting.py")
_OPEN = ["ffprobe", "-v", "error", "-f", "wav", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]


@dataclass(frozen=True)
class Kill:
    """What one kill showed; `lost_ms` is what had been handed over and is not there. `stage` names the moment."""

    seed: int
    stage: str
    lost_ms: int
    problems: tuple[str, ...]


def kill_one(seed: int) -> Kill:
    """Let a meeting begin, kill its process at a random moment, and judge what is left; the directory is removed."""
    root = Path(tempfile.mkdtemp(prefix="rtmsd-kill-"))
    try:
        said, killed_at = _killed(root, seed)
        opened = open_everything(root)
        stage = "closing" if len(said) * STEP_MS >= length_ms(seed) else "running" if said else "beginning"
        complete = list(root.rglob("SHA256SUMS"))
        done = [recover(place, version="0") for place in unfinished(root)]
        problems = [*opened, *(one.problem for one in done if one.problem)]
        homes = {path.parent for path in root.rglob("SHA256SUMS")}
        for home in homes:
            problems += verify(home).problems
        manifest = verify(homes.pop()).manifest if homes else None
        problems += _untrue(root, manifest, seed)
        if any(
            one.manifest or one.problem for one in (recover(place, version="0") for place in unfinished(root))
        ):
            problems.append("recovering left something to recover")
        present = _present_ms(manifest)
        handed = said[-1][1] if said else 0
        due = [ms for at, ms in said if at <= killed_at - FLUSH_SECS - SLACK_SECS]
        if due and present < due[-1]:
            problems.append(f"{due[-1]} ms had been handed over long before the end, and {present} are there")
        return Kill(seed, "complete" if complete else stage, max(0, handed - present), tuple(problems))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def kills(
    count: int, *, seed: int = 0, at_once: int = 4, tell: Callable[[Kill], None] | None = None
) -> list[Kill]:
    """Kill so many processes, some at a time."""
    found = []
    with ThreadPoolExecutor(at_once) as threads:
        for kill in threads.map(kill_one, range(seed, seed + count)):
            found.append(kill)
            if tell is not None:
                tell(kill)
    return found


def _killed(root: Path, seed: int) -> tuple[list[tuple[float, int]], float]:
    """Run a meeting until some moment; return what its process told, and when it was killed."""
    command = [sys.executable, str(_CHILD), str(root), str(seed), str(FLUSH_SECS)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    # Now and then after the last word: the closing of a recording takes a moment, too.
    wait = random.Random(f"kill {seed}").uniform(0, length_ms(seed) / 1000 + 0.1)
    time.sleep(wait)
    killed_at = time.monotonic()
    child.send_signal(signal.SIGKILL)
    told, _ = child.communicate()
    lines = [line.split() for line in told.splitlines(keepends=True) if line.endswith("\n")]
    return [(float(at), int(ms)) for at, ms in (line for line in lines if len(line) == 2)], killed_at


def open_everything(root: Path) -> list[str]:
    """Open what the kill left, before anything mends it, in readers that are not ours."""
    problems = []
    for path in [*root.rglob("*.wav.part"), *root.rglob("*.wav")]:
        if ".new" in path.name:
            continue
        try:
            with path.open("rb") as file, soundfile.SoundFile(file) as track:
                track.read(dtype="int16")
        except soundfile.LibsndfileError as error:
            problems.append(f"{path.name} does not open in libsndfile: {error}")
        done = subprocess.run([*_OPEN, str(path)], capture_output=True, text=True, check=False)
        if done.returncode or done.stderr:
            problems.append(f"{path.name} does not open in ffprobe: {done.stderr}")
    return problems


def _untrue(root: Path, manifest: Manifest | None, seed: int) -> list[str]:
    """Compare each sample with what was said: it must be that, or silence, and silence where nothing was."""
    problems = []
    for track in manifest.tracks if manifest else ():
        (path,) = root.rglob(track.file)
        samples = np.frombuffer(path.read_bytes()[44:], "<i2")
        assert manifest is not None
        shift = (manifest.zero_ms - ZERO) // STEP_MS
        for number in range(-(-len(samples) // (STEP_MS * 16))):
            found = samples[number * STEP_MS * 16 : (number + 1) * STEP_MS * 16]
            at_ms = (number + shift) * STEP_MS
            true = np.frombuffer(sound(seed, track.user_id, at_ms), "<i2")[: len(found)]
            if found.any() and not (speaks(seed, track.user_id, at_ms) and (found == true)[found != 0].all()):
                problems.append(f"{track.file} holds at {at_ms} ms what nobody said")
    return problems


def _present_ms(manifest: Manifest | None) -> int:
    """How far the track of user 1, who never stops, reaches without a hole."""
    tracks = [track for track in manifest.tracks if track.user_id == 1] if manifest else []
    return round(tracks[0].present_secs * 1000) if tracks else 0
