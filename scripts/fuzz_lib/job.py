# SPDX-License-Identifier: MIT
"""A fuzzing job: all targets on all cores until the time is up."""

import collections
import fcntl
import math
import os
import pathlib
import resource
import shutil
import time
from types import FrameType
from typing import IO, Callable, NamedTuple, Optional, Union

from common_lib import outputs, script
from common_lib.script import SetupError
from fuzz_lib import afl, duration, findings, program, stats, summary
from fuzz_lib import known as known_failures
from fuzz_lib import signature as signatures
from fuzz_lib import targets as target_table
from fuzz_lib import watchman as planted
from fuzz_lib.corpus import Corpus
from fuzz_lib.growth import Growth, Point
from fuzz_lib.live import GROWTH_COLUMNS, Live, Row
from fuzz_lib.signature import Failure
from fuzz_lib.sync import Share
from fuzz_lib.targets import Target
from fuzz_lib.worker import HARD, KILL, SOFT, Worker

TICK = 0.1  # seconds
RATE_WINDOW = 10.0  # seconds over which the live rates are taken
DEATHS_WITHOUT_INPUT_MAX = 3
MERGE_SECONDS_MAX = 60
ENGINES = {"libfuzzer": (Worker,), "afl": (afl.AflWorker,), "both": (Worker, afl.AflWorker)}
# After the workers have ended, trials go on for so long; then what was not tried is left.
TRIALS_SECONDS_MAX = 20
TRIALS_SECONDS_INTERRUPTED = 3

# How a stopping worker is pressed: after so many seconds, this signal. SIGUSR1 lets libFuzzer end
# after the current input; SIGINT ends it at once. When the time is up, an input that hangs still
# gets the engine's own limit, so that a hang in the last seconds is found too.


class Settings(NamedTuple):
    root: pathlib.Path  # the tree
    names: tuple[str, ...]  # of the targets; empty: all
    seconds: int
    cores: int
    stop_at_first: bool = False  # end with the first finding
    merge: bool = True
    timeout: Optional[int] = None  # seconds for one input; None: as the target says
    engine: str = "libfuzzer"  # of ENGINES
    known: Optional[pathlib.Path] = None  # the file of known signatures; None: there is none
    layout: Optional[str] = None  # only heaps of this layout are played
    planted_every: Optional[int] = None  # seconds between planted bugs; None: there are none
    share: Optional[Share] = None  # with other machines


class Sample(NamedTuple):
    at: float  # by the clock
    executions: int
    checked: int  # operations


