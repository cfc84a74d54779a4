# SPDX-License-Identifier: MIT
"""The corpora: seeds staged for a run, the corpus kept between runs, and its merging.

  build/corpus/TARGET/       seeds and regression cases as bytes, made by the build; read only
  build/fuzz-seeds/TARGET/   this run's copy of them, from which failing ones are taken out
  build/fuzz-corpus/TARGET/  what the engine found worth keeping, in all runs
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import time
from typing import Callable, Optional

from common_lib import children
from fuzz_lib import program
from fuzz_lib.targets import Target

GROWTH_BEFORE_MERGE = 1.25
FILES_BEFORE_MERGE = 64


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()  # the engine names its files by it


class Corpus:
    """The files of one target."""

    def __init__(self, root: pathlib.Path, target: Target) -> None:
        build = root / "build"
        self.root = root
        self.target = target
        self.source = build / "corpus" / (target.seeds or target.name)
        self.seeds = build / "fuzz-seeds" / target.name
        self.folder = build / "fuzz-corpus" / target.name
        self.aside = build / "fuzz-corpus" / f".{target.name}.old"
        self.fresh = build / "fuzz-corpus" / f".{target.name}.new"
        self.state = build / "fuzz-corpus" / f".{target.name}.json"
        self.lent: set[str] = set()  # names of files that AFL++ was given
        # hash of what the engine reads of a seed -> [(staged, origin)]
        self.origins: dict[str, list[tuple[pathlib.Path, pathlib.Path]]] = {}

    def open(self) -> None:
        """Repairs what an interrupted merge left, and stages the seeds."""
        if self.aside.exists() and not self.folder.exists():
            self.aside.rename(self.folder)
        for left in (self.aside, self.fresh, self.seeds):
            shutil.rmtree(left, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seeds.mkdir(parents=True)
        for origin in sorted(self.source.rglob("*")):
            if origin.is_file():
                staged = self.seeds / "__".join(origin.relative_to(self.source).parts)
                data = origin.read_bytes()
                staged.write_bytes(data)
                key = sha1(data[: self.target.max_len])
                self.origins.setdefault(key, []).append((staged, origin))

    def close(self) -> None:
        shutil.rmtree(self.seeds, ignore_errors=True)

    def files(self) -> int:
        try:
            with os.scandir(self.folder) as entries:
                return sum(1 for _ in entries)
        except OSError:
            return 0

    def add(self, data: bytes) -> None:
        """A find of another engine; libFuzzer looks for new files every second."""
        path = self.folder / sha1(data)
        self.lent.add(path.name)
        if data and not path.exists():
            program.write_atomically(path, data)

    def take(self, data: bytes) -> bool:
        """A find of another machine, which AFL++ has not been given either. Was it new?"""
        path = self.folder / sha1(data)
        is_new = not path.exists()
        if is_new:
            program.write_atomically(path, data)
        return is_new

    def not_lent(self) -> list[str]:
        """Names of files that AFL++ has not been given."""
        with os.scandir(self.folder) as entries:
            names = {entry.name for entry in entries if not entry.name.startswith(".")}
        return sorted(names - self.lent)

    def remove(self, data: bytes) -> list[pathlib.Path]:
        """Takes a failing input out, so that the next worker gets past it; returns the seeds
        that it came from."""
        key = sha1(data)
        (self.folder / key).unlink(missing_ok=True)
        origins = self.origins.pop(key, [])
        for staged, _ in origins:
            staged.unlink(missing_ok=True)
        return [origin for _, origin in origins]

    def files_after_merge(self) -> int:
        try:
            return int(json.loads(self.state.read_text())["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def worth_merging(self) -> bool:
        floor = max(FILES_BEFORE_MERGE, self.files_after_merge() * GROWTH_BEFORE_MERGE)
        return self.files() > floor

    def merge(self, seconds: float, log_path: pathlib.Path, stopped: Callable[[], bool],
              known: Optional[pathlib.Path]) -> Optional[int]:
        """Keeps the files that add coverage and drops the others: merges into a new folder, then
        swaps the two. Gives up, with the corpus as it was, after `seconds` or when stopped()
        becomes true. `known`: the file of known signatures, or None. Returns the number of files
        now, or None."""
        shutil.rmtree(self.fresh, ignore_errors=True)
        self.fresh.mkdir()
        # libFuzzer hands its command line to a shell without quotes: no path of it may have a space,
        # and below the root ours have none.
        binary = f"build/fuzz/fuzz_{self.target.name}"
        scratch = "build/fuzz-logs"
        arguments = [binary, "-merge=1", f"-max_len={self.target.max_len}"]
        arguments += [f"-timeout={self.target.timeout}", f"-artifact_prefix={scratch}/merge-"]
        arguments += [program.shown(path, self.root) for path in (self.fresh, self.folder)]
        with log_path.open("wb") as log:
            process = program.start(arguments, log, self.root, program.environment(known=known))
            end = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < end and not stopped():
                time.sleep(0.05)
            children.signal_group(process, signal.SIGKILL)
        files = sum(1 for _ in self.fresh.iterdir())
        if process.wait() != 0 or files == 0:
            shutil.rmtree(self.fresh, ignore_errors=True)
            return None
        self.folder.rename(self.aside)
        self.fresh.rename(self.folder)
        shutil.rmtree(self.aside, ignore_errors=True)
        program.write_atomically(self.state, json.dumps({"files": files}) + "\n")
        return files
