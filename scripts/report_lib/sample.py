# SPDX-License-Identifier: MIT
"""What random scripts say about what fuzzing has missed: `heaplab random` plays scripts that depend
on a seed alone, not on what was found, and the share that fails has an interval (Clopper and
Pearson, Biometrika 26(4), 1934)."""

import math
import pathlib
import re
from typing import Any, Callable, Optional

from fuzz_lib import program

CONFIDENCE = 0.95
SECONDS_MAX, SECONDS_MIN = 60, 1
SHARE_OF_RUN = 0.02
BISECTIONS = 80

SUMMARY = re.compile(r"^(\d+) scripts with seed (\d+), (\d+) operations: ", re.MULTILINE)
FAILURE = re.compile(r"^ *(\d+) (?!known)(\S.*)$", re.MULTILINE)


def at_most(k: int, n: int, p: float) -> float:
    """The probability of k or fewer of n, each with probability p."""
    if p <= 0:
        return 1.0
    if p >= 1:
        return 1.0 if k >= n else 0.0
    log = n * math.log1p(-p)
    total = math.exp(log)
    for i in range(1, k + 1):
        log += math.log((n - i + 1) / i) + math.log(p) - math.log1p(-p)
        total += math.exp(log)
    return min(1.0, total)


def bisect(wanted: float, function: Callable[[float], float]) -> float:
    """Where a function that falls from 1 to 0 has the value `wanted`."""
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if function(middle) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def interval(k: int, n: int) -> tuple[float, float]:
    """Of the share, after k of n. With k = 0 it is one-sided: from 0 to the upper bound."""
    tail = 1 - CONFIDENCE
    if k == 0:
        return 0.0, bisect(tail, lambda p: at_most(0, n, p))
    upper = 1.0 if k == n else bisect(tail / 2, lambda p: at_most(k, n, p))
    lower = bisect(1 - tail / 2, lambda p: at_most(k - 1, n, p))
    return lower, upper


def take(root: pathlib.Path, run_seconds: float, seed: int,
         known: Optional[pathlib.Path]) -> Optional[dict[str, Any]]:
    """Plays them for a fiftieth of the run's time. None: it could not be done."""
    seconds = max(SECONDS_MIN, min(SECONDS_MAX, int(run_seconds * SHARE_OF_RUN)))
    command = ["build/fuzz/heaplab", "random", "--seconds", str(seconds), "--seed", str(seed),
               "--keep-going"]
    command += ["--known", str(known)] if known is not None else []
    done = program.run(command, root, seconds * 2 + 30)
    match = SUMMARY.search(done.text)
    if done.hung or match is None:
        return None
    failures = [(int(count), text) for count, text in FAILURE.findall(done.text[match.end():])]
    return {"scripts": int(match[1]), "seed": int(match[2]), "operations": int(match[3]),
            "failed": sum(count for count, _ in failures),
            "signatures": [text for _, text in failures]}
