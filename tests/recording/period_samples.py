"""A meeting that is long enough for files of a minute."""

from __future__ import annotations

from recording_samples import FORMAT, ZERO, end, packet, tone

from rtmsd.frames import AudioFormat, AudioFrame, Event, Gap

MINUTE = 60_000
STEP_MS = 500
LENGTH_MS = 5 * MINUTE + 7300


def said(user_id: int, at_ms: int, form: AudioFormat = FORMAT) -> AudioFrame:
    return packet(user_id, at_ms, tone(user_id * 1_000_003 + at_ms, STEP_MS), form)


def meeting(form: AudioFormat = FORMAT) -> list[list]:
    """Five minutes: user 1 speaks throughout, 2 not in the second minute, 3 in the last only; jitter, repetitions, a gap."""
    batches = []
    for at in range(0, LENGTH_MS - STEP_MS, 5 * STEP_MS):
        batch: list = []
        for start in range(at, min(at + 5 * STEP_MS, LENGTH_MS - STEP_MS), STEP_MS):
            batch.append(said(1, start + start // STEP_MS % 7, form))
            if not MINUTE - 3000 <= start < 2 * MINUTE + 2250:
                batch.append(said(2, start + 250, form))
            if start > 5 * MINUTE:
                batch.append(said(3, start, form))
        if at == 3 * MINUTE:
            batch += [
                Gap("socket_down", ZERO + at - 400, ZERO + at + 100),
                Event("socket_reopened", ZERO + at),
            ]
        batches.append([*batch, batch[0]])
    return [*batches, [end(LENGTH_MS)]]