def processor_seconds() -> float:
    """That our processes have taken which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Job:
    def __init__(self, settings: Settings, live: Live) -> None:
        self.settings = settings
        self.live = live
        self.root = settings.root
        self.build = settings.root / "build"
        self.targets: list[Target] = []
        self.corpora: dict[str, Corpus] = {}  # of each target, by its name, as below
        self.workers: list[Worker] = []
        self.trials: list[afl.Trial] = []  # of inputs that AFL++ says fail; the first one runs
        self.store = findings.Store(self.root)
        self.known = known_failures.Known()
        self.late: dict[str, list[bytes]] = collections.defaultdict(list)  # inputs, of each target
        self.problems: list[str] = []  # why this run proves less than it claims
        self.interrupt: Optional[int] = None  # the first signal that asked us to end
        self.broke_off = False  # the system, a full disk for one, let it not go on
        self.stopping: Optional[float] = None  # when the workers were told to stop
        self.pressed = 0
        self.samples: dict[str, collections.deque[Sample]] = {}
        self.growth: dict[str, Growth] = {}
        self.corpus_start: dict[str, int] = {}  # files
        self.known_before: set[str] = set()  # folders of findings that were there
        self.watchman: Optional[planted.Watchman] = None
        # is called again and again while the run goes on
        self.watch: Callable[[Job, float], None] = lambda job, now: None
        self.first_finding_seconds: Optional[float] = None
        self.processor: Optional[float] = None  # seconds, when the run has ended
        self.lock: Optional[IO[str]] = None

    # ---- setting up

    def open(self) -> None:
        """Raises SetupError: nothing has been started or written then."""
        self.known = known_failures.Known(self.settings.known)
        known = target_table.discover(self.root)
        if self.settings.timeout is not None:
            known = [target._replace(timeout=self.settings.timeout) for target in known]
        if not known:
            raise SetupError(f"{self.root}/fuzz/targets holds no target")
        wanted = self.settings.names or [target.name for target in known]
        plugin = target_table.PLUGIN
        if plugin.name in wanted:
            if self.settings.timeout is not None:
                plugin = plugin._replace(timeout=self.settings.timeout)
            known.append(plugin)
        for name in wanted:
            if name not in [target.name for target in known]:
                all_names = ", ".join(target.name for target in known)
                raise SetupError(f"unknown target '{name}': there are {all_names}")
        self.targets = [target for target in known if target.name in wanted]
        for target in self.targets:
            self.check_program(f"fuzz_{target.name}")
            self.check_program(f"replay_{target.name}")
        if any(target.script for target in self.targets):
            self.check_program("heaplab")
        kinds = ENGINES[self.settings.engine]
        if afl.AflWorker in kinds:
            afl.check(self.root, self.targets)
        if self.settings.planted_every is not None:
            planted.candidates(self.root)
        self.take_lock()
        shutil.rmtree(self.build / "fuzz-logs", ignore_errors=True)
        (self.build / "fuzz-logs").mkdir()
        self.store.open()
        self.known_before = {folder.name for folder in self.store.older()}
        afl.clear(self.root, self.store)
        cores = max(1, self.settings.cores // len(kinds))
        workers = target_table.share_cores(self.targets, cores)
        crowded = self.settings.cores < len(self.targets) * len(kinds)
        for target in self.targets:
            self.corpora[target.name] = Corpus(self.root, target)
            self.corpora[target.name].open()
            self.samples[target.name] = collections.deque()
            self.growth[target.name] = Growth()
            self.corpus_start[target.name] = self.corpora[target.name].files()
            niced = crowded and not target.heavy
            for kind in kinds:
                for index in range(workers[target.name]):
                    self.workers.append(kind(target, index, self.root, niced))
                    self.workers[-1].known = self.known.path
                    self.workers[-1].layout = self.settings.layout

        if self.settings.share is not None:
            self.settings.share.open(self.corpora)

    def check_program(self, name: str) -> None:
        path = self.build / "fuzz" / name
        if not os.access(path, os.X_OK) or path.is_dir():
            raise SetupError(f"{path} is missing or not a program: `make fuzz` builds it")

    def take_lock(self) -> None:
        self.lock = open(self.build / "fuzz.lock", "a+")  # held until this process ends
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SetupError(f"another fuzzing run is using {self.build}: stop it first") from None

    def release_lock(self) -> None:
        if self.lock is not None:
            self.lock.close()

    # ---- signals

    def on_signal(self, number: int, _frame: Optional[FrameType]) -> None:
        """The first one ends the run with its summary; the second one ends it at once."""
        if self.interrupt is not None:
            self.kill_all()
            os._exit(128 + number)
        self.interrupt = number

    def kill_all(self) -> None:
        for worker in self.workers:
            if worker.running():
                worker.signal(KILL)
        for trial in self.trials:
            trial.kill()

    # ---- running

    def run(self) -> summary.Summary:
        """The whole run; returns its Summary."""
        self.started_at = time.time()
        self.started = time.monotonic()
        self.deadline = self.started + self.settings.seconds
        self.processor_before = processor_seconds()
        counts = ", ".join(
            f"{target.name} x{sum(worker.target is target for worker in self.workers)}"
            for target in self.targets
        )
        if self.settings.planted_every is not None:
            self.watchman = planted.Watchman(self.root, self.settings.planted_every, self.started)
        limit = duration.show(self.settings.seconds)
        engines = "" if self.settings.engine == "libfuzzer" else f" ({self.settings.engine})"
        only = f", layout {self.settings.layout} only" if self.settings.layout else ""
        self.live.say(f"fuzzing {counts} on {self.settings.cores} cores for {limit}{engines}{only}")
        try:
            self.loop()
        except (OSError, outputs.OutputError) as error:
            self.break_off(error)
        finally:
            self.kill_all()
            if self.watchman is not None:
                self.watchman.end()
        self.seconds = time.monotonic() - self.started
        self.processor = processor_seconds() - self.processor_before
        self.sample(time.monotonic(), force=True)
        self.live.update(self.rows, time.monotonic(), force=True)
        self.live.drawn = 0
        self.check_end()
        self.share(time.monotonic(), force=True)
        if self.settings.share is not None:
            self.live.say(self.settings.share.summary())
        self.merge_corpora()
        for corpus in self.corpora.values():
            corpus.close()
        self.store.close()
        return summary.make(self)

    def break_off(self, error: Union[OSError, outputs.OutputError]) -> None:
        """What was gained so far is still said, and where it lies."""
        self.broke_off = True
        self.kill_all()
        reason = str(error) if isinstance(error, outputs.OutputError) else script.explain(error)
        self.problem(f"the run broke off: {reason}")
        for path in self.store.not_filed():
            self.problem(f"an input that failed was not filed: {program.shown(path, self.root)}")

    def loop(self) -> None:
        while True:
            now = time.monotonic()
            if self.stopping is None:
                self.start_due(now)
            for worker in self.workers:
                if worker.process is not None:
                    if worker.process.poll() is None:
                        worker.refresh()
                    else:
                        self.bury(worker)
            self.exchange(now)
            self.share(now)
            self.sample(now)
            self.live.update(self.rows, now)
            self.watch(self, now)
            self.look_at_planted(now)
            if self.stopping is None and self.is_over(now):
                self.stopping = now
            if self.stopping is not None:
                if not any(worker.running() for worker in self.workers):
                    self.finish_trials()
                    return
                self.press(now - self.stopping)
            time.sleep(TICK)

    def look_at_planted(self, now: float) -> None:
        if self.watchman is not None and self.stopping is None:
            dead = self.watchman.tick(now, self.deadline)
            if dead is not None:
                self.problem(dead)

    def is_over(self, now: float) -> bool:
        found = self.settings.stop_at_first and bool(self.store.findings)
        dead = all(worker.given_up for worker in self.workers)
        return now >= self.deadline or self.interrupt is not None or found or dead

    def start_due(self, now: float) -> None:
        for worker in self.workers:
            if worker.running() or worker.given_up or now < worker.next_start:
                continue
            if now >= self.deadline:
                continue
            corpus = self.corpora[worker.target.name]
            try:
                # One second more than is left: the end comes from press().
                seconds = math.ceil(self.deadline - now) + 1
                worker.start(seconds, (corpus.folder, corpus.seeds))
            except OSError as error:
                worker.given_up = True
                self.problem(f"worker {worker.name} cannot start: {error.strerror}")

    def press(self, waited: float) -> None:
        patience = 1.5
        if self.interrupt is None and not self.settings.stop_at_first:
            patience = max(worker.target.timeout for worker in self.workers) * 1.5 + 5
        steps = [(0.0, SOFT), (patience, HARD), (patience + 3, KILL)]
        while self.pressed < len(steps) and waited >= steps[self.pressed][0]:
            number = steps[self.pressed][1]
            for worker in self.workers:
                # One that has just failed is left to finish its report.
                if worker.running() and not (number == HARD and worker.artifacts()):
                    worker.signal(number)
            self.pressed += 1

    # ---- the other engine

    def exchange(self, now: float, force: bool = False) -> None:
        """Finds go both ways, and what AFL++ failed on is tried, one input after the other."""
        for worker in self.workers:
            if isinstance(worker, afl.AflWorker):
                worker.share(self.corpora[worker.target.name], now, force)
                self.trials += worker.take_failures()
        if self.trials and self.trials[0].is_over():
            self.file_trial(self.trials.pop(0))

    def share(self, now: float, force: bool = False) -> None:
        if self.settings.share is not None:
            self.settings.share.exchange(now, self.problem, force)

    def file_trial(self, trial: afl.Trial) -> None:
        if trial.failure is None:
            trial.path.unlink()
        else:
            self.file_finding(trial.worker, trial.failure, trial.path, trial.log)

    def finish_trials(self) -> None:
        """What a run has found counts, though it was found in the last second."""
        self.exchange(time.monotonic(), force=True)
        hurry = self.interrupt is not None or self.settings.stop_at_first
        patience = TRIALS_SECONDS_INTERRUPTED if hurry else TRIALS_SECONDS_MAX
        end = time.monotonic() + patience
        while self.trials and time.monotonic() < end:
            self.exchange(time.monotonic())
            time.sleep(TICK / 5)
        for trial in self.trials:
            trial.kill()
            left = self.store.leave(trial.path)
            if not self.store.findings:
                self.problem(f"AFL++ failed on an input that was not tried again: {left}")
        self.trials.clear()

    def problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)
            self.live.say(f"PROBLEM: {text}")

    # ---- deaths

    def bury(self, worker: Worker) -> None:
        status, artifacts = worker.collect()
        log = findings.read_log(worker.log_path)
        name = artifacts[0].name[len(worker.name) + 1 :] if artifacts else None
        failure = signatures.classify(log, self.root) or signatures.classify_end(name, status)
        for artifact in artifacts:
            self.file_finding(worker, failure, artifact, log)
        if artifacts:
            worker.log_path.unlink()  # its text is kept with the finding
        elif worker.finished_well(status):
            pass
        elif self.stopping is None or not worker.ended_as_asked(status):
            self.file_death(worker, failure, log)
        worker.rest(failure.signature)

    def file_finding(self, worker: Worker, failure: Failure, artifact: pathlib.Path,
                     log: str) -> None:
        target = worker.target
        if self.is_late(target, failure, artifact):
            artifact.unlink()
            return
        seeds = self.corpora[target.name].remove(artifact.read_bytes())
        if self.known.meet(failure):
            artifact.unlink()
            return
        found, is_new = self.store.add(target, failure, artifact, log)
        if self.first_finding_seconds is None:
            self.first_finding_seconds = time.monotonic() - self.started
        if is_new:
            self.live.say(*findings.describe(found, self.root))
        for seed in seeds:
            self.live.say(
                f"seed {program.shown(seed, self.root)} fails ({found.folder.name}); "
                "this run goes on without it"
            )

    def is_late(self, target: Target, failure: Failure, artifact: pathlib.Path) -> bool:
        """Was only the machine too busy for the input? One that is late again is kept no longer: it
        may be a seed, with which every worker begins."""
        if self.interrupt is not None or not self.store.ends_in_time(target, failure, artifact):
            return False
        data = artifact.read_bytes()
        if data in self.late[target.name]:
            self.corpora[target.name].remove(data)
        self.late[target.name].append(data)
        self.live.say(f"no finding in {target.name}: an input that was not done after "
                      f"{target.timeout}s ends in time when it is played alone")
        return True

    def file_death(self, worker: Worker, failure: Failure, log: str) -> None:
        """An end that no input explains: the harness is broken, or the machine is too small."""
        words = [line for line in log.splitlines() if line.strip()]
        last = f", its last words: {words[-1][:160]}" if words else ""
        done = worker.total().executions
        self.problem(
            f"worker {worker.name} ended before its time without a failing input "
            f"({failure.signature}; {done:,} inputs executed){last}"
        )
        worker.deaths_without_input += 1
        if worker.deaths_without_input >= DEATHS_WITHOUT_INPUT_MAX:
            worker.given_up = True
            self.problem(f"worker {worker.name} is given up")

    # ---- what there is to show

    def workers_of(self, target: Target) -> list[Worker]:
        return [worker for worker in self.workers if worker.target is target]

    def total(self, target: Target) -> stats.Stats:
        together = stats.NOTHING
        for worker in self.workers:
            if worker.target is target:
                together = stats.add(together, worker.total())
        return together

    def sample(self, now: float, force: bool = False) -> None:
        for target in self.targets:
            samples = self.samples[target.name]
            if samples and now - samples[-1].at < 0.5 and not force:
                continue
            done = self.total(target)
            samples.append(Sample(now, done.executions, done.counters.get("checked", 0)))
            workers = self.workers_of(target)
            self.growth[target.name].add(
                Point(round(now - self.started, 1), done.executions, summary.coverage(workers),
                      max(worker.features for worker in workers),
                      self.corpora[target.name].files()),
                any(worker.features_start is not None for worker in workers))
            while now - samples[0].at > RATE_WINDOW:
                samples.popleft()

    def rows(self) -> list[Row]:
        now = time.monotonic()
        rows = []
        for target in self.targets:
            samples = self.samples[target.name]
            first, last = samples[0], samples[-1]
            seconds = max(last.at - first.at, 0.001)
            workers = self.workers_of(target)
            found = self.store.of(target)
            growth = self.growth[target.name]
            rows.append(
                Row(
                    target=target.name,
                    executions_per_second=(last.executions - first.executions) / seconds,
                    checked_per_second=(last.checked - first.checked) / seconds
                    if target.checked else None,
                    coverage=summary.coverage(workers),
                    features=max(worker.features for worker in workers),
                    corpus=self.corpora[target.name].files(),
                    findings=len(found),
                    repeats=sum(each.seen - 1 for each in found),
                    left=0 if self.stopping else self.deadline - now,
                    since_find=None if growth.last_find is None
                    else max(0, now - self.started - growth.last_find),
                    growth=growth.bars(GROWTH_COLUMNS, self.live.is_ascii),
                )
            )
        return rows

    # ---- the end

    def check_end(self) -> None:
        """A run whose harness was dead proves nothing: notice that."""
        for target in self.targets:
            if self.store.of(target) or self.interrupt is not None:
                continue
            for worker in self.workers:
                if worker.target is target and worker.total().executions == 0:
                    self.problem(f"worker {worker.name} executed no input")
            counters = self.total(target).counters
            checked = counters.get("checked", 0)
            if target.checked and checked == 0:
                self.problem(f"target {target.name} checked no operation: its harness is dead")
            if checked >= summary.CHECKED_BEFORE_COUNTERS_COUNT:
                for name, value in counters.items():
                    counts = not name.startswith(known_failures.COUNTER)
                    if value == 0 and counts and name not in target.idle:
                        self.problem(
                            f"target {target.name}: '{name}' stayed 0 in {checked:,} checked "
                            "operations: part of its harness is dead"
                        )

    def merge_corpora(self) -> None:
        if not self.settings.merge or self.broke_off:
            return
        end = time.monotonic() + min(MERGE_SECONDS_MAX, 5 + self.settings.seconds / 10)
        for target in self.targets:
            corpus = self.corpora[target.name]
            left = end - time.monotonic()
            if self.interrupt is not None or left < 1 or not corpus.worth_merging():
                continue
            before = corpus.files()
            log_path = self.build / "fuzz-logs" / f"{target.name}.merge.log"
            files = corpus.merge(left, log_path, lambda: self.interrupt is not None,
                                 self.known.path)
            if files is not None:
                self.live.say(f"corpus of {target.name} merged: {before:,} files -> {files:,}")
