# SPDX-License-Identifier: MIT
"""How much memory the recorded programs need at least, by placement policy and layout: bytes of the
region over bytes that are asked for at the most, beside the proved bound of first fit."""

import math
import sys
from pathlib import Path
from typing import Iterable, Optional, Sequence

from bench_lib import measuring
from bench_lib.heap import SEEDS
from bench_lib.measuring import Unusable

QUICK_SCRIPTS = 2
BOUNDED = ("first-fit", "classic", "lean", "wide")  # by Robson's theorem


class Need:
    """What one policy needs for one script, in bytes."""

    def __init__(self, words: Sequence[str]) -> None:
        self.policy, self.alignment, self.needed = words[0], int(words[1]), int(words[2])
        self.sides = [(int(words[i]), int(words[i + 1])) for i in (3, 5)]

    @property
    def name(self) -> str:
        return f"{self.policy}/{self.alignment}"

    def bound(self) -> Optional[float]:
        """First fit needs at most M (1 + log2 N), on each side. None: it is another policy."""
        if not self.policy.startswith(BOUNDED):
            return None
        return sum(peak * (1 + math.log2(largest)) for peak, largest in self.sides if peak)


class Script:
    def __init__(self, name: str, text: str) -> None:
        lines = [line.split("\t") for line in text.splitlines()]
        if not lines or lines[0][0] != "peak" or len(lines[0]) != 3:
            raise Unusable(f"{name}: the program says nothing of what is needed")
        self.name = name
        self.peak_bytes, self.peak_blocks = map(int, lines[0][1:])
        self.needs = [Need(words) for words in lines[1:]]


def measure_all(program: Path, quick: bool, scripts: Iterable[str] = ()) -> list[Script]:
    """[Script]: the seed corpus's (of which --quick takes some), and more."""
    paths = sorted(SEEDS.glob("recorded-*.txt"))
    if not paths:
        raise Unusable(f"{SEEDS} has no recorded programs")
    return measuring.in_parallel(
        lambda path: Script(path.stem.removeprefix("recorded-"),
                            measuring.run([str(program), "--needs", str(path)])),
        [*(paths[:QUICK_SCRIPTS] if quick else paths), *map(Path, scripts)])


def rows(scripts: Sequence[Script]) -> list[tuple[str, list[float], Optional[list[float]]]]:
    """(name, ratios, ratios that are proved to suffice, or None) of each policy: bytes needed over
    bytes asked for, in the scripts that it can play, in ascending order."""
    found = []
    for i, first in enumerate(scripts[0].needs):
        ratios = sorted(script.needs[i].needed / script.peak_bytes for script in scripts
                        if script.needs[i].needed)
        found_bounds = (script.needs[i].bound() for script in scripts)
        bounds = [bound for bound in found_bounds if bound is not None]
        proved = None if len(bounds) < len(scripts) else sorted(
            bound / script.peak_bytes for bound, script in zip(bounds, scripts))
        found.append((first.name, ratios, proved))
    return found


def lacking(ratios: Sequence[float], scripts: Sequence[Script]) -> str:
    count = len(scripts) - len(ratios)
    return f"  (without {count} that need a larger region than it has)" if count else ""


def problems(scripts: Iterable[Script]) -> list[str]:
    """Where more is needed than is proved to suffice, in words."""
    return [f"{script.name}: {need.name} needs {need.needed} bytes, more than the bound, "
            f"{bound:.0f}" for script in scripts for need in script.needs
            if (bound := need.bound()) is not None and need.needed > bound + 64]


def print_table(scripts: Sequence[Script]) -> int:
    """How many of them need more than is proved to suffice."""
    print("\nmemory needed for each byte asked for at the most, over "
          f"{len(scripts)} recorded programs")
    print(f"  {'policy/alignment':<20}{'least':>8}{'median':>8}{'most':>8}{'proved at most':>18}")
    for name, ratios, bounds in rows(scripts):
        proved = "-" if bounds is None else f"{bounds[0]:.2f} to {bounds[-1]:.2f}"
        print(f"  {name:<20}{ratios[0]:>8.2f}{ratios[len(ratios) // 2]:>8.2f}{ratios[-1]:>8.2f}"
              f"{proved:>18}{lacking(ratios, scripts)}")
    found = problems(scripts)
    for problem in found:
        print(f"  ABOVE THE BOUND: {problem}")
    sys.stdout.flush()
    return len(found)
