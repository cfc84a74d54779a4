# SPDX-License-Identifier: MIT
"""How soon fuzzing comes to what, as a page and as a plot."""

import statistics
import time
from typing import Iterable, Optional, Sequence

from bugs_lib import report, trials
from bugs_lib.trials import Trial, Trials

PLOT = """set logscale x 10
set xlabel "seconds of fuzzing"
set ylabel "share of the trials that have not come to it"
set yrange [0:1]
"""
COLOURS = {"reached": "#228833", "triggered": "#ccbb44", "detected": "#4477aa"}
FIRST = 0.01  # seconds; the axis has no 0


def of_rows(rows: Iterable[report.Row]) -> Trials:
    """By the name of the bug; of those that a fuzzer was asked for."""
    return {row["name"]: [Trial(*each) for each in row["answers"][report.FUZZER]["trials"]]
            for row in rows if (row["answers"].get(report.FUZZER) or {}).get("trials")}


def came_to(all_of_them: Iterable[Trial]) -> dict[str, list[tuple[float, float]]]:
    """(seconds, spent) of all trials of which it is known."""
    both = list(all_of_them)
    columns: dict[str, list[Optional[float]]] = {
        "reached": [each.reached for each in both],
        "triggered": [each.triggered for each in both],
        "detected": [each.detected for each in both]}
    return {name: [(seconds, each.spent) for seconds, each in zip(column, both)
                   if seconds is not None] for name, column in columns.items()}


def plot(every: Trials, limit: int) -> str:
    """What gnuplot reads."""
    blocks, lines = [], []
    for name, pairs in came_to(each for some in every.values() for each in some).items():
        if pairs:
            curve = [(max(seconds, FIRST), share) for seconds, share in trials.survival(pairs)]
            curve.append((float(limit), curve[-1][1]))
            points = "".join(f"{seconds:.3f} {share:.5f}\n" for seconds, share in curve)
            blocks.append(f"${name} << END\n{points}END\n")
            lines.append(f'${name} with steps linewidth 2 linecolor rgb "{COLOURS[name]}" '
                         f'title "not {name}"')
    return f"{PLOT}set xrange [{FIRST}:{limit}]\n{''.join(blocks)}plot {', '.join(lines)}\n"


def share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({report.percent(part, whole):.1f} %)"


def seconds_cell(seconds: Sequence[float]) -> str:
    median, lower, upper = trials.median_interval(seconds)
    return f"{trials.show(median)} [{trials.show(lower)}, {trials.show(upper)}]"


def count_cell(seconds: Sequence[Optional[float]]) -> str:
    """Empty: not known."""
    return "" if None in seconds else f"{trials.count(seconds)}/{len(seconds)}"


def row_of(bug: str, each: Sequence[Trial]) -> list[str]:
    return [bug, count_cell([trial.reached for trial in each]),
            count_cell([trial.triggered for trial in each]),
            count_cell([trial.detected for trial in each]),
            seconds_cell([trial.detected for trial in each]),
            report.show_operations(int(statistics.median(trial.executions for trial in each)))]


def summary(every: Trials) -> list[str]:
    together = [each for some in every.values() for each in some]
    seeds = sorted({len(some) for some in every.values()})
    lines = [f"{len(every)} bugs, {len(together)} trials ({' to '.join(map(str, seeds))} of each)"]
    for name, pairs in came_to(together).items():
        times = [seconds for seconds, _ in pairs]
        if times:
            lines.append(f"{name}: {share(trials.count(times), len(times))}, in seconds "
                         f"{seconds_cell(times)}")
    silent = [bug for bug, some in every.items()
              if trials.count(each.detected for each in some) == 0]
    if silent:
        lines.append(f"in no trial: {', '.join(sorted(silent))}")
    return lines


def markdown(every: Trials, limit: int, machine: str) -> str:
    """docs/bugs-trials.md."""
    def late(item: tuple[str, list[Trial]]) -> tuple[float, str]:
        return -trials.median_interval([each.detected for each in item[1]])[0], item[0]

    lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "<!-- Written by `make bugs SEEDS=20`: do not edit. -->",
        "# How soon fuzzing finds which bug", "",
        "`make bugs SEEDS=20` fuzzes a tree with each planted bug of the library from an empty "
        "corpus, on one core, once with each seed. As in Magma, a bug is *reached* when the lines "
        "that it changes are executed (if these are no statements, the beginning of what they are "
        "in), *triggered* when a condition that its patch states holds there, so that it does "
        "something else, and *detected* when heaplab says so. The marks that tell are no branch "
        "and no comparison that a fuzzer could be led by ([fuzz/bugs/marks.h](../fuzz/bugs/marks.h)).",
        "", f"Measured on {time.strftime('%Y-%m-%d')}, {machine}; {limit} s for each trial at most.",
        "", *(f"- {line}" for line in summary(every)), "",
        "![the share of the trials that have not yet come to it, over time](bugs-trials.svg)", "",
        "Brackets hold an interval for the median: 95 %, by ranks. The later half of the bugs:", "",
        *report.table(["bug", "reached", "triggered", "detected", "median seconds", "executions"],
                      [row_of(bug, each) for bug, each in
                       sorted(every.items(), key=late)[: (len(every) + 1) // 2]]), "",
        "Two versions of the harness are compared by their build/bugs/trials.tsv: "
        "`scripts/bugs --compare BEFORE AFTER` gives Vargha and Delaney's A12 and Mann and "
        "Whitney's U for each bug, corrected for their number, and a sign test over all.", "",
    ]
    return "\n".join(lines)
