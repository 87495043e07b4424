"""How commands end: errors of ours are sentences with a status, not tracebacks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import click
import uvloop

from rtmsd.errors import ConfigError, RtmsdError

EX_CONFIG = 78
"""What sysexits.h calls a configuration error."""

_T = TypeVar("_T")


def fail(sentence: str, *, status: int = 1) -> NoReturn:
    """Say what is wrong, and exit."""
    click.echo(f"rtmsd: {sentence}", err=True)
    sys.exit(status)


@contextmanager
def told() -> Iterator[None]:
    """Exit with a sentence when something that may happen does, and with 130 on Ctrl-C."""
    try:
        yield
    except ConfigError as error:
        fail(str(error), status=EX_CONFIG)
    except RtmsdError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def run_to_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's coroutine on uvloop, and return what it does; what goes wrong is told."""
    with told(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
