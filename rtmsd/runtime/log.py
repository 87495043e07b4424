"""Logging: one line per state change, to standard error, readable on a terminal and by machines."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from rtmsd.runtime.clock import Clock, iso_utc

_HIDDEN = frozenset(
    {"secret", "client_secret", "webhook_secret", "token", "password", "signature", "authorization"}
)
_PERSONAL = frozenset({"user_name", "text", "topic", "email"})


def set_up_logging(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    as_json: bool = False,
    clock: Clock,
    stream: TextIO | None = None,
) -> None:
    """Send structlog's and the standard library's records to `stream` (standard error).

    Coloured lines on a terminal, `key=value` lines elsewhere, JSON when asked for. Values under names of secrets and
    of personal data are never written.
    """
    out = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _Timestamp(clock),
        _hide,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_json=as_json, terminal=out.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_number(level))
    # It logs a traceback for everything that strangers send which is not HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # It says a line for every connection; what is worth a line is said by those who use it.
    logging.getLogger("picows").setLevel(logging.WARNING)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _renderers(*, as_json: bool, terminal: bool) -> list[structlog.typing.Processor]:
    # A traceback without its variables: they hold secrets, and what people said.
    if as_json:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
    if terminal:
        formatter = structlog.dev.RichTracebackFormatter(show_locals=False)
        return [structlog.dev.ConsoleRenderer(exception_formatter=formatter)]
    # A traceback becomes one quoted value, so that a line stays one record.
    first = ["timestamp", "level", "event"]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.LogfmtRenderer(key_order=first, drop_missing=True),
    ]


class _Timestamp:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(
        self, logger: Any, method: str, record: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        record["timestamp"] = iso_utc(self._clock.wall_ms())
        return record


def _hide(logger: Any, method: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in record:
        if key in _HIDDEN or key in _PERSONAL:
            record[key] = "***"
    return record
