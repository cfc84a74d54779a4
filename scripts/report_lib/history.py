# SPDX-License-Identifier: MIT
"""The runs before: build/report/history.jsonl, one run on each line, written by appending.

A run that is killed while it writes leaves half a line. The next one begins on a line of its own,
and whoever reads says which lines are of no use, and uses the rest."""

import contextlib
import fcntl
import json
import os
import pathlib
from typing import Any, NamedTuple

from common_lib.outputs import OutputError

NAME = "history.jsonl"
RUNS_MAX = 1000  # the latest, that are looked at
Run = dict[str, Any]

TEXTS = ("id", "started", "result")
NUMBERS = ("seconds",)


class History(NamedTuple):
    runs: list[Run]  # the oldest first
    damage: list[str]  # one sentence for each line that is of no use


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def fault_of(run: object) -> str:
    """What is wrong with a run as it was read; empty: nothing."""
    if not isinstance(run, dict):
        return "is no run"
    for name in TEXTS:
        if not isinstance(run.get(name), str):
            return f"lacks '{name}'"
    for name in NUMBERS:
        if not is_number(run.get(name)):
            return f"lacks '{name}'"
    targets = run.get("targets")
    if not isinstance(targets, dict) or not all(is_target(one) for one in targets.values()):
        return "has no targets that can be read"
    findings = run.get("findings", [])
    if not isinstance(findings, list) or not all(is_finding(one) for one in findings):
        return "has findings that cannot be read"
    return ""


def is_target(one: object) -> bool:
    if not isinstance(one, dict):
        return False
    growth = one.get("growth", [])
    counted = all(is_number(one.get(name)) for name in ("executions", "edges", "corpus"))
    return counted and isinstance(growth, list) and all(
        isinstance(point, list) and len(point) == 5 and all(is_number(each) for each in point)
        for point in growth)


def is_finding(one: object) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(name), str)
                                         for name in ("signature", "target", "folder"))


def parse(data: bytes) -> History:
    runs: list[Run] = []
    damage = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip(b" \t\r\0"):
            continue
        try:
            run = json.loads(line)
        except (ValueError, RecursionError):
            cut = number == len(lines)
            wrong = "was not written to its end" if cut else "is no JSON"
        else:
            wrong = fault_of(run)
        if wrong:
            damage.append(f"{NAME}, line {number}: {wrong}; it is left out")
        else:
            runs.append(run)
    return History(runs[-RUNS_MAX:], damage)


def read(folder: pathlib.Path) -> History:
    """Whatever the file holds; one that is not there holds nothing."""
    path = folder / NAME
    try:
        if path.exists() and not path.is_file():
            return History([], [f"{NAME} is no regular file"])
        return parse(path.read_bytes())
    except FileNotFoundError:
        return History([], [])
    except OSError as error:
        return History([], [f"{NAME} cannot be read: {error.strerror}"])


def append(folder: pathlib.Path, run: Run) -> None:
    """Adds a run as one line, on the disk when this returns. Raises OutputError, and then the file
    is as it was."""
    path = folder / NAME
    line = json.dumps(run, separators=(",", ":")).encode() + b"\n"
    try:
        with open(path, "ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if size > 0:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[file.write(rest):]
                os.fsync(file)
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from None
