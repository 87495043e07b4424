"""One participant's track: finds where somebody speaks, and makes a Speech of it that begins a little before."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import webrtcvad

from rtmsd.api import AudioFormat, AudioFrame
from rtmsd_transcribe.engine import RATE
from rtmsd_transcribe.sound import Conversion
from rtmsd_transcribe.speech import SAMPLE_BYTES, SAMPLES_PER_MS, Speech

STEP_MS = 20
_STEP_BYTES = STEP_MS * SAMPLES_PER_MS * SAMPLE_BYTES

PRE_ROLL_MS = 500
"""How much before the first step that is taken for speech goes to the engine: soft first syllables are not."""

JITTER_MS = 10.0
"""A packet whose time is so near to where the track stands is appended, as in a recording (so that nothing clicks)."""

SHORT_PAUSE_MS = 300.0
"""A pause between two sentences, rather than in a word."""

_VOICED, _OF = 5, 8
"""So many of the last steps must sound like speech before a session is opened: a cough costs nothing."""


class Track:
    """Takes one participant's frames, and calls `begin` with each Speech when it begins.

    A Speech ends after `silence_ms` without speech; one that is half as long as `longest_ms` ends at the next short pause,
    and at that length at the latest. Nothing is assumed about the order and rate of frames: what is
    missing within a Speech becomes silence, and what comes late stands at its own time.
    """

    def __init__(
        self, *, silence_ms: float, begin: Callable[[Speech], None], longest_ms: float = math.inf
    ) -> None:
        self._silence_ms = silence_ms
        self._longest_ms = longest_ms
        self._begin = begin
        self._ear = webrtcvad.Vad(2)
        self._conversion: Conversion | None = None
        self._step = bytearray()  # what does not fill 20 ms yet
        self._step_ms = 0.0  # where it begins
        self._next_ms = 0.0  # where the next frame is expected
        self._before: deque[tuple[float, bytes]] = deque(maxlen=PRE_ROLL_MS // STEP_MS)
        self._voiced: deque[bool] = deque(maxlen=_OF)
        self._quiet_ms = 0.0
        self._speech: Speech | None = None
        self._user = (0, "")

    def take(self, frame: AudioFrame) -> None:
        """Add a frame with samples (codec L16)."""
        self._user = frame.user_id, frame.user_name
        if self._speech is not None and self._speech.ended:
            self._speech = None
        off_ms = frame.timestamp_ms - self._next_ms
        if self._conversion is None or self._conversion.form != frame.format or abs(off_ms) > JITTER_MS:
            self._jump(frame.timestamp_ms, frame.format)
        assert self._conversion is not None
        self._hear(self._conversion.take(frame.data))
        self._next_ms += frame.duration_ms

    def end(self) -> None:
        """Nothing follows."""
        self._finish_run()
        if self._speech is not None:
            self._speech.finish()
            self._speech = None

    def _jump(self, at_ms: float, form: AudioFormat) -> None:
        """Go on at another time, or in another format."""
        self._finish_run()
        missing_ms = at_ms - self._step_ms
        if self._speech is None:
            self._before.clear()
            self._voiced.clear()
        elif missing_ms >= self._silence_ms:
            self._stop_speech()
        elif missing_ms > 0:
            self._speech.add_silence(self._step_ms, round(missing_ms * SAMPLES_PER_MS))
            self._quiet(missing_ms)
        self._conversion = Conversion(form)
        self._step_ms = self._next_ms = at_ms

    def _finish_run(self) -> None:
        """Take what the conversion still holds, and fill the last step up with silence."""
        if self._conversion is not None:
            self._hear(self._conversion.rest())
            self._conversion = None
        if self._step:
            self._hear(bytes(_STEP_BYTES - len(self._step)))

    def _hear(self, pcm: bytes) -> None:
        self._step += pcm
        whole = len(self._step) // _STEP_BYTES * _STEP_BYTES
        steps, self._step = bytes(self._step[:whole]), self._step[whole:]
        for offset in range(0, whole, _STEP_BYTES):
            self._hear_step(steps[offset : offset + _STEP_BYTES])
            self._step_ms += STEP_MS

    def _hear_step(self, pcm: bytes) -> None:
        voiced = self._ear.is_speech(pcm, RATE)
        if self._speech is not None:
            self._speech.add(self._step_ms, pcm)
            self._quiet_ms = 0.0 if voiced else self._quiet_ms
            self._quiet(0 if voiced else STEP_MS)
            return
        self._before.append((self._step_ms, pcm))
        self._voiced.append(voiced)
        if sum(self._voiced) >= _VOICED:
            self._start_speech()

    def _quiet(self, ms: float) -> None:
        assert self._speech is not None
        self._quiet_ms += ms
        length_ms = self._speech.end / SAMPLES_PER_MS
        long = length_ms >= self._longest_ms / 2 and self._quiet_ms >= SHORT_PAUSE_MS
        if long or self._quiet_ms >= self._silence_ms or length_ms >= self._longest_ms:
            self._stop_speech()

    def _start_speech(self) -> None:
        self._speech = Speech(*self._user)
        for media_ms, pcm in self._before:
            self._speech.add(media_ms, pcm)
        self._before.clear()
        self._voiced.clear()
        self._quiet_ms = 0.0
        self._begin(self._speech)

    def _stop_speech(self) -> None:
        assert self._speech is not None
        self._speech.finish()
        self._speech = None
