# SPDX-License-Identifier: MIT
"""What the tagged heap costs beside general allocators: matrices of allocators and cases, in which
instructions come first, time second, memory third; the first two as ratios to glibc's malloc in the
same run. And what is demanded of these ratios."""

import sys
from pathlib import Path
from typing import Collection, Iterable, Optional, Sequence

from bench_lib import measuring
from bench_lib.measuring import JEMALLOC, MIMALLOC, ROOT, TCMALLOC, Refused, Row

N, QUICK_N, SLOW_N = 20_000, 500, 100
GIB = 1 << 30
FIRST = "glibc"  # the allocator that the others are compared with
NO_CACHES = ("--cache-sim=no",)  # a third of the time

# What the recorder saw of real programs (docs/recording.md).
SEEDS = ROOT / "corpus" / "heap" / "seed"
PROGRAMS = ("cc1-optimizing", "jq-running", "lua-tables", "mawk", "perl-running", "python-running",
            "sort", "sqlite-queries", "wadcache")

MEMORY_LIVE_MIN = 1_000  # with fewer blocks the pages that a program has anyway weigh more


class Subject:
    """An allocator: its source in bench/, and what it is made with."""

    def __init__(self, name: str, source: str, library: Optional[str] = None,
                 build: Optional[str] = None, options: Sequence[object] = (),
                 live_max: Optional[int] = None, case_options: Sequence[object] = (),
                 slow: bool = False, quick: bool = True) -> None:
        self.name, self.source, self.library, self.build = name, source, library, build
        self.options, self.case_options = options, case_options
        self.slow = slow  # by orders of magnitude: column.slow_n
        self.live_max = live_max  # with more live blocks it takes too long to measure
        self.quick = quick  # whether it is measured in --quick, too

    def row(self, matrix: "Matrix", column: "Column") -> Row:
        return Row(f"{matrix.script}-{self.source}", name=f"{self.name}, {column.title}",
                   library=self.library, preload=self.library is not None, build=self.build,
                   options=(*column.options, *self.options, *self.case_options))


class Column:
    """A case that all allocators are measured in."""

    def __init__(self, title: str, options: Sequence[object] = (), live: int = 0, n: int = N,
                 quick_n: int = QUICK_N, slow_n: int = SLOW_N,
                 subjects: Optional[Collection[str]] = None) -> None:
        self.title, self.options, self.live = title, options, live
        self.n, self.quick_n, self.slow_n = n, quick_n, slow_n  # quick_n 0: not in --quick
        self.subjects = subjects  # the names of those that are measured; None: all


Cell = tuple[str, str]  # the subject's name, the column's title


class Matrix:
    def __init__(self, key: str, title: str, script: str, subjects: Sequence[Subject],
                 columns: Sequence[Column]) -> None:
        self.key, self.title, self.script = key, title, script
        self.subjects, self.columns = subjects, columns
        self.cells: dict[Cell, Row] = {}  # once measured


Matrices = dict[str, Matrix]  # by key


class Demand:
    """What issue 11 asks for: a cell's instructions are at most so many times another cell's."""

    def __init__(self, matrix: str, cell: Cell, beside: Cell, at_most: float) -> None:
        self.matrix, self.cell, self.beside, self.at_most = matrix, cell, beside, at_most

    def ratio(self, matrices: Matrices) -> Optional[float]:
        """None: not measured."""
        cells = matrices[self.matrix].cells
        if self.cell not in cells or self.beside not in cells:
            return None
        return cells[self.cell].instructions / cells[self.beside].instructions

    def __str__(self) -> str:
        return (f"{self.matrix}: {', '.join(self.cell)} / {', '.join(self.beside)}: "
                f"at most {self.at_most}")


LIVE = (10, 100, 1_000, 10_000, 100_000)
MILLION = "1,000,000 in 1 GiB"


def number(value: int) -> str:
    return f"{value:,}"


# The numbers of issue 11, "Must show, as ratios in one run".
DEMANDS = [
    *(Demand(key, ("heap", number(live)), (FIRST, number(live)), 2)
      for key in ("head", "sides") for live in (10, 100, 1_000, 10_000)),
    *(Demand(key, ("heap", number(100_000)), ("heap", number(100)), 1.5)
      for key in ("head", "sides")),
    Demand("head", ("heap", MILLION), ("heap", number(1_000)), 2),
    *(Demand("guards", (f"level {level}", number(live)), ("level 0", number(live)), at_most)
      for level, at_most in ((1, 1.5), (2, 2.5)) for live in (10, 100, 1_000)),
]


def peers() -> list[Subject]:
    return [Subject(FIRST, "malloc"),
            *(Subject(name, "malloc", library, quick=False)
              for name, library in (("mimalloc", MIMALLOC), ("jemalloc", JEMALLOC),
                                    ("tcmalloc", TCMALLOC)))]


