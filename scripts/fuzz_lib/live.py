# SPDX-License-Identifier: MIT
"""Live status: on a terminal one block that is drawn again and again, in a log plain lines."""

import os
import shutil
from typing import NamedTuple

from fuzz_lib import duration

REDRAW_SECONDS = 1.0
PLAIN_LINE_SECONDS = 30.0
HEADINGS = ("target", "exec/s", "checked ops/s", "cov", "ft", "corpus", "findings", "left")


class Row(NamedTuple):
    target: str
    executions_per_second: float
    checked_per_second: float  # None: the target checks no operations
    coverage: int
    features: int
    corpus: int
    findings: int
    repeats: int  # failures seen that were no new findings
    left: float  # seconds

    def cells(self):
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
        )

    def plain(self):
        named = zip(HEADINGS[1:], self.cells()[1:])
        return f"{self.target}: " + ", ".join(f"{name} {cell}" for name, cell in named)


def table(rows):
    """Lines of aligned columns; the first one is left-aligned."""
    lines = [HEADINGS] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    texts = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        texts.append("  ".join(cells))
    return texts


class Live:
    def __init__(self, stream):
        self.stream = stream
        self.is_terminal = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.drawn = 0  # lines of the block now on the screen
        self.due = 0.0

    def erase(self):
        if self.drawn:
            self.stream.write(f"\x1b[{self.drawn}A\x1b[J")
            self.drawn = 0

    def say(self, *lines):
        """Lines that stay."""
        self.erase()
        self.stream.write("".join(line + "\n" for line in lines))
        self.stream.flush()
        if self.is_terminal:
            self.due = 0.0

    def update(self, rows, now, force=False):
        if now < self.due and not force:
            return
        if self.is_terminal:
            self.due = now + REDRAW_SECONDS
            columns = shutil.get_terminal_size().columns
            self.erase()
            lines = [line[: columns - 1] for line in table(rows())]
            self.stream.write("".join(line + "\n" for line in lines))
            self.drawn = len(lines)
        else:
            self.due = now + PLAIN_LINE_SECONDS
            self.stream.write("".join(row.plain() + "\n" for row in rows()))
        self.stream.flush()
