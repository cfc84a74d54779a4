# SPDX-License-Identifier: MIT
"""What a run's corpus reaches, and what it does not: which operations of the heap follow which, by
`heaplab pairs`; and which sides of branches are never taken, as `make coverage-heap` has measured it
last (build/coverage/corpus.json)."""

import itertools
import json
import pathlib
import re
import time
from typing import Any, Iterator, Optional, Sequence, TypeGuard

from fuzz_lib import program

CORPORA = ("build/corpus/heap", "build/fuzz-corpus/heap")
FILES_AT_ONCE = 500
SECONDS_MAX = 30
MEASURED = "build/coverage/corpus.json"
FIRST = re.compile(r"^(\d+) scripts, (\d+) operations$", re.MULTILINE)
PAIR = re.compile(r"^([a-z-]+) ([a-z-]+) (\d+)$", re.MULTILINE)
LINE = re.compile(r"^([^:]+):\d+:\d+:")  # of a place, which moves when other lines come and go
Reached = dict[str, Any]


def batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at:at + FILES_AT_ONCE] for at in range(0, len(names), FILES_AT_ONCE))


def pairs(root: pathlib.Path) -> Optional[Reached]:
    """None: it could not be counted."""
    names = [str(path.relative_to(root)) for folder in CORPORA
             for path in sorted((root / folder).glob("*")) if path.is_file()]
    counts: dict[str, int] = {}
    scripts = operations = 0
    end = time.monotonic() + SECONDS_MAX
    for batch in batches(names):
        left = end - time.monotonic()
        done = program.run(["build/fuzz/heaplab", "pairs", "--bytes", "--", *batch], root,
                           max(left, 1))
        first = FIRST.search(done.text)
        if done.hung or first is None:
            return None
        scripts += int(first[1])
        operations += int(first[2])
        for one, other, number in PAIR.findall(done.text):
            counts[f"{one} {other}"] = counts.get(f"{one} {other}", 0) + int(number)
    if not counts:
        return None
    return {"scripts": scripts, "operations": operations, "all": len(counts),
            "never": sorted(pair for pair, number in counts.items() if number == 0)}


def conditions(root: pathlib.Path) -> Optional[Reached]:
    """None: not measured, or not readable."""
    try:
        data = json.loads((root / MEASURED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return data if are_conditions(data) else None


def are_conditions(data: object) -> TypeGuard[Reached]:
    return (isinstance(data, dict) and isinstance(data.get("made"), str)
            and all(isinstance(data.get(name), int) for name in ("taken", "all"))
            and is_list_of_words(data.get("never")))


def are_pairs(data: object) -> TypeGuard[Reached]:
    return (isinstance(data, dict) and is_list_of_words(data.get("never"))
            and all(isinstance(data.get(name), int) for name in ("scripts", "operations", "all")))


def is_list_of_words(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def changes(before: Sequence[str], now: Sequence[str]) -> tuple[list[str], list[str]]:
    """(what is reached now and was not, what was and is not), wherever in its file it stands."""
    def named(places: Sequence[str]) -> dict[str, str]:
        seen: dict[str, itertools.count[int]] = {}
        found = {}
        for place in places:
            name = LINE.sub(r"\1:", place)
            found[f"{name} #{next(seen.setdefault(name, itertools.count()))}"] = place
        return found

    old, new = named(before), named(now)
    return ([place for name, place in old.items() if name not in new],
            [place for name, place in new.items() if name not in old])
