# SPDX-License-Identifier: MIT
"""One case of bench/ as a row, and how it is measured: instructions and cache misses by callgrind,
times and memory without it."""

import functools
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterable, Optional, Sequence, TypeVar

from common_lib.script import KEEPER, SetupError

Item = TypeVar("Item")
Made = TypeVar("Made")

ROOT = Path(__file__).resolve().parent.parent.parent
OPTIONS = ROOT / "valgrind" / "callgrind.options"
TIMED_RUNS = 5
TIMEOUT_SECONDS = 1200
MEASURED = "bench_measure"
MIMALLOC, JEMALLOC, TCMALLOC = "libmimalloc.so.2", "libjemalloc.so.2", "libtcmalloc_minimal.so.4"
TALLOC, APR = "libtalloc.so.2", "libapr-1.so.0"
CANNOT = 3  # the program's exit status where its library cannot do what a case asks for

# What is timed should take so many instructions, but not in fewer or more operations than these.
TIMED_INSTRUCTIONS = 200_000_000
TIMED_MIN, TIMED_MAX = 200, 1_000_000


class Unusable(SetupError):
    """Nothing can be measured; the text says why and what to do."""


class Refused(Unusable):
    """This case cannot be measured in this build; the text says why."""


class Row:
    """One case, what of it is counted, and for how many operations per n."""

    def __init__(self, case: str, functions: str = MEASURED, name: Optional[str] = None,
                 square: bool = False, library: Optional[str] = None, preload: bool = False,
                 build: Optional[str] = None, options: Iterable[object] = ()) -> None:
        self.case, self.functions, self.name = case, functions, name or case
        self.square = square  # n is the side of a square
        self.library, self.preload = library, preload  # what else must be there
        self.build = build  # of build/, if not PROGRAM's
        self.options = tuple(map(str, options))  # of the program, before the case
        self.instructions = self.misses = self.operations_per_n = 0.0  # until it is counted
        self.seconds: Optional[float] = None
        self.memory: Optional[float] = None

    def operations(self, n: int) -> int:
        return n * n if self.square else n

    def program(self, program: Path) -> Path:
        return program if self.build is None else program.parent.parent / self.build / program.name

    def command(self, program: Path, n: int) -> list[str]:
        return [str(self.program(program)), *self.options, self.case, str(n)]

    def environment(self) -> dict[str, str]:
        # LD_BIND_NOW: else the first call of each function counts its search.
        preloaded = self.library if self.preload else None
        return {"LD_BIND_NOW": "1"} | ({} if preloaded is None else {"LD_PRELOAD": preloaded})


class Group:
    """Rows that are compared with the first one of them."""

    def __init__(self, title: str, n: int, quick_n: int, rows: Sequence[Row],
                 budgets: Sequence["Budget"] = (), options: Sequence[str] = (),
                 memory_n: int = 0) -> None:
        self.title, self.n, self.quick_n, self.memory_n = title, n, quick_n, memory_n
        self.rows, self.budgets, self.options = rows, budgets, options


class Budget:
    """What must hold: a figure of a row, alone or divided by that of another row."""

    def __init__(self, row: str, figure: str, at_most: Optional[float] = None,
                 at_least: Optional[float] = None, beside: Optional[str] = None) -> None:
        self.row, self.figure, self.beside = row, figure, beside
        self.at_most, self.at_least = at_most, at_least

    def problem(self, rows: Iterable[Row]) -> Optional[str]:
        by_name = {row.name: row for row in rows}
        value = getattr(by_name[self.row], self.figure)
        name = f"{self.figure} of {self.row}"
        if self.beside is not None:
            value /= max(getattr(by_name[self.beside], self.figure), 1e-9)
            name += f" / {self.beside}"
        if self.at_most is not None and value > self.at_most:
            return f"{name}: {value:.2f}, more than {self.at_most}"
        if self.at_least is not None and value < self.at_least:
            return f"{name}: {value:.2f}, less than {self.at_least}"
        return None


def run(command: Sequence[str], **environment: str) -> str:
    try:
        done = KEEPER.run(command, TIMEOUT_SECONDS, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **environment})
    except FileNotFoundError as error:
        raise Unusable(f"{error.filename} is missing: scripts/bootstrap valgrind") from error
    if done.hung:
        raise Unusable(f"{command[-2:]}: no end after {TIMEOUT_SECONDS} s")
    said = (done.errors or done.output).decode(errors="replace").strip()[-300:]
    if done.status == CANNOT:
        raise Refused(said.removeprefix("bench: "))
    if done.status != 0:
        raise Unusable(f"{' '.join(map(str, command))}: exit status {done.status}: {said}")
    return str(done.output, errors="replace")


