# SPDX-License-Identifier: MIT
"""The canary: the same job on a copy of the tree with one planted bug. A job that cannot find
that one would not find others."""

import pathlib
import shutil
import time
from typing import Callable

from common_lib.script import SetupError
from fuzz_lib import plant, program
from fuzz_lib import signature as signatures
from fuzz_lib.job import Job

TARGET = "heap"
FOUND_WITHIN_SECONDS = 10
PROGRAMS = ("fuzz_heap", "replay_heap", "heaplab")

EXIT_FOUND, EXIT_SETUP, EXIT_MISSED = 1, 2, 3


def make_source(root: pathlib.Path, patch: pathlib.Path) -> pathlib.Path:
    """build/canary/src: this tree with the bug in it. Returns its path."""
    source = root / "build" / "canary" / "src"
    plant.apply_patch(root, root, patch, dry=True)
    plant.restore(root, source, plant.list_files(root))
    plant.apply_patch(root, source, patch)
    return source


def build(source: pathlib.Path, root: pathlib.Path) -> None:
    goals = [f"build/fuzz/{name}" for name in PROGRAMS]
    log_path = root / "build" / "canary" / "build.log"
    if not plant.make(source, goals, log_path):
        shown = program.shown(log_path, root)
        raise SetupError(f"the canary does not build: `make {' '.join(goals)}` failed ({shown})")


def prepare(root: pathlib.Path, say: Callable[[str], object], bug: str = "canary") -> pathlib.Path:
    """Copies, plants, builds, and empties corpus and findings; returns the copy's root."""
    patch = root / "fuzz" / "bugs" / f"{bug}.patch"
    if not patch.is_file():
        raise SetupError(f"{program.shown(patch, root)} is missing: the bug to plant")
    source = make_source(root, patch)
    started = time.monotonic()
    build(source, root)
    say(f"canary built with {program.shown(patch, root)} in {time.monotonic() - started:.0f}s")
    for name in ("fuzz-corpus", "findings", "corpus"):
        shutil.rmtree(source / "build" / name, ignore_errors=True)
    return source


def faults_of(job: Job, within: float) -> list[str]:
    """What is wrong with the job's finding, as a list of sentences; empty: the canary sang."""
    found = next(iter(job.store.findings.values()), None)
    if found is None:
        return ["the planted bug was not found"]
    wrong = []
    if job.first_finding_seconds is not None and job.first_finding_seconds > within:
        wrong.append(f"it was found only after {job.first_finding_seconds:.1f}s")
    script = (found.folder / "script.txt").read_text().splitlines()
    words = [line for line in script if line.strip() and not line.lstrip().startswith("#")]
    if len(words) < 2 or not words[0].lstrip().startswith("heap"):
        wrong.append("its script cannot be read")
    log = (found.folder / "log.txt").read_text(errors="replace")
    if signatures.classify(log, job.root) is None:
        wrong.append("its log names no failure")
    if not found.replays:
        wrong.append("its command does not replay it")
    return wrong


def conclude(job: Job, expect: bool, say: Callable[[str], object],
             within: float = FOUND_WITHIN_SECONDS) -> int:
    """The exit status. The job itself ends with 1, as any job that found something; with
    `expect` the bug is what we came for, and 0 says that it was found as it should be."""
    wrong = faults_of(job, within)
    if wrong:
        say(f"CANARY FAILED: {'; '.join(wrong)}: do not trust this job")
        return 1 if expect else EXIT_MISSED
    say(
        f"canary: the planted bug was found after {job.first_finding_seconds:.1f}s "
        f"(limit {within}s), as a readable script that replays"
    )
    return 0 if expect else EXIT_FOUND
