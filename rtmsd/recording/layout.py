"""Where a recording stands below the directory of its sink.

A template says it, `date={date}/meeting={meeting}/stream={stream}` unless another is chosen. Zoom's ids hold `/`, `+`
and `=` and become safe here; names of people never get into a path.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rtmsd.errors import RecordingError
from rtmsd.frames import StreamInfo
from rtmsd.recording.files import LEDGER, TOMBSTONE

_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
_LONGEST = 100

_VARIABLE = re.compile(r"\{([^{}]*)\}")
# What each variable can be at most; all but the first two are safe names.
_LENGTHS = {"date": 10, "hour": 2} | dict.fromkeys(
    ("app", "product", "account", "meeting", "meeting_uuid", "stream"), _LONGEST
)
_LONGEST_COMPONENT = 255

# A failover may name a later start, and the webhook of the first may come after that of the second.
_FAILOVER_HOURS = 24


def _problem(component: str) -> str | None:
    """Say what is wrong with one component of a template."""
    names = _VARIABLE.findall(component)
    literal = _VARIABLE.sub("", component)
    if component in ("", ".", ".."):
        return 'must be relative and stay below the directory of the sink (no "/" at its ends, no "//", "." or "..")'
    if unknown := [name for name in names if name not in _LENGTHS]:
        known = ", ".join(f"{{{name}}}" for name in _LENGTHS)
        return f"knows the variables {known} and not {{{unknown[0]}}} (names of people and topics never get into paths)"
    if "{" in literal or "}" in literal or not literal.isprintable():
        return "must be printable text, with braces around the names of variables only"
    if "stream" in names and len(names) > 1:
        return (
            "must have no other variable between the slashes around {stream}: their values could run together, so "
            "that two streams get the same place"
        )
    if len(literal.encode()) + sum(map(_LENGTHS.__getitem__, names)) > _LONGEST_COMPONENT:
        return f"could make a name longer than {_LONGEST_COMPONENT} bytes between two slashes: put a slash in between"
    return None


@dataclass(frozen=True)
class Layout:
    """A template of directories with the variables {date}, {hour}, {app}, {product}, {account}, {meeting},
    {meeting_uuid} and {stream}; date and hour are those of `started_ms`, in UTC.

    Raises ValueError when a recording could leave the directory, or meet another one.
    """

    template: str

    def __post_init__(self) -> None:
        problem = next((found for part in self.template.split("/") if (found := _problem(part))), None)
        if problem is None and "{stream}" not in self.template:
            problem = "needs {stream}: without it the recordings of two streams could get the same place"
        if problem is not None:
            raise ValueError(f'layout {problem}, and is "{self.template[:200]}"')

    def directory(self, info: StreamInfo, started: datetime) -> str:
        """Fill in a stream and its start: a relative path of as many components as the template has."""
        values = {
            "app": info.app,
            "product": info.product,
            "account": info.account_id,
            "meeting": info.meeting_id or info.meeting_uuid,
            "meeting_uuid": info.meeting_uuid,
            "stream": info.stream_id,
        }
        safe = {name: safe_name(value or "unknown") for name, value in values.items()}
        safe |= {"date": f"{started.date()}", "hour": f"{started:%H}"}
        return _VARIABLE.sub(lambda found: safe[found[1]], self.template)


DEFAULT_LAYOUT = Layout("date={date}/meeting={meeting}/stream={stream}")


def safe_name(text: str) -> str:
    """Make one path component of any id: percent-encoded, at most 100 characters, never two ids alike.

    A longer name keeps its beginning and ends in `~` and a hash; `~` occurs in no other name.
    """
    raw = text.encode("utf-8", "surrogatepass")
    name = _UNSAFE.sub(lambda found: f"%{found[0][0]:02X}".encode(), raw).decode("ascii")
    if len(name) > _LONGEST:
        name = f"{name[:60]}~{hashlib.sha256(raw).hexdigest()[:32]}"
    return name


def recording_directory(root: Path, info: StreamInfo, layout: Layout = DEFAULT_LAYOUT) -> Path:
    """Return the directory of a stream's recording below `root`.

    A failover may name a later start: what was begun, or deleted on request, up to a day before or after is found again.
    Raises RecordingError when the stream has no id or no possible date.
    """
    home, *others = candidate_directories(root, info, layout)
    if home.exists():
        return home
    known = (other for other in others if (other / LEDGER).exists() or (other / TOMBSTONE).exists())
    return next(known, home)


def candidate_directories(root: Path, info: StreamInfo, layout: Layout = DEFAULT_LAYOUT) -> list[Path]:
    """List the places where a stream's recording can be, the proper one first, the others by how near they are."""
    if not info.stream_id:
        raise RecordingError(
            "a recording needs a stream id, and this stream has an empty one: nothing can be recorded"
        )
    hours = sorted(range(-_FAILOVER_HOURS, _FAILOVER_HOURS + 1), key=abs)
    try:
        start = datetime.fromtimestamp(info.started_ms / 1000, UTC)
        starts = [start + timedelta(hours=hour) for hour in hours]
    except (OverflowError, ValueError, OSError):
        raise RecordingError(
            f"the start of a stream must be Unix milliseconds of a possible date, and is {info.started_ms}"
        ) from None
    return [root / place for place in dict.fromkeys(layout.directory(info, at) for at in starts)]
