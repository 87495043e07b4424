"""Cut a speaker's sound into pieces, at silence, for engines that take one whole piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtmsd_transcribe.engine import RATE

FRAME_BYTES = RATE // 50 * 2
"""20 ms, for which voice activity is decided."""
_FRAMES_PER_SEC = 50
_FRAME_SECS = 1 / _FRAMES_PER_SEC
# A click is not a word: so many of the last frames must be speech before a piece begins.
_STARTING, _STARTING_OF = 3, 5
# OpenAI refuses less than 0.1 s, and models make things up for so little: silence is added.
_SHORTEST_BYTES = RATE // 2 * 2
# Where nothing pauses, the quietest 100 ms of the last seconds is cut.
_QUIET_FRAMES, _SEARCHED_SECS = 5, 5.0

IsSpeech = Callable[[bytes], bool]
"""Says of 20 ms whether somebody speaks."""


@dataclass(frozen=True)
class Piece:
    """Sound with speech in it. `start_secs` from the session's first sample; the speech's bounds from the piece's.

    `added_secs` of silence stand at its end which the session did not get.
    """

    pcm: bytes
    start_secs: float
    speech_start_secs: float
    speech_end_secs: float
    added_secs: float = 0.0

    @property
    def secs(self) -> float:
        return len(self.pcm) / 2 / RATE

    @property
    def end_secs(self) -> float:
        """Where it ends in the session's sound."""
        return self.start_secs + self.secs - self.added_secs


class Cutter:
    """Takes sound, gives pieces: from just before speech to just after it; silence is not given.

    A piece ends after `pause_secs` of silence, and at `longest_secs` at the latest. `lead_secs` of what is around
    speech stays with it.
    """

    def __init__(
        self,
        is_speech: IsSpeech,
        *,
        longest_secs: float = 30.0,
        pause_secs: float = 0.6,
        lead_secs: float = 0.3,
    ) -> None:
        self._is_speech = is_speech
        self._longest = round(longest_secs * _FRAMES_PER_SEC)
        self._pause = round(pause_secs * _FRAMES_PER_SEC)
        self._lead = round(lead_secs * _FRAMES_PER_SEC)
        self._partial = b""  # less than a frame
        self._first = 0  # the number of the first frame that is kept
        self._frames: list[bytes] = []
        self._speech: list[bool] = []
        self._speaking = False

    def add(self, pcm: bytes) -> list[Piece]:
        """Take sound; give the pieces that are complete with it."""
        pcm = self._partial + pcm
        whole = len(pcm) - len(pcm) % FRAME_BYTES
        self._partial = pcm[whole:]
        pieces = [self._frame(pcm[at : at + FRAME_BYTES]) for at in range(0, whole, FRAME_BYTES)]
        return [piece for piece in pieces if piece]

    def rest(self) -> list[Piece]:
        """Nothing follows: give what is left, if somebody speaks in it."""
        pieces = self.add(self._partial.ljust(FRAME_BYTES, b"\0")) if self._partial else []
        if self._speaking:
            pieces.append(self._cut(len(self._frames)))
        return pieces

    def _frame(self, frame: bytes) -> Piece | None:
        self._frames.append(frame)
        self._speech.append(self._is_speech(frame))
        if not self._speaking:
            self._wait_for_speech()
            return None
        if not any(self._speech[-self._pause :]):
            return self._cut(len(self._frames) - self._pause + min(self._lead, self._pause))
        if len(self._frames) >= self._longest:
            return self._cut(self._quietest())
        return None

    def _wait_for_speech(self) -> None:
        if sum(self._speech[-_STARTING_OF:]) >= _STARTING:
            self._speaking = True
        else:
            self._drop(len(self._frames) - self._lead - _STARTING_OF)

    def _cut(self, at: int) -> Piece:
        """Give the first `at` frames; what follows them is kept."""
        spoken = [index for index in range(at) if self._speech[index]]
        sound = b"".join(self._frames[:at])
        added = bytes(max(_SHORTEST_BYTES - len(sound), 0))
        piece = Piece(
            pcm=sound + added,
            start_secs=self._first * _FRAME_SECS,
            speech_start_secs=spoken[0] * _FRAME_SECS,
            speech_end_secs=(spoken[-1] + 1) * _FRAME_SECS,
            added_secs=len(added) / 2 / RATE,
        )
        self._drop(at)
        # After a cut in the middle of speech it goes on; after a pause it has to begin again.
        self._speaking = sum(self._speech) >= _STARTING
        return piece

    def _drop(self, frames: int) -> None:
        if frames > 0:
            self._first += frames
            del self._frames[:frames], self._speech[:frames]

    def _quietest(self) -> int:
        begin = max(len(self._frames) - round(_SEARCHED_SECS * _FRAMES_PER_SEC), len(self._frames) // 2)
        samples = np.frombuffer(b"".join(self._frames[begin:]), dtype="<i2").astype(np.float64)
        power = (samples.reshape(-1, FRAME_BYTES // 2) ** 2).sum(axis=1)
        around = np.convolve(power, np.ones(_QUIET_FRAMES), mode="valid")
        return begin + int(around.argmin()) + _QUIET_FRAMES // 2 + 1


def webrtc_speech() -> IsSpeech:
    """Decide by WebRTC's voice activity detection, one per session: it remembers how loud it was."""
    import webrtcvad  # of the extra `transcribe`

    detector = webrtcvad.Vad(2)
    return lambda frame: bool(detector.is_speech(frame, RATE))
