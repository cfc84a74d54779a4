# SPDX-License-Identifier: MIT
"""The canary: the same job on a copy of the tree with one planted bug. A job that cannot find
that one would not find others."""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import time

from fuzz_lib import program
from fuzz_lib import signature as signatures
from fuzz_lib.program import SetupError

TARGET = "heap"
FOUND_WITHIN_SECONDS = 10
PROGRAMS = ("fuzz_heap", "replay_heap", "heaplab")
LEFT_OUT = {".git", "build"}

EXIT_FOUND, EXIT_SETUP, EXIT_MISSED = 1, 2, 3


def list_files(root):
    """The sources: what git tracks or would track; in a tree without git, everything but build
    products."""
    if (root / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.decode("utf-8", "surrogateescape").split("\0")
            paths = (pathlib.PurePath(name) for name in names if name)
            return {path for path in paths if (root / path).is_file() and path.parts[0] != "build"}
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {path for path in paths if path.parts[0] not in LEFT_OUT}


def copy_if_changed(source, copy):
    """Files that are the same keep their time stamp, so that make builds only what changed."""
    if copy.is_file() and copy.read_bytes() == source.read_bytes():
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, copy)
    shutil.copymode(source, copy)


def take_lock(folder):
    """Two runs must not work on one copy. The lock is held as long as the file is open."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / "lock", "a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SetupError(f"another run is using {folder}: wait for its end") from None
    return lock


def restore(root, source, files):
    """Makes `source` the tree again; what is so already keeps its time stamps."""
    for path in files:
        copy_if_changed(root / path, source / path)
    for old in [path for path in source.rglob("*") if path.is_file()]:
        path = old.relative_to(source)
        if path.parts[0] != "build" and path not in files:
            old.unlink()


def apply_patch(root, clean, patch):
    """Patches the files in `clean`; SetupError if it does not apply."""
    if not shutil.which("patch"):
        raise SetupError("the program `patch` is missing: install the package of that name")
    command = ["patch", "--batch", "--forward", "--strip=1", f"--directory={clean}"]
    command += ["--reject-file=-", "--no-backup-if-mismatch", f"--input={patch}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        name = program.shown(patch, root)
        words = [line for line in done.stdout.splitlines() if "FAILED" in line or "skip" in line]
        reason = words[0].strip() if words else (done.stderr or done.stdout).strip()[:200]
        raise SetupError(f"{name} does not apply to this tree ({reason}): plant the bug anew")


def make_source(root, patch):
    """build/canary/src: this tree with the bug in it. Returns its path."""
    canary = root / "build" / "canary"
    source, clean = canary / "src", canary / "clean"
    files = list_files(root)
    shutil.rmtree(clean, ignore_errors=True)
    for path in files:
        (clean / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, clean / path)
        shutil.copymode(root / path, clean / path)
    apply_patch(root, clean, patch)
    restore(clean, source, files)
    shutil.rmtree(clean)
    return source


def build(source, root, programs=PROGRAMS):
    goals = [f"build/fuzz/{name}" for name in programs]
    log_path = root / "build" / "canary" / "build.log"
    # The outer make's variables (FUZZ_TIME, job server) are not for this build.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env.pop("MFLAGS", None)
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    with log_path.open("wb") as log:
        command = ["make", "--no-print-directory", jobs, *goals]
        process = subprocess.Popen(
            command, cwd=source, env=env, stdout=log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            status = process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
    if status != 0:
        shown = program.shown(log_path, root)
        raise SetupError(f"the canary does not build: `make {' '.join(goals)}` failed ({shown})")


def prepare(root, say):
    """Copies, plants, builds, and empties corpus and findings; returns the copy's root."""
    patch = root / "fuzz" / "bugs" / "canary.patch"
    if not patch.is_file():
        raise SetupError(f"{program.shown(patch, root)} is missing: the bug to plant")
    source = make_source(root, patch)
    started = time.monotonic()
    build(source, root)
    say(f"canary built with {program.shown(patch, root)} in {time.monotonic() - started:.0f}s")
    for name in ("fuzz-corpus", "findings", "corpus"):
        shutil.rmtree(source / "build" / name, ignore_errors=True)
    return source


def faults_of(job):
    """What is wrong with the job's finding, as a list of sentences; empty: the canary sang."""
    found = next(iter(job.store.findings.values()), None)
    if found is None:
        return ["the planted bug was not found"]
    wrong = []
    if job.first_finding_seconds > FOUND_WITHIN_SECONDS:
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


def verdict(job, expect, say):
    """The exit status. The job itself ends with 1, as any job that found something; with
    `expect` the bug is what we came for, and 0 says that it was found as it should be."""
    wrong = faults_of(job)
    if wrong:
        say(f"CANARY FAILED: {'; '.join(wrong)}: do not trust this job")
        return 1 if expect else EXIT_MISSED
    say(
        f"canary: the planted bug was found after {job.first_finding_seconds:.1f}s "
        f"(limit {FOUND_WITHIN_SECONDS}s), as a readable script that replays"
    )
    return 0 if expect else EXIT_FOUND
