# SPDX-License-Identifier: MIT
"""Fuzzing, trial by trial: how many reached, triggered and detected a bug, and when, and whether one
set of trials is better than another one. A trial that did not come to something in its time is
censored: it counts as later than all that did."""

import math
import pathlib
import statistics
from types import ModuleType
from typing import Iterable, NamedTuple, Optional, Sequence

from common_lib.script import SetupError

NEVER = math.inf
COLUMNS = ("bug", "seed", "reached", "triggered", "detected", "spent", "executions")
UNKNOWN = "?"  # in a column: nothing could be marked, or the patch states no condition
LEVEL = 0.05  # what is less likely than that by chance is called a difference
BETTER, WORSE = "better", "worse"


class Trial(NamedTuple):
    """One run of a fuzzer from an empty corpus. Seconds; NEVER: not up to its end."""

    seed: int
    reached: Optional[float]  # the changed lines; None: they cannot be marked
    triggered: Optional[float]  # the condition that the patch states; None: it states none
    detected: float
    spent: float
    executions: int


Trials = dict[str, list[Trial]]  # by the name of the bug


# ---- one set


def median_interval(seconds: Sequence[float], confidence: float = 0.95
                    ) -> tuple[float, float, float]:
    """(median, lower, upper): an interval that needs nothing to be known of the distribution, by
    ranks. With few values it is as wide as they are."""
    ordered = sorted(seconds)
    n = len(ordered)
    rank, tail = 0, 0.5 ** n
    while tail <= (1 - confidence) / 2 and rank < (n - 1) // 2:
        rank += 1
        tail += math.comb(n, rank) * 0.5 ** n
    rank = max(rank - 1, 0) if tail > (1 - confidence) / 2 else rank
    return statistics.median_high(ordered), ordered[rank], ordered[n - 1 - rank]


def survival(trials: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Kaplan and Meier's curve of (seconds, spent): [(time, share that has not come to it)]."""
    waiting = sorted((min(seconds, spent), seconds == NEVER) for seconds, spent in trials)
    curve, share = [(0.0, 1.0)], 1.0
    for number, (seconds, is_censored) in enumerate(waiting):
        if not is_censored:
            left = len(waiting) - number
            share *= (left - 1) / left
            if curve[-1][0] == seconds:
                curve.pop()
            curve.append((seconds, share))
    return curve


def count(seconds: Iterable[Optional[float]]) -> int:
    return sum(value is not None and value != NEVER for value in seconds)


# ---- two sets


def a12(one: Sequence[float], other: Sequence[float]) -> float:
    """Vargha and Delaney's measure: how likely a trial of `one` is sooner than one of `other`; half
    of those that are equal count. 0.5: no difference."""
    sooner = sum((a < b) + 0.5 * (a == b) for a in one for b in other)
    return sooner / (len(one) * len(other))


def need_scipy() -> ModuleType:
    """SetupError if it is not there: what takes long asks before it begins."""
    try:
        from scipy import stats
    except ImportError:
        raise SetupError("python3-scipy is missing, which tests differences: install it with "
                         "scripts/bootstrap trials") from None
    module: ModuleType = stats
    return module


def u_test(one: Sequence[float], other: Sequence[float]) -> float:
    """Mann and Whitney's U: how likely so great a difference is by chance, in either direction."""
    stats = need_scipy()
    if len(set(one) | set(other)) == 1:
        return 1.0
    latest = 1 + 2 * max((value for value in (*one, *other) if value != NEVER), default=0.0)
    finite = [[min(value, latest) for value in values] for values in (one, other)]
    return float(stats.mannwhitneyu(*finite, alternative="two-sided").pvalue)


def holm(chances: Sequence[float]) -> list[float]:
    """What is left of each when so many are asked at once (Holm's correction)."""
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    adjusted, least = [0.0] * len(chances), 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, chances[i] * (len(chances) - place)))
        adjusted[i] = least
    return adjusted


