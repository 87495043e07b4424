"""How a demo shows what happens: a table in a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import fill
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rtmsd.report import Report


class Show:
    """Shows how the streams are, on one line each, or in a table that stays below what is said."""

    def __init__(self, report: Report, out: TextIO, live: Live | None) -> None:
        self._report = report
        self._out = out
        self._live = live
        self._last = ""

    async def tick(self) -> None:
        """Show how they are now; called about once a second."""
        for stream in self._report.streams():
            heard = ", ".join(f"{number} {kind}" for kind, number in stream.frames.items())
            cells = [stream.state, f"{stream.age_secs:.0f} s", str(stream.speakers), heard, str(stream.gaps)]
            if self._live is not None:
                table = Table(
                    "state", "age", "speakers", "frames", "gaps", title=f"stream {stream.stream_id}"
                )
                table.add_row(*cells)
                self._live.update(table, refresh=True)
            elif (line := "  ".join(cells)) != self._last:
                self._last = line
                self.say(
                    f"  {cells[0]:8} {cells[1]:>5}   speakers {cells[2]}   frames {heard}   gaps {cells[4]}"
                )

    def say(self, line: str, *, indent: int = 0) -> None:
        """Write a line; in a terminal it is wrapped, and goes on `indent` columns from the left."""
        if self._live is None:
            self._out.write(f"{line}\n")
            self._out.flush()
            return
        console = self._live.console
        wrapped = fill(line, console.width, subsequent_indent=" " * indent)
        console.print(wrapped, markup=False, highlight=False, emoji=False)


@contextmanager
def progress(report: Report, out: TextIO) -> Iterator[Show]:
    """Show things on `out`, for as long as the context lasts."""
    if not out.isatty():
        yield Show(report, out, None)
        return
    with Live(console=Console(file=out), auto_refresh=False) as live:
        yield Show(report, out, live)
