"""The sessions of one stream: each user of the app has one, and each has a state of its own (protocol.md §5.7)."""

from __future__ import annotations

from rtmsd.protocol.codes import SessionState

MAX_SESSIONS = 1000


class Sessions:
    """What is known of each session, by its id."""

    def __init__(self) -> None:
        self._states: dict[str, int] = {}
        self._reason: int | None = None

    def update(self, session_id: str, state: int | None, reason: int | None) -> None:
        if state is None or (session_id not in self._states and len(self._states) >= MAX_SESSIONS):
            return
        self._states[session_id] = state
        if state == SessionState.STOPPED:
            self._reason = reason

    @property
    def paused(self) -> bool:
        """Whether nobody can be heard, because every session that is not stopped is paused."""
        living = [state for state in self._states.values() if state != SessionState.STOPPED]
        return bool(living) and all(state == SessionState.PAUSED for state in living)

    @property
    def over(self) -> bool:
        """Whether every session is stopped."""
        return bool(self._states) and all(state == SessionState.STOPPED for state in self._states.values())

    @property
    def reason(self) -> int | None:
        """Why the last one stopped."""
        return self._reason
