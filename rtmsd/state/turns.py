"""The one thread that talks with SQLite: everything in the order in which it was asked for, and changes in common transactions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rtmsd.errors import JournalError
from rtmsd.state.store import Store

_T = TypeVar("_T")

MOST_TOGETHER = 500
"""Changes of one transaction. What costs is the disk that is waited for at its end, not the changes."""


@dataclass(eq=False, slots=True)
class _Call:
    work: Callable[[], Any]
    changes: bool
    done: Future[Any] = field(default_factory=Future)


class Turns:
    """Calls to a Store, in one worker thread. Changes that wait together are committed together, and answered after that."""

    def __init__(self, store: Store, thread: ThreadPoolExecutor) -> None:
        self._store = store
        self._thread = thread
        self._waiting: deque[_Call] = deque()
        self._closed = False

    def change(self, work: Callable[[], _T]) -> Future[_T]:
        """Make one change; it fails alone, unless none of those beside it could be written."""
        return self._wait(_Call(work, changes=True))

    def alone(self, work: Callable[[], _T]) -> Future[_T]:
        """Read, or do what makes its own transactions."""
        return self._wait(_Call(work, changes=False))

    def close(self) -> Future[None]:
        """Take no more calls; those that wait are still made."""
        self._closed = True
        return self._thread.submit(self._store.close)

    def _wait(self, call: _Call) -> Future[Any]:
        if self._closed:
            call.done.set_exception(JournalError("the journal is closed, since rtmsd is being stopped"))
            return call.done
        self._waiting.append(call)
        self._thread.submit(self._next)  # one for each call, so that none is forgotten
        return call.done

    def _next(self) -> None:
        """Make the next call, with the changes that wait right behind it if it is one itself."""
        calls: list[_Call] = []
        while self._waiting and len(calls) < MOST_TOGETHER:
            if calls and not (calls[0].changes and self._waiting[0].changes):
                break
            call = self._waiting.popleft()
            if call.done.set_running_or_notify_cancel():
                calls.append(call)
        if len(calls) == 1:
            _make(calls[0])
        elif calls:
            self._together(calls)

    def _together(self, calls: list[_Call]) -> None:
        try:
            outcomes = self._store.together([call.work for call in calls])
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to those who wait
            outcomes = [type(error)(*error.args) if isinstance(error, JournalError) else error for _ in calls]
        for call, outcome in zip(calls, outcomes, strict=True):
            if isinstance(outcome, Exception):
                call.done.set_exception(outcome)
            else:
                call.done.set_result(outcome)


def _make(call: _Call) -> None:
    try:
        result = call.work()
    except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to whoever waits
        call.done.set_exception(error)
    else:
        call.done.set_result(result)
