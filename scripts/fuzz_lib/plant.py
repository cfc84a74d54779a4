# SPDX-License-Identifier: MIT
"""Planting a mistake: a copy of the tree in build/, patched and built there, never here."""

import fcntl
import os
import pathlib
import shutil
import subprocess
from typing import IO, Iterable

from common_lib.script import KEEPER, SetupError
from fuzz_lib import program

LEFT_OUT = {".git", "build"}
# What saves a new copy from compiling all anew, for each variant: programs are of no use, since the
# mistake is to be linked into them.
PREBUILT_VARIANTS = ("fuzz", "debug")
PREBUILT_PARTS = ("flags", "lists", "obj")
# Compilers that remember what they have compiled, if Debian's ccache is there: with one bug after the
# other, most of what is compiled is what was there before.
REMEMBERING = pathlib.Path("/usr/lib/ccache")


def list_files(root: pathlib.Path) -> set[pathlib.PurePath]:
    """The sources: what git tracks or would track; in a tree without git, everything but build
    products."""
    if (root / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.decode("utf-8", "surrogateescape").split("\0")
            listing = (pathlib.PurePath(name) for name in names if name)
            return {path for path in listing if (root / path).is_file() and path.parts[0] != "build"}
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {path for path in paths if path.parts[0] not in LEFT_OUT}


def copy_if_changed(source: pathlib.Path, copy: pathlib.Path) -> None:
    """Files that are the same keep their time stamp, so that make builds only what changed."""
    if copy.is_file() and copy.read_bytes() == source.read_bytes():
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, copy)
    shutil.copymode(source, copy)


def copy_prebuilt(root: pathlib.Path, copy: pathlib.Path,
                  files: Iterable[pathlib.PurePath]) -> None:
    """Gives a new copy the objects of the tree, and to both sources and objects the time stamps that
    they have in the tree: then make sees which objects hold, and what is planted later is newer."""
    for path in files:
        shutil.copystat(root / path, copy / path)
    scratch = copy / ".build"  # nothing counts as built that is not copied to its end
    for variant in PREBUILT_VARIANTS:
        (scratch / variant).mkdir(parents=True, exist_ok=True)
        for part in PREBUILT_PARTS:
            built = root / "build" / variant / part
            if built.exists() and KEEPER.run(["cp", "-a", "--", built, scratch / variant]).status:
                raise SetupError(f"{program.shown(built, root)} cannot be copied to {scratch}")
    scratch.rename(copy / "build")


def restore(root: pathlib.Path, copy: pathlib.Path, files: set[pathlib.PurePath]) -> None:
    """Makes `copy` the tree again; what is so already keeps its time stamps. A new copy has what is
    built already in the tree."""
    new = not copy.exists()
    for path in files:
        copy_if_changed(root / path, copy / path)
    for top in copy.iterdir() if copy.is_dir() else ():
        if top.name == "build":
            continue
        for old in [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]:
            if old.relative_to(copy) not in files:
                old.unlink()
    if new:
        copy_prebuilt(root, copy, files)


def apply_patch(root: pathlib.Path, folder: pathlib.Path, patch: pathlib.Path,
                dry: bool = False) -> None:
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


def take_lock(folder: pathlib.Path) -> IO[str]:
    """Two runs must not work on one copy. The lock is held as long as the file is open."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / "lock", "a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SetupError(f"another run is using {folder}: wait for its end") from None
    return lock


def make(copy: pathlib.Path, goals: Iterable[str], log_path: pathlib.Path) -> bool:
    """Builds the goals in `copy`; False if that failed: the log says why."""
    # The outer make's variables (FUZZ_TIME, job server) are not for this build.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env.pop("MFLAGS", None)
    if REMEMBERING.is_dir():
        env["PATH"] = f"{REMEMBERING}:{env.get('PATH', os.defpath)}"
        env.setdefault("CCACHE_DIR", str(copy.parent / "ccache"))
        env.setdefault("CCACHE_MAXSIZE", "2G")
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    with log_path.open("wb") as log:
        command = ["make", "--no-print-directory", jobs, *goals]
        return KEEPER.run(command, cwd=copy, env=env, stdout=log, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL).status == 0
