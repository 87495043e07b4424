"""The sessions of one stream, and the stream's own state (protocol.md §5.7).

Each user of the app has a session, and each session has a state of its own.
"""

from __future__ import annotations

import msgspec

from rtmsd.frames import Event
from rtmsd.protocol.codes import SessionState, StreamState

MAX_SESSIONS = 1000


class Sessions:
    """What Zoom said of each session, by its id, and of the whole stream."""

    def __init__(self) -> None:
        self._states: dict[str, int] = {}
        self._stream_paused = False
        self.terminating = False
        """Whether the stream is about to end: what closes now is not to be opened again."""
        self.reason: int | None = None
        """Why the stream is about to end, or why the last session stopped."""

    def session(self, session_id: str, state: int | None, reason: int | None, event: Event) -> list[Event]:
        """Take a session's state; return its event, and whether that begins or ends the stream's pause."""
        if state is None or (session_id not in self._states and len(self._states) >= MAX_SESSIONS):
            return [event]
        paused = self.paused
        self._states[session_id] = state
        if state == SessionState.STOPPED:
            self.reason = reason
        if state in (SessionState.STARTED, SessionState.RESUMED):
            self._stream_paused = False
        if event.name == "session_paused" and not self.paused:
            return [msgspec.structs.replace(event, name="one_session_paused")]
        if event.name in ("session_paused", "session_resumed"):
            return [event]
        return [event, *self._change(paused, event.timestamp_ms)]

    def stream(self, state: int, reason: int | None, at_ms: int) -> list[Event]:
        """Take the stream's state; return what it means for its pause."""
        paused = self.paused
        if state == StreamState.PAUSED:
            self._stream_paused = True
        elif state in (StreamState.ACTIVE, StreamState.RESUMED):
            self._stream_paused = self.terminating = False
        if state == StreamState.RESUMED:
            for session_id, known in self._states.items():
                if known == SessionState.PAUSED:
                    self._states[session_id] = int(SessionState.RESUMED)
        elif state in (StreamState.TERMINATING, StreamState.TERMINATED):
            self.terminating = True
            self.reason = reason or self.reason
        return self._change(paused, at_ms)

    def _change(self, paused: bool, at_ms: int) -> list[Event]:
        """A pause is told by the sessions' events, also when it is the stream that is paused, or its last loud session
        that stops."""
        if self.paused == paused or self.over:
            return []
        return [Event("session_paused" if self.paused else "session_resumed", at_ms)]

    @property
    def paused(self) -> bool:
        """Whether nobody can be heard: the stream is paused, or every session that is not stopped."""
        living = [state for state in self._states.values() if state != SessionState.STOPPED]
        return self._stream_paused or (bool(living) and all(one == SessionState.PAUSED for one in living))

    @property
    def over(self) -> bool:
        """Whether the stream is about to end: Zoom said so, or every session is stopped."""
        stopped = bool(self._states) and all(one == SessionState.STOPPED for one in self._states.values())
        return self.terminating or stopped
