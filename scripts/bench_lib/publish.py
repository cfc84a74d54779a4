# SPDX-License-Identifier: MIT
"""Renews what docs/ shows of the figures: the tables between the marks in docs/bench.md, and the
plots."""

import datetime
from pathlib import Path
from typing import Iterable, Sequence

from bench_lib import heap, needs
from bench_lib.heap import Matrices, Matrix
from bench_lib.measuring import ROOT, Unusable
from bench_lib.needs import Script
from common_lib import outputs

PAGE = ROOT / "docs" / "bench.md"
PLOTS = {"cost.svg": "bench-cost.svg", "memory.svg": "bench-memory.svg"}
BEGIN = "<!-- begin of what make bench-docs writes -->\n"
END = "<!-- end of what make bench-docs writes -->\n"


def table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows]) + "\n"


def matrix_text(matrix: Matrix) -> str:
    parts = [f"### {matrix.title}\n"]
    for name, title in heap.TABLES:
        rows = heap.table_rows(matrix, name)
        if rows:
            heads = [title[0].upper() + title[1:],
                     *(column.title for column in heap.measured_columns(matrix))]
            parts.append(table(heads, rows))
    return "\n".join(parts)


def demands_text(matrices: Matrices) -> str:
    rows = []
    for demand in heap.DEMANDS:
        ratio = demand.ratio(matrices)
        rows.append([demand.matrix, ", ".join(demand.cell),
                     ", ".join(demand.beside), str(demand.at_most),
                     "not measured" if ratio is None else f"{ratio:.2f}",
                     "held" if ratio is not None and ratio <= demand.at_most else "not held"])
    heads = ["case", "instructions of", "over those of", "demanded at most", "measured", ""]
    return ("### What is demanded\n\nhead: the random mix; sides: with HEAD and TAIL; guards: with "
            "16 to 256 bytes.\n\n" + table(heads, rows))


def needs_text(scripts: Sequence[Script]) -> str:
    rows = [[name + needs.lacking(ratios, scripts),
             *(f"{ratios[i]:.2f}" for i in (0, len(ratios) // 2, -1)),
             "-" if bounds is None else f"{bounds[0]:.2f} to {bounds[-1]:.2f}"]
            for name, ratios, bounds in needs.rows(scripts)]
    heads = ["policy/alignment", "least", "median", "most", "proved at most"]
    return (f"### Memory that recorded programs need\n\nOver {len(scripts)} recordings: bytes of "
            "the smallest region in which every request is met, for each byte asked for at the "
            "most.\n\n"
            + table(heads, rows))


def write(page: Path, matrices: Matrices, needed: Sequence[Script], folder: Path) -> None:
    """The figures between the marks of the page, and the folder's plots beside it."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Unusable(f"{page}: the marks between which the figures stand are not there")
    text = "\n".join([f"Figures of {datetime.date.today()}.\n",
                      *(matrix_text(matrix) for matrix in matrices.values() if matrix.cells),
                      demands_text(matrices), needs_text(needed)])
    outputs.write_whole(page, f"{before}{begin}\n{text}\n{end}{after}")
    for source, name in PLOTS.items():
        if (folder / source).is_file():
            outputs.copy_whole(folder / source, page.parent / name)
    print(f"renewed: {page}")
