# SPDX-License-Identifier: MIT
"""Live status: on a terminal one block that is drawn again and again, in a log plain lines."""

import os
import shutil
from typing import Callable, Iterable, NamedTuple, Optional, Sequence, TextIO

from common_lib import script
from common_lib.script import SetupError
from fuzz_lib import duration

REDRAW_SECONDS = 1.0
PLAIN_LINE_SECONDS = 30.0
HEADINGS = ("target", "exec/s", "checked ops/s", "cov", "ft", "corpus", "findings", "left",
            "last find", "growth")
GROWTH_COLUMNS = 12


class Row(NamedTuple):
    target: str
    executions_per_second: float
    checked_per_second: Optional[float]  # None: the target checks no operations
    coverage: int
    features: int
    corpus: int
    findings: int
    repeats: int  # failures seen that were no new findings
    left: float  # seconds
    since_find: Optional[float]  # seconds since coverage last grew; None: it did not in this run
    growth: str  # of its features, as GROWTH_COLUMNS characters; for terminals

    def cells(self) -> tuple[str, ...]:
        checked = self.checked_per_second
        findings = f"{self.findings} (+{self.repeats} same)" if self.repeats else self.findings
        return (
            self.target,
            f"{self.executions_per_second:,.0f}",
            "-" if checked is None else f"{checked:,.0f}",
            f"{self.coverage:,}",
            f"{self.features:,}",
            f"{self.corpus:,}",
            str(findings),
            duration.show(round(self.left)),
            "none" if self.since_find is None else f"{duration.show(round(self.since_find))} ago",
            self.growth,
        )

    def plain(self) -> str:
        named = zip(HEADINGS[1:-1], self.cells()[1:-1])
        return f"{self.target}: " + ", ".join(f"{name} {cell}" for name, cell in named)


def table(rows: Iterable[Row]) -> list[str]:
    """Lines of aligned columns; the first one is left-aligned."""
    lines = [HEADINGS] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    texts = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1])]
        texts.append("  ".join([*cells, line[-1]]).rstrip())
    return texts


class Live:
    """A stream that cannot be written does not end a run of many hours: `trouble` says why, and
    nothing more is written. If it is so from the start, there is no run (SetupError)."""

    def __init__(self, stream: Optional[TextIO]) -> None:
        if stream is None:
            raise SetupError("standard output is closed: give it a file or a terminal")
        self.stream = stream
        self.is_terminal = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        encoding = (getattr(stream, "encoding", None) or "ascii").lower()
        self.is_ascii = not encoding.startswith("utf")
        self.trouble: Optional[str] = None
        self.written = False
        self.drawn = 0  # lines of the block now on the screen
        self.due = 0.0

    def write(self, lines: Iterable[str]) -> None:
        """Lines in the place of the block that was drawn last."""
        erase = f"\x1b[{self.drawn}A\x1b[J" if self.drawn else ""
        self.drawn = 0
        if self.trouble is None:
            text = erase + "".join(line + "\n" for line in lines)
            self.trouble = script.write(self.stream, text)
        if self.trouble is not None and not self.written:
            raise SetupError(f"standard output cannot be written: {self.trouble}")
        self.written = True

    def say(self, *lines: str) -> None:
        """Lines that stay."""
        self.write(lines)
        if self.is_terminal:
            self.due = 0.0

    def update(self, rows: Callable[[], Sequence[Row]], now: float, force: bool = False) -> None:
        if now < self.due and not force:
            return
        if self.is_terminal:
            self.due = now + REDRAW_SECONDS
            columns = shutil.get_terminal_size().columns
            lines = [line[: columns - 1] for line in table(rows())]
            self.write(lines)
            self.drawn = len(lines)
        else:
            self.due = now + PLAIN_LINE_SECONDS
            self.write([row.plain() for row in rows()])
