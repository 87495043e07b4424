"""Leaving a process that something in it does not leave."""

from __future__ import annotations

import faulthandler
import os
import threading

import structlog


def leave_within(secs: float) -> None:
    """End this process with status 0 after `secs`, unless it has ended by then.

    A thread that hangs in a system call cannot be stopped, and Python would wait for it for ever.
    """
    timer = threading.Timer(secs, _leave, [secs])
    timer.daemon = True
    timer.start()


def _leave(secs: float) -> None:
    structlog.get_logger("rtmsd").error("something did not end; leaving without it", waited_secs=secs)
    faulthandler.dump_traceback()  # where it hangs
    os._exit(0)
