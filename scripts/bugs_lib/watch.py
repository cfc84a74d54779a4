# SPDX-License-Identifier: MIT
"""Runs a program up to the first line of its output that says that it found something."""

import pathlib
import re
import signal
import time
from typing import Callable, NamedTuple, Optional

from common_lib import children
from common_lib.script import KEEPER
from fuzz_lib import program, stats

POLL = 0.005  # seconds
LINGER = 15  # seconds that a program has to end by itself after the line


class Seen(NamedTuple):
    match: Optional[re.Match[str]]  # of the pattern
    seconds: float  # until the match; without one, until the end
    text: str  # the whole output
    status: Optional[int]  # None: killed, out of time or because the match was all we wanted
    at_match: Optional[stats.Stats]  # what `sample` returned then; None without one


def read(path: pathlib.Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def attend(process: children.Process, log_path: pathlib.Path, started: float, limit: float,
           pattern: re.Pattern[str], linger: float = 0,
           sample: Optional[Callable[[], stats.Stats]] = None) -> Seen:
    """Waits for a started process: for a match in its output, its end, or the limit (seconds)."""
    match: Optional[re.Match[str]] = None
    seconds: Optional[float] = None
    at_match: Optional[stats.Stats] = None
    while True:
        ended = process.poll() is not None
        if match is None:
            match = pattern.search(read(log_path))
            if match is not None:
                seconds = time.monotonic() - started
                at_match = sample() if sample else None
                limit = seconds + linger
        now = time.monotonic() - started
        if ended or now >= limit:
            break
        time.sleep(POLL)
    KEEPER.raise_if_asked()
    status = process.poll()
    children.signal_group(process, signal.SIGKILL)
    process.wait()
    return Seen(match, now if seconds is None else seconds, read(log_path), status, at_match)


def run(command: children.Command, cwd: pathlib.Path, log_path: pathlib.Path, limit: float,
        pattern: re.Pattern[str], env: Optional[dict[str, str]] = None) -> Seen:
    with log_path.open("wb") as log:
        started = time.monotonic()
        process = program.start(command, log, cwd, env or program.environment())
    try:
        return attend(process, log_path, started, limit, pattern)
    except BaseException:
        children.signal_group(process, signal.SIGKILL)
        process.wait()
        raise