def sign_test(better: int, worse: int) -> float:
    """How likely so uneven a division is by chance, in either direction."""
    n, least = better + worse, min(better, worse)
    tail = sum(math.comb(n, k) for k in range(least + 1)) * 0.5 ** n
    return min(1.0, 2 * tail)


class Difference(NamedTuple):
    bug: str
    before: float  # medians, in seconds
    after: float
    a12: float  # of the later ones: above 0.5 they are sooner
    p: float  # corrected for how many bugs were compared

    @property
    def verdict(self) -> str:
        if self.p >= LEVEL:
            return ""
        return BETTER if self.a12 > 0.5 else WORSE


def compare(before: Trials, after: Trials) -> list[Difference]:
    """Of the bugs that both have."""
    names = sorted(before.keys() & after.keys())
    if not names:
        raise SetupError("the two have no bug in common")
    times = [([trial.detected for trial in before[name]], [trial.detected for trial in after[name]])
             for name in names]
    chances = holm([u_test(new, old) for old, new in times])
    return [Difference(name, statistics.median_high(old), statistics.median_high(new),
                       a12(new, old), p)
            for name, (old, new), p in zip(names, times, chances)]


def show(seconds: float) -> str:
    return "never" if seconds == NEVER else f"{seconds:.2f}"


def comparison(differences: Sequence[Difference]) -> list[str]:
    """As lines; the last one is the answer."""
    lines = [f"{'bug':<44} {'before':>8} {'after':>8} {'A12':>5} {'p':>7}"]
    for each in sorted(differences, key=lambda each: (each.p, each.bug)):
        lines.append(f"{each.bug:<44} {show(each.before):>8} {show(each.after):>8} "
                     f"{each.a12:>5.2f} {each.p:>7.4f} {each.verdict}".rstrip())
    sides = [each.a12 for each in differences]
    sooner, later = sum(a > 0.5 for a in sides), sum(a < 0.5 for a in sides)
    chance = sign_test(sooner, later)
    clearly = [sum(each.verdict == verdict for each in differences) for verdict in (BETTER, WORSE)]
    lines.append(f"{len(differences)} bugs: {clearly[0]} found clearly sooner, {clearly[1]} clearly "
                 f"later (p < {LEVEL}, U with Holm's correction)")
    answer = "no difference" if chance >= LEVEL else "sooner" if sooner > later else "later"
    lines.append(f"over all bugs: {answer} (mean A12 {statistics.fmean(sides):.3f}; sooner {sooner}, "
                 f"later {later}, sign test p = {chance:.4f})")
    return lines


# ---- files


def tsv(trials: Trials) -> str:
    lines = ["\t".join(COLUMNS)]
    for bug, each in trials.items():
        for trial in each:
            cells = [field(trial.reached), field(trial.triggered), field(trial.detected),
                     f"{trial.spent:.3f}"]
            lines.append("\t".join([bug, str(trial.seed), *cells, str(trial.executions)]))
    return "".join(f"{line}\n" for line in lines)


def field(seconds: Optional[float]) -> str:
    return UNKNOWN if seconds is None else "" if seconds == NEVER else f"{seconds:.3f}"


def seconds_of(text: str) -> Optional[float]:
    return None if text == UNKNOWN else float(text) if text else NEVER


def read(path: pathlib.Path) -> Trials:
    """SetupError if it is not what tsv() writes."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SetupError(f"{path}: cannot be read: {reason}") from None
    if not lines or tuple(lines[0].split("\t")) != COLUMNS:
        raise SetupError(f"{path}: line 1: no table of trials: `make bugs` writes one")
    trials: Trials = {}
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        try:
            bug, seed, reached, triggered, detected, spent, executions = cells
            trial = Trial(int(seed), seconds_of(reached), seconds_of(triggered),
                          float(detected) if detected else NEVER, float(spent), int(executions))
        except ValueError:
            raise SetupError(f"{path}: line {number} is no trial") from None
        trials.setdefault(bug, []).append(trial)
    if not trials:
        raise SetupError(f"{path}: holds no trial")
    return trials