def guarded(level: int, name: str, source: str = "heap") -> Subject:
    # The validator of level 3 looks at everything, at every call.
    slow = level == 3
    return Subject(name, source, build="guarded", options=("--guard", level), quick=False,
                   slow=slow, live_max=1_000 if slow else None,
                   case_options=("--warm", 0) if slow else ())


def plugins(plugin: Optional[str]) -> list[Subject]:
    return [] if plugin is None else [Subject("plug-in", "plugin", options=("--plugin", plugin))]


def live_columns(*options: object) -> list[Column]:
    return [Column(number(live), ("--live", live, *options), live,
                   quick_n=QUICK_N if live <= 1_000 else 0) for live in LIVE]


def make_matrices(plugin: Optional[str] = None, scripts: Iterable[str] = ()) -> Matrices:
    """{key: Matrix}; with one more allocator, and more recorded programs."""
    layouts = [Subject(f"heap, {name}", "heap", options=("--layout", name), quick=name == "lean")
               for name in ("lean", "wide")]
    walk = Subject("heap, no index", "heap", options=("--index", "none"), live_max=1_000)
    general = [*peers(), Subject("heap", "heap"), *layouts, *plugins(plugin)]
    levels = [guarded(level, f"heap, guard {level}") for level in range(4)]
    million = Column(MILLION, ("--live", 1_000_000, "--region", GIB), 1_000_000, quick_n=0,
                     subjects=(FIRST, "mimalloc", "jemalloc", "tcmalloc", "heap", "plug-in"))
    recorded = [Column(name, ("--script", path), n=10, quick_n=1, slow_n=1) for name, path in (
        *((name, SEEDS / f"recorded-{name}.txt") for name in PROGRAMS),
        *((Path(path).stem, path) for path in scripts))]
    comb = [Column(number(live), ("--live", live), live, n=200 if live > 1_000 else 2_000,
                   quick_n=200 if live <= 1_000 else 0) for live in LIVE[1:]]
    matrices = [
        Matrix("head", "Random mix: one of the live blocks is freed and one of 16 to 143 bytes "
               "allocated in its place; the heap's are all HEAD", "churn",
               [*general, walk, *levels, Subject("the loop alone", "nothing")],
               [*live_columns(), million]),
        Matrix("sides", "The same, the heap's blocks HEAD and TAIL at random", "sides",
               [Subject(FIRST, "malloc"), Subject("heap", "heap"), *layouts, walk, *levels],
               live_columns()),
        Matrix("guards", "The same with 16 to 256 bytes, by guard level", "sides",
               [Subject(FIRST, "malloc"), Subject("without guards", "heap"),
                *(guarded(level, f"level {level}") for level in range(4))],
               live_columns("--most", 256)[:3]),
        Matrix("shared", "The random mix in a heap that processes share, by guard level", "churn",
               [Subject(FIRST, "malloc"), Subject("not shared", "heap"),
                Subject("shared", "shared"),
                *(guarded(level, f"{name}, guard {level}", source) for level in range(3)
                  for name, source in (("not shared", "heap"), ("shared", "shared")))],
               live_columns()[2:3]),
        Matrix("programs", "Recorded programs: a call, from the first one to the last block freed",
               "replay", [*general, *levels[1:]], recorded),
        Matrix("comb", "The worst for a walk: every other of the live blocks, of 16 bytes, was "
               "freed; one of 128 bytes is allocated and freed", "comb", [*general, walk], comb),
    ]
    return {matrix.key: matrix for matrix in matrices}


# ---- measuring -----------------------------------------------------------------------------------


Planned = tuple[Subject, Column, int]  # the last is n


def planned(program: Path, matrix: Matrix, quick: bool) -> list[Planned]:
    found = []
    for column in matrix.columns:
        n = column.quick_n if quick else column.n
        for subject in matrix.subjects:
            if (n and not (quick and not subject.quick) and
                    (column.subjects is None or subject.name in column.subjects) and
                    (subject.live_max is None or column.live <= subject.live_max) and
                    (subject.library is None or measuring.is_there(program, subject.library))):
                found.append((subject, column, min(n, column.slow_n) if subject.slow else n))
    return found


def measure_matrix(program: Path, matrix: Matrix, quick: bool, times: bool,
                   progress: "Progress") -> dict[str, list[str]]:
    """What could not be measured, and why: {reason: [names]}."""
    refused: dict[str, list[str]] = {}

    def measure(planned_cell: Planned) -> None:
        subject, column, n = planned_cell
        row = subject.row(matrix, column)
        try:
            measuring.count(program, row, n, NO_CACHES)
        except Refused as error:
            refused.setdefault(str(error), []).append(row.name)
            return
        finally:
            progress.step(f"{matrix.key}: {row.name}")
        matrix.cells[subject.name, column.title] = row

    measuring.in_parallel(measure, planned(program, matrix, quick))
    if times:
        for column in measured_columns(matrix):
            rows = [row for (_, title), row in matrix.cells.items() if title == column.title]
            measuring.time_rows(program, rows,
                                lambda row: progress.show(f"{matrix.key}: {row.name}, time"))
            for row in rows if column.live < MEMORY_LIVE_MIN else ():
                row.memory = None
    return refused


