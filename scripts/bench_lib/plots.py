# SPDX-License-Identifier: MIT
"""Draws what a call costs against live blocks, and memory against live bytes, by gnuplot."""

import sys
from pathlib import Path
from typing import Callable, Optional

from bench_lib import heap
from bench_lib.heap import Column, Matrices, Matrix
from bench_lib.measuring import Row, Unusable
from common_lib import gnuplot

Point = tuple[float, float]
MEAN_BYTES = (16 + 143) / 2
STYLE = """set logscale x 10
set format x "10^{%L}"
"""
COST = """set logscale y 10
set xlabel "live blocks"
set ylabel "instructions, one free and one allocation"
"""
MEMORY = """set yrange [1:]
set xlabel "live bytes"
set ylabel "bytes of memory in use, for each live byte"
"""
# What is drawn, and in which colour.
LINES = {heap.FIRST: "#4477aa", "mimalloc": "#228833", "jemalloc": "#ccbb44", "tcmalloc": "#aa3377",
         "heap": "#000000", "heap, guard 1": "#888888", "heap, guard 2": "#bbbbbb",
         "plug-in": "#ee6677"}


def curves(matrix: Matrix,
           point: Callable[[Column, Row], Optional[Point]]) -> dict[str, list[Point]]:
    """{name: [(x, y)]} of those that have two points or more; point(column, row) gives one, or
    None."""
    found = {}
    for name in LINES:
        cells = ((column, matrix.cells.get((name, column.title))) for column in matrix.columns)
        made = (point(column, row) for column, row in cells if row is not None)
        points = [one for one in made if one is not None]
        if len(points) > 1:
            found[name] = points
    return found


def cost(column: Column, row: Row) -> Optional[Point]:
    return column.live, row.instructions


def memory(column: Column, row: Row) -> Optional[Point]:
    return None if row.memory is None else (column.live * MEAN_BYTES, row.memory)


def program_text(settings: str, lines: dict[str, list[Point]]) -> str:
    """What gnuplot reads, data included."""
    blocks = "".join(f"$line{i} << END\n" + "".join(f"{x} {y}\n" for x, y in points) + "END\n"
                     for i, points in enumerate(lines.values()))
    plots = ", ".join(f'$line{i} with linespoints linewidth {3 if name == "heap" else 1.5} '
                      f'linecolor rgb "{LINES[name]}" pointtype 7 pointsize 0.5 title "{name}"'
                      for i, name in enumerate(lines))
    return f"{STYLE}{settings}{blocks}plot {plots}\n"


def draw_one(path: Path, settings: str, lines: dict[str, list[Point]]) -> None:
    said = gnuplot.draw(path, program_text(settings, lines))
    if said:
        raise Unusable(f"gnuplot: {said}")


def draw(matrices: Matrices, folder: Path) -> None:
    """cost.svg and memory.svg in the folder; nothing where gnuplot is missing, which is said."""
    if not gnuplot.is_there():
        print("bench: without plots: gnuplot is missing; to have them: scripts/bootstrap bench",
              file=sys.stderr)
        return
    for name, settings, point in (("cost", COST, cost), ("memory", MEMORY, memory)):
        lines = curves(matrices["head"], point)
        if lines:
            draw_one(folder / f"{name}.svg", settings, lines)
            print(f"plot: {(folder / f'{name}.svg')}")
