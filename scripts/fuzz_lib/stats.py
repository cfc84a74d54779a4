# SPDX-License-Identifier: MIT
"""Reads the statistics page that a fuzzing process publishes (fuzz/engines/stats.h)."""

import pathlib
import struct
from typing import NamedTuple, Optional

MAGIC = b"labstat1"
HEADER = struct.Struct("=8sQ")
COUNTER = struct.Struct("=24sQ")
COUNTERS_MAX = 97
PAGE_BYTES = HEADER.size + COUNTERS_MAX * COUNTER.size


class Stats(NamedTuple):
    executions: int
    counters: dict[str, int]  # by name


NOTHING = Stats(0, {})


def read(path: pathlib.Path) -> Optional[Stats]:
    """The page's values; None if the process has not written a page."""
    try:
        page = path.read_bytes()
    except OSError:
        return None
    if len(page) != PAGE_BYTES or not page.startswith(MAGIC):
        return None
    executions = HEADER.unpack_from(page)[1]
    counters = {}
    for name, value in COUNTER.iter_unpack(page[HEADER.size :]):
        if name := name.rstrip(b"\0").decode("ascii", "replace"):
            counters[name] = value
    return Stats(executions, counters)


def add(one: Stats, other: Stats) -> Stats:
    counters = dict(one.counters)
    for name, value in other.counters.items():
        counters[name] = counters.get(name, 0) + value
    return Stats(one.executions + other.executions, counters)
