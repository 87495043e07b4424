"""Numbers and times as people read them; filters of the status page."""

from __future__ import annotations


def duration(secs: float) -> str:
    """Write seconds as `12 s`, `3 min 20 s`, `25 min`, `1 h 20 min` or `2 d 3 h`."""
    whole = max(0, int(secs))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86_400, "d", whole % 86_400 // 3600, "h")


def _two(large: int, unit: str, small: int, smaller_unit: str) -> str:
    return f"{large} {unit} {small} {smaller_unit}" if small else f"{large} {unit}"


def ago(then_ms: int | None, now_ms: int) -> str:
    """Write how long ago something was; None is never."""
    return "never" if then_ms is None else f"{duration((now_ms - then_ms) / 1000)} ago"


def amount(size: int) -> str:
    """Write bytes as `312 B`, `1.5 KiB`, `20.0 MiB`."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def count(number: int) -> str:
    """Write a number with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u2009")


def _seconds(secs: float) -> str:
    if abs(secs) < 60:
        return f"{secs:.3g} s"
    return f"{'-' if secs < 0 else ''}{duration(abs(secs))}"


def told(name: str, value: float) -> str:
    """Write a number that a sink tells of itself, by the unit at its name's end: `sent 12 s`, `spool 1.5 KiB`, `calls 7`."""
    what, _, unit = name.rpartition("_")
    if what and unit in ("seconds", "bytes"):
        return f"{what} {_seconds(value) if unit == 'seconds' else amount(int(value))}".replace("_", " ")
    number = count(int(value)) if value == int(value) else f"{value:g}"
    return f"{name} {number}".replace("_", " ")
