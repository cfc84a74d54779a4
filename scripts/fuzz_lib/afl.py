# SPDX-License-Identifier: MIT
"""The second engine: AFL++ workers, what they share with libFuzzer's, and trials of their crashes.

  build/fuzz-afl/TARGET/WORKER/     what afl-fuzz writes: its queue, crashes and hangs
  build/fuzz-afl/TARGET/corpus/     the target's corpus, dressed up as the main instance, from which
                                    afl-fuzz imports
  build/fuzz-afl/.WORKER.in/        what afl-fuzz starts with

A worker first lets libFuzzer play seeds and corpus once: afl-fuzz would skip those that fail. What
afl-fuzz keeps goes to the corpus every few seconds; what is new there, goes to afl-fuzz.
afl-fuzz hides what its target prints: a Trial plays a crash again, under libFuzzer."""

import os
import pathlib
import shutil
import signal
import time
from typing import Iterable, Iterator, Optional, Sequence

from common_lib import children
from common_lib.script import SetupError
from fuzz_lib import corpus, findings, program
from fuzz_lib import signature as signatures
from fuzz_lib.corpus import Corpus
from fuzz_lib.findings import Store
from fuzz_lib.targets import Target
from fuzz_lib.worker import Worker

FIRST_INPUT = b"\n"  # for an empty corpus: afl-fuzz wants one
SHARE_SECONDS = 2.0
SYNC_MINUTES = 1  # the shortest that afl-fuzz takes
TRIAL_EXTRA_SECONDS = 10  # beyond the time that the target's inputs may take
SETTINGS = {
    "AFL_NO_UI": "1",
    "AFL_NO_AFFINITY": "1",  # there may be more workers than cores
    "AFL_FAST_CAL": "1",
    "AFL_CMPLOG_ONLY_NEW": "1",
    "AFL_SKIP_CPUFREQ": "1",
    "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1",
    "AFL_SYNC_TIME": str(SYNC_MINUTES),
}
# afl-fuzz wants the first two; leaks are libFuzzer's to find.
SANITIZERS = "abort_on_error=1:symbolize=0:detect_leaks=0"


def folder_of(root: pathlib.Path) -> pathlib.Path:
    return root / "build" / "fuzz-afl"


def check(root: pathlib.Path, targets: Iterable[Target]) -> None:
    """Raises SetupError if there is nothing to run."""
    if not shutil.which("afl-fuzz"):
        raise SetupError(
            "afl-fuzz is missing: install the package afl++, or use ENGINE=libfuzzer"
        )
    for name in ["mutator.so"] + [f"fuzz_{target.name}" for target in targets]:
        path = root / "build" / "afl" / name
        if not path.is_file():
            raise SetupError(f"{path} is missing: `make fuzz ENGINE=afl` builds it")


def clear(root: pathlib.Path, store: Store) -> None:
    """Empties the folder. Crashes that a killed run did not look at are kept."""
    for kind in ("crashes", "hangs"):
        for path in folder_of(root).glob(f"*/*/{kind}/id:*"):
            path.replace(store.folder / f"left-{path.parent.parent.name}-{kind}-{path.name[3:9]}")
    shutil.rmtree(folder_of(root), ignore_errors=True)