def read_options() -> list[str]:
    lines = OPTIONS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def read_counts(text: str) -> dict[str, int]:
    """{event: count} of a callgrind file."""
    events = re.search(r"^events: (.+)$", text, re.MULTILINE)
    totals = re.search(r"^totals: (.+)$", text, re.MULTILINE)
    if events is None or totals is None:
        raise Unusable("callgrind's file has no totals")
    return dict(zip(events[1].split(), map(int, totals[1].split())))


def read_figures(text: str) -> dict[str, list[float]]:
    """{word: numbers} of what the program prints, one line for each word."""
    lines = [line.split() for line in text.splitlines()]
    return {words[0]: [float(word) for word in words[1:]] for words in lines if words}


@functools.cache
def is_there(program: Path, library: str) -> bool:
    """Whether the loader finds it. To preload what is not there is only a warning."""
    done = subprocess.run([str(program), "--list"], capture_output=True, text=True, check=False,
                          env={**os.environ, "LD_PRELOAD": library})
    if done.returncode == 0 and "cannot be preloaded" not in done.stderr:
        return True
    print(f"bench: {library} is not there, its rows are left out; to have them: "
          "scripts/bootstrap bench", file=sys.stderr)
    return False


def count(program: Path, row: Row, n: int, options: Iterable[str]) -> None:
    toggles = [f"--toggle-collect={function}" for function in row.functions.split()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts"
        said = run(["valgrind", "-q", *read_options(), *options, *toggles,
                    f"--callgrind-out-file={path}", *row.command(program, n)],
                   **row.environment())
        counts = read_counts(path.read_text(encoding="utf-8"))
    if counts.get("Ir", 0) == 0:
        raise Unusable(f"callgrind never saw {row.functions} in the case {row.case}")
    operations = read_figures(said).get("operations", [row.operations(n)])[0]
    row.operations_per_n = operations / n
    row.instructions = counts["Ir"] / operations
    row.misses = (counts.get("D1mr", 0) + counts.get("D1mw", 0)) / operations


def measure(program: Path, row: Row, n: int) -> tuple[float, Optional[float]]:
    """(seconds, memory used for each byte asked for, if the case says so) of an operation, without
    callgrind."""
    figures = read_figures(run(row.command(program, n), **row.environment()))
    operations = figures.get("operations", [row.operations(n)])[0]
    memory = figures["memory"][0] / figures["memory"][1] if "memory" in figures else None
    return figures["seconds"][0] / operations, memory


def time_rows(program: Path, rows: Sequence[Row], show: Callable[[Row], object]) -> None:
    """An operation's seconds of each row, the best of several runs, and its memory. The rows take
    turns, so that a machine that is busy for a while disturbs the ratios little. After count;
    show(row) tells of progress."""
    for _ in range(TIMED_RUNS):
        for row in rows:
            show(row)
            wanted = min(max(TIMED_INSTRUCTIONS / row.instructions, TIMED_MIN), TIMED_MAX)
            n = int(max(wanted / row.operations_per_n, 1))
            seconds, row.memory = measure(program, row, n)
            row.seconds = min(seconds, row.seconds or seconds)


def in_parallel(work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, items))


def measure_group(program: Path, group: Group, quick: bool, times: bool) -> list[Row]:
    """The rows that were measured."""
    n = group.quick_n if quick else group.n
    rows = [row for row in group.rows if not (quick and (row.library or row.build))]
    rows = [row for row in rows if row.library is None or is_there(program, row.library)]
    in_parallel(lambda row: count(program, row, n, group.options), rows)
    for row in rows:
        if group.memory_n:
            row.memory = measure(program, row, group.memory_n)[1]
        if times and row.functions == MEASURED:
            row.seconds = min(measure(program, row, n)[0] for _ in range(TIMED_RUNS))
    return rows


def check_programs(program: Path, builds: Iterable[Optional[str]]) -> None:
    for build in builds:
        each = program if build is None else program.parent.parent / build / program.name
        if not each.is_file():
            raise Unusable(f"{each} does not exist; build it with make bench")


def print_build(program: Path) -> None:
    """With what the program was compiled, from what make keeps beside it."""
    try:
        compiler, _, flags = (program.parent / "flags").read_text(encoding="utf-8").splitlines()[:3]
    except (OSError, ValueError):
        return
    chosen = [flag for flag in flags.split() if flag.startswith(("-DTH_", "-O"))]
    print(f"{program.parent.name}: {compiler}, {' '.join(chosen)}")
