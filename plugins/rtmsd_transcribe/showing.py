"""How far a second pass is: a bar on a terminal, elsewhere a line for each tenth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_LINES = 10


class Show:
    """Writes plain lines."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told = 0

    def tick(self, secs: float, total_secs: float, phrases: int) -> None:
        """Show that so much of all sound is transcribed; called often."""
        tenth = int(_LINES * secs / total_secs) if total_secs else _LINES
        if tenth > self._told:
            self._told = tenth
            self.say(f"  {tenth * 10:3} %   {secs:.0f} of {total_secs:.0f} s of sound   {_counted(phrases)}")

    def say(self, line: str) -> None:
        """Write a line."""
        self._out.write(f"{line}\n")
        self._out.flush()


class _Bar(Show):
    """Keeps a bar below what is said."""

    def __init__(self, out: TextIO, bar: Progress, task: TaskID) -> None:
        super().__init__(out)
        self._bar = bar
        self._task = task

    def tick(self, secs: float, total_secs: float, phrases: int) -> None:
        self._bar.update(self._task, completed=secs, total=total_secs, phrases=_counted(phrases))

    def say(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False, emoji=False)


@contextmanager
def showing(out: TextIO) -> Iterator[Show]:
    """Show things on `out`, for as long as the context lasts."""
    if not out.isatty():
        yield Show(out)
        return
    columns = (
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s of sound"),
        TextColumn("{task.fields[phrases]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=out)) as bar:
        yield _Bar(out, bar, bar.add_task("", total=0, phrases=_counted(0)))


def _counted(phrases: int) -> str:
    return f"{phrases} phrase{'s' * (phrases != 1)}"


def tell(sent_secs: Mapping[str, float], lost_secs: float, phrases: int, names: Sequence[str]) -> str:
    """Say in a line what came of a pass."""
    sent = (
        ", ".join(f"{secs:.1f} s to {engine}" for engine, secs in sent_secs.items())
        or "nothing: nobody speaks"
    )
    wrote = ", ".join(names) or "nothing, since no words were heard"
    lost = f" {lost_secs:.1f} s of speech are missing: no engine answered them." if lost_secs else ""
    return f"{_counted(phrases)}; sent: {sent}; written: {wrote}.{lost}"