class Progress:
    """For a person who waits, on a terminal; a log gets each matrix when it is complete."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.seen = sys.stderr is not None and sys.stderr.isatty()

    def show(self, what: str) -> None:
        if self.seen:
            print(f"\r\033[K{self.done} of {self.total}: {what}", end="", file=sys.stderr,
                  flush=True)

    def step(self, what: str) -> None:
        self.done += 1
        self.show(what)

    def clear(self) -> None:
        if self.seen:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


# ---- what is printed -----------------------------------------------------------------------------


def figure_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def cell_texts(row: Row, beside: Optional[Row]) -> dict[str, Optional[str]]:
    """What the three tables show of a cell; None: it has no such figure."""
    ratio = None if beside is None or row is beside else row.instructions / beside.instructions
    instructions = figure_text(row.instructions) + (f" ({ratio:.2f})" if ratio is not None else "")
    seconds = None
    if row.seconds is not None and beside is not None and beside.seconds is not None:
        seconds = f"{row.seconds / beside.seconds:.2f}"
    memory = None if row.memory is None else f"{row.memory:.2f}"
    return {"instructions": instructions, "time": seconds, "memory": memory}


TABLES = (("instructions", "instructions per operation (ratio to glibc)"),
          ("time", "time, as a ratio to glibc"),
          ("memory", "memory that came into use, for each live byte"))


def measured_columns(matrix: Matrix) -> list[Column]:
    return [column for column in matrix.columns
            if any(title == column.title for _, title in matrix.cells)]


def table_rows(matrix: Matrix, table: str) -> list[list[str]]:
    """[name, text of each measured column...] of each allocator that has a figure in this table."""
    rows = []
    for subject in matrix.subjects:
        texts = []
        for column in measured_columns(matrix):
            row = matrix.cells.get((subject.name, column.title))
            beside = matrix.cells.get((FIRST, column.title))
            texts.append(None if row is None else cell_texts(row, beside)[table])
        if any(texts):
            rows.append([subject.name, *(text or "-" for text in texts)])
    return rows


def print_matrix(matrix: Matrix, refused: dict[str, list[str]]) -> None:
    print(f"\n{matrix.title}")
    for table, title in TABLES:
        rows = table_rows(matrix, table)
        if not rows:
            continue
        heads = ["  " + title, *(column.title for column in measured_columns(matrix))]
        widths = [max(len(cells[i]) for cells in [heads, *rows]) for i in range(1, len(heads))]
        print(heads[0])
        print("    " + " " * 16 + "".join(f"{head:>{width + 2}}"
                                          for head, width in zip(heads[1:], widths)))
        for cells in rows:
            print(f"    {cells[0]:<16}" + "".join(f"{cell:>{width + 2}}"
                                                  for cell, width in zip(cells[1:], widths)))
    for reason, names in sorted(refused.items()):
        print(f"  not measured ({reason}): {'; '.join(sorted(names))}")
    sys.stdout.flush()


def print_demands(matrices: Matrices, quick: bool) -> int:
    """How many are not held, or (but in --quick) not measured."""
    print("\ndemanded (issue 11), as ratios of instructions")
    missed = held = 0
    for demand in DEMANDS:
        ratio = demand.ratio(matrices)
        if ratio is None:
            word = "not measured"
            missed += not quick
        elif ratio <= demand.at_most:
            word = f"held: {ratio:.2f}"
            held += 1
        else:
            word = f"not held: {ratio:.2f}"
            missed += 1
        print(f"  {str(demand):<84} {word}")
    print(f"\n{held} of {len(DEMANDS)} demands held")
    return missed


def write_table(matrices: Matrices, path: Path) -> None:
    """All figures, for other programs: one line each."""
    lines = ["matrix\tcase\tallocator\tinstructions\tseconds\tmemory"]
    for matrix in matrices.values():
        for (subject, column), row in matrix.cells.items():
            figures = (row.instructions, row.seconds, row.memory)
            lines.append("\t".join([matrix.key, column, subject,
                                    *("" if f is None else f"{f:.9g}" for f in figures)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure_all(program: Path, quick: bool, times: bool, plugin: Optional[str],
                scripts: Iterable[str]) -> tuple[Matrices, int]:
    """The matrices, measured, and how many demands are missed."""
    matrices = make_matrices(plugin, scripts)
    measuring.check_programs(program, {subject.build for matrix in matrices.values()
                                       for subject in matrix.subjects
                                       if subject.quick or not quick})
    progress = Progress(sum(len(planned(program, m, quick)) for m in matrices.values()))
    for matrix in matrices.values():
        refused = measure_matrix(program, matrix, quick, times, progress)
        progress.clear()
        print_matrix(matrix, refused)
    return matrices, print_demands(matrices, quick)
