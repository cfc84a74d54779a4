# SPDX-License-Identifier: MIT
"""Where a run took place: commit, compiler, machine."""

import functools
import os
import pathlib
import platform
import shutil
import subprocess
from typing import Any, Optional

GIT_SECONDS_MAX = 10


def git(root: pathlib.Path, *words: str) -> Optional[str]:
    """What git says, or None. A copy of the tree inside another one's build/ has no commit of its
    own."""
    if not (root / ".git").exists() or not shutil.which("git"):
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False,
                              timeout=GIT_SECONDS_MAX, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def commit_of(root: pathlib.Path) -> tuple[Optional[str], Optional[bool]]:
    """(its hash, have files been changed since?); None: not known."""
    commit = git(root, "rev-parse", "HEAD")
    changes = git(root, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else changes != ""


def compiler_of(root: pathlib.Path) -> Optional[str]:
    """As the build that is fuzzed has noted it."""
    try:
        lines = (root / "build" / "fuzz" / "flags").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return lines[0].strip() if lines and lines[0].strip() else None


def processor() -> Optional[str]:
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Hardware", "cpu model"):
            return " ".join(value.split())
    return None


@functools.lru_cache
def describe(root: pathlib.Path) -> dict[str, Any]:
    commit, changed = commit_of(root)
    kind = processor()
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return {
        "commit": commit,
        "changed": changed,
        "compiler": compiler_of(root),
        "machine": f"{kind}, {system}" if kind else system,
        "machine_cores": len(os.sched_getaffinity(0)),
    }
