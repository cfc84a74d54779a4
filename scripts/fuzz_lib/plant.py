# SPDX-License-Identifier: MIT
"""Planting a mistake: a copy of the tree in build/, patched and built there, never here."""

import fcntl
import os
import pathlib
import shutil
import subprocess

from common_lib.script import KEEPER
from fuzz_lib import program
from fuzz_lib.program import SetupError

LEFT_OUT = {".git", "build"}


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


def restore(root, copy, files):
    """Makes `copy` the tree again; what is so already keeps its time stamps."""
    for path in files:
        copy_if_changed(root / path, copy / path)
    for top in copy.iterdir() if copy.is_dir() else ():
        if top.name == "build":
            continue
        for old in [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]:
            if old.relative_to(copy) not in files:
                old.unlink()


def apply_patch(root, folder, patch, dry=False):
    """Patches the files in `folder` (or, dry, only tries); SetupError if it does not apply. Lines
    may have moved; those around the mistake must be what they were, or it lands anywhere."""
    if not shutil.which("patch"):
        raise SetupError("the program `patch` is missing: install the package of that name")
    command = ["patch", "--batch", "--forward", "--fuzz=0", "--strip=1", f"--directory={folder}"]
    command += ["--reject-file=-", "--no-backup-if-mismatch", f"--input={patch}"]
    command += ["--dry-run"] if dry else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        name = program.shown(patch, root)
        words = [line for line in done.stdout.splitlines() if "FAILED" in line or "skip" in line]
        words = words or (done.stderr or done.stdout).strip().splitlines() or ["patch failed"]
        reason = words[0].strip()[:200]
        raise SetupError(f"{name} does not apply to this tree ({reason}): plant the bug anew")


def take_lock(folder):
    """Two runs must not work on one copy. The lock is held as long as the file is open."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / "lock", "a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SetupError(f"another run is using {folder}: wait for its end") from None
    return lock


def make(copy, goals, log_path):
    """Builds the goals in `copy`; False if that failed: the log says why."""
    # The outer make's variables (FUZZ_TIME, job server) are not for this build.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env.pop("MFLAGS", None)
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    with log_path.open("wb") as log:
        command = ["make", "--no-print-directory", jobs, *goals]
        return KEEPER.run(command, cwd=copy, env=env, stdout=log, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL).status == 0