class AflWorker(Worker):
    engine = "afl"

    def __init__(self, target: Target, index: int, root: pathlib.Path, niced: bool) -> None:
        super().__init__(target, index, root, niced)
        self.name = f"{target.name}-afl{index}"
        self.stats_path = self.logs / f"{self.name}.stats"
        self.peers = folder_of(root) / target.name
        self.out = self.peers / self.name
        self.seeds_passed = False
        self.fuzzes = False  # is it afl-fuzz that runs?
        self.shared: set[str] = set()  # names of queue files that are in the corpus
        self.taken = 0  # crashes and hangs
        self.next_share = 0.0

    # ---- running

    def start(self, seconds: float, folders: Sequence[pathlib.Path]) -> None:
        self.fuzzes = self.seeds_passed
        if self.fuzzes:
            self.stage(folders)
        super().start(seconds, folders)

    def arguments(self, seconds: float, folders: Sequence[pathlib.Path]) -> Iterator[object]:
        if not self.fuzzes:
            yield from super().arguments(seconds, folders)
            yield "-runs=0"
            return
        target = self.target
        yield from ("afl-fuzz", "-i", self.inputs(), "-o", self.peers, "-S", self.name)
        yield from ("-m", "none", "-G", target.max_len, "-t", target.timeout * 1000, "-V", seconds)
        yield from ("--", self.root / "build" / "afl" / f"fuzz_{target.name}")

    def environment(self) -> dict[str, str]:
        env = super().environment()
        if not self.fuzzes:
            return env
        env.update(SETTINGS)
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            env[name] += ":" + SANITIZERS
        env["AFL_HANG_TMOUT"] = str(self.target.timeout * 1000)
        env["AFL_CUSTOM_MUTATOR_LIBRARY"] = str(self.root / "build" / "afl" / "mutator.so")
        env["LAB_MUTATE_FORM"] = self.target.form
        if self.target.form in ("script", "numbered"):
            env["AFL_CUSTOM_MUTATOR_ONLY"] = "1"
        return env

    def inputs(self) -> pathlib.Path:
        return self.peers.parent / f".{self.name}.in"

    def stage(self, folders: Iterable[pathlib.Path]) -> None:
        inputs, main = self.inputs(), self.peers / "corpus"
        for folder in (inputs, self.out):
            shutil.rmtree(folder, ignore_errors=True)
        inputs.mkdir(parents=True)
        (main / "queue").mkdir(parents=True, exist_ok=True)
        (main / "is_main_node").touch()
        known = set()
        for folder in folders:
            for path in sorted(folder.iterdir()):
                data = read(path)[: self.target.max_len]
                if data and (key := corpus.sha1(data)) not in known:
                    known.add(key)
                    (inputs / key).write_bytes(data)
        if not known:
            (inputs / "first").write_bytes(FIRST_INPUT)

    def finished_well(self, status: int) -> bool:
        passed = not self.fuzzes and status == 0 and not self.artifacts()
        self.seeds_passed = self.seeds_passed or passed
        return passed

    def signal(self, number: int) -> None:
        if self.fuzzes and number != signal.SIGKILL:
            number = signal.SIGINT  # afl-fuzz takes SIGUSR1 for something else
        super().signal(number)

    def ended_as_asked(self, status: int) -> bool:
        """afl-fuzz, told to end before it has begun, kills the fork server that it is starting,
        and then takes that for a crash of its own: status 1."""
        begun = (self.out / "fuzzer_stats").exists()
        return super().ended_as_asked(status) or (self.fuzzes and status == 1 and not begun)

    def refresh(self) -> None:
        super().refresh()
        for line in read(self.out / "fuzzer_stats").splitlines():
            name, _, value = line.partition(b":")
            if name.strip() == b"edges_found":
                self.coverage = max(self.coverage, int(value))

    # ---- what it shares

    def share(self, files: Corpus, now: float, force: bool = False) -> None:
        """Copies what afl-fuzz kept to the corpus, and what is new in the corpus to afl-fuzz."""
        if not self.fuzzes or (now < self.next_share and not force):
            return
        self.next_share = now + SHARE_SECONDS
        queue = self.peers / "corpus" / "queue"
        for path in list_files(self.out / "queue"):
            if path.name in self.shared or not path.name.startswith("id:"):
                continue
            self.shared.add(path.name)
            if ",sync:" not in path.name and ",orig:" not in path.name:
                files.add(read(path))
        for name in files.not_lent():
            lent = queue / f"id:{len(files.lent):06},src:corpus"
            lent.write_bytes(read(files.folder / name))
            files.lent.add(name)

    def take_failures(self) -> list["Trial"]:
        """Moves the inputs on which the target crashed or hung to findings/.incoming; returns
        Trials of them."""
        trials = []
        for kind in ("crashes", "hangs"):
            for path in list_files(self.out / kind):
                if path.name.startswith("id:"):
                    self.taken += 1
                    mine = self.incoming / f"trial-{self.name}-{self.taken}"
                    path.replace(mine)
                    trials.append(Trial(self, mine, hang=kind == "hangs"))
        return trials


class Trial:
    """Plays one input again, in a process of its own: first in the fuzz build, under libFuzzer,
    so that its failure is described as any other; then, should it pass, in the build that AFL++
    ran."""

    def __init__(self, worker: AflWorker, path: pathlib.Path, hang: bool) -> None:
        self.worker = worker
        self.path = path
        self.hang = hang
        self.log_path = worker.logs / f"{path.name}.log"
        afl_program = f"build/afl/fuzz_{worker.target.name}"
        self.commands = [findings.engine_command(worker.target, str(path)),
                         [afl_program, str(path)]]
        self.process: Optional[children.Process] = None
        self.end = 0.0
        self.failure: Optional[signatures.Failure] = None
        self.log = ""

    def start(self) -> None:
        command = self.commands.pop(0)
        seconds = self.worker.target.timeout + TRIAL_EXTRA_SECONDS
        self.end = time.monotonic() + seconds
        env = program.environment()
        with self.log_path.open("wb") as log:
            artifacts = f"-artifact_prefix={self.log_path}."  # not in the user's folder
            command = [command[0], artifacts, *command[1:]] if self.commands else command
            self.process = program.start(command, log, self.worker.root, env)

    def kill(self) -> None:
        if self.process is not None:
            children.signal_group(self.process, signal.SIGKILL)

    def is_over(self) -> bool:
        """Goes on with it; True when `failure` says what it has shown (None: nothing)."""
        if self.process is None:
            self.start()
            return False
        if self.process.poll() is None:
            if time.monotonic() >= self.end:
                self.kill()
            return False
        self.log = findings.read_log(self.log_path)
        if self.process.returncode != 0:
            known = signatures.classify(self.log, self.worker.root)
            self.failure = known or signatures.classify_exit(self.process.returncode)
            return True
        if self.hang or not self.commands:
            self.give_up()
            return True
        self.start()
        return False

    def give_up(self) -> None:
        """A crash that is not seen again is a finding nevertheless; slowness is none."""
        if not self.hang:
            self.failure = signatures.Failure("afl-crash", "a crash under AFL++ only")
            self.log += "\nAFL++ saw a crash; played alone, this input passes in both builds.\n"


def list_files(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(pathlib.Path(entry.path) for entry in entries if entry.is_file())
    except OSError:
        return []


def read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # the engine has removed it meanwhile
