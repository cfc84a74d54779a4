# SPDX-License-Identifier: MIT
"""Planted bugs inside a long run: every so often a copy of the tree with one of them, drawn at
random, is built by the same rules and fuzzed for some seconds. A run in which one is not found has a
dead harness. What it draws from are bugs of the heap that docs/bugs.md has seen libFuzzer find at
once."""

import pathlib
import random
import re
import signal
import sys
import time
from typing import Any, Optional

from common_lib import children
from common_lib.script import SetupError
from fuzz_lib import program

EVERY_SECONDS = 3600  # in runs that are as long, or longer
FUZZ_SECONDS = 60  # that one is fuzzed, at most
BUILD_SECONDS_MAX = 1800  # a new copy of the tree on a machine that fuzzes on all cores
FOUND_AT_ONCE = 2.0  # seconds, in docs/bugs.md
ROW = re.compile(r"^\| ([a-z0-9-]+): [^|]*\| src/heap \|(?:[^|]*\|){7} [0-9k]+/([0-9.]+) \|",
                 re.MULTILINE)
FOUND = re.compile(r"^canary: the planted bug was found after ([0-9.]+)s", re.MULTILINE)
SETUP = 2  # exit status of scripts/fuzz


def candidates(root: pathlib.Path) -> list[str]:
    """Names of bugs, sorted. Raises SetupError if there are none."""
    try:
        table = (root / "docs" / "bugs.md").read_text(encoding="utf-8")
    except OSError:
        table = ""
    names = sorted(name for name, seconds in ROW.findall(table)
                   if float(seconds) <= FOUND_AT_ONCE
                   and (root / "fuzz" / "bugs" / f"{name}.patch").is_file())
    if not names:
        raise SetupError("docs/bugs.md names no planted bug that fuzzing finds at once")
    return names


class Watchman:
    """`every`: seconds between two bugs; the first one comes after half of that."""

    def __init__(self, root: pathlib.Path, every: float, started: float,
                 seed: Optional[int] = None) -> None:
        self.root = root
        self.every = every
        self.started = started
        self.names = candidates(root)
        self.seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        self.chance = random.Random(self.seed)
        self.due = started + every / 2
        self.process: Optional[children.Process] = None
        self.begun = 0.0
        self.bug = ""
        self.log_path = root / "build" / "fuzz-logs" / "planted.log"
        self.tries: list[dict[str, Any]] = []  # as record.py keeps them

    def start(self, now: float) -> None:
        self.bug = self.chance.choice(self.names)
        self.begun = now
        self.due = now + self.every
        script = pathlib.Path(sys.argv[0]).resolve().parent / "fuzz"
        command = [sys.executable, script, "--root", self.root, "--canary", "--expect", "--bug",
                   self.bug, "--cores", "1", "--time", f"{FUZZ_SECONDS}s"]
        env = program.environment()
        for name in ("FUZZ_TIME", "ENGINE", "KNOWN", "LAYOUT", "SERVE", "MAKEFLAGS", "MAKELEVEL"):
            env.pop(name, None)
        with self.log_path.open("wb") as log:
            self.process = program.start(command, log, self.root, env, nice=10)

    def tick(self, now: float, deadline: float) -> Optional[str]:
        """What came to light: a sentence that says why the harness is dead, or None."""
        if self.process is None:
            if now >= self.due and now < deadline:
                self.start(now)
            return None
        status = self.process.poll()
        if status is None and now - self.begun < BUILD_SECONDS_MAX + FUZZ_SECONDS:
            return None
        self.end()
        return self.settle(status, now)

    def settle(self, status: Optional[int], now: float) -> Optional[str]:
        text = self.log_path.read_text(errors="replace")
        found = FOUND.search(text)
        words = [line for line in text.splitlines() if line.strip()]
        last = words[-1][:160] if words else "it said nothing"
        self.tries.append({"bug": self.bug, "at": round(now - self.started, 1),
                           "seconds": FUZZ_SECONDS, "found": status == 0 and found is not None,
                           "found_after": float(found[1]) if found else None})
        if self.tries[-1]["found"]:
            return None
        if status == SETUP:
            return f"the planted bug {self.bug} could not be fuzzed: {last}"
        return (f"the harness is dead: the planted bug {self.bug} was not found as it should be "
                f"({last})")

    def end(self) -> None:
        """Also one that is not over, which then counts for nothing."""
        if self.process is not None:
            children.signal_group(self.process, signal.SIGTERM)
            end = time.monotonic() + 5
            while self.process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            children.signal_group(self.process, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def as_json(self) -> dict[str, Any]:
        return {"seed": self.seed, "every": self.every, "drawn_from": len(self.names),
                "tries": self.tries}
