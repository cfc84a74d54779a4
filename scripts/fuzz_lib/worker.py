# SPDX-License-Identifier: MIT
"""One fuzzing worker: a libFuzzer process that is started again whenever it dies before the
time is up."""

import pathlib
import re
import signal
import time
from typing import Iterator, Optional, Sequence

from common_lib import children
from fuzz_lib import program, stats
from fuzz_lib.targets import Target

PROGRESS = re.compile(rb"^#(\d+)\t(\S+)\s+cov: (\d+) ft: (\d+) (?:.* rss: (\d+)Mb)?", re.MULTILINE)
SEED = re.compile(rb"^INFO: Seed: (\d+)", re.MULTILINE)
SLOWEST = re.compile(rb"^stat::slowest_unit_time_sec:\s+(\d+)", re.MULTILINE)
PEAK = re.compile(rb"^stat::peak_rss_mb:\s+(\d+)", re.MULTILINE)
# A worker that dies of the same failure again within a second waits before it starts again, twice
# as long each time: there is little to learn from it, and others need the cores.
QUICK_DEATH = 1.0  # seconds
BACK_OFF_FIRST, BACK_OFF_MAX = 0.1, 2.0  # seconds
NICE_OF_LIGHT_TARGETS = 10
SOFT, HARD, KILL = signal.SIGUSR1, signal.SIGINT, signal.SIGKILL  # how one is asked to end
INTERRUPTED = 72  # libFuzzer's exit status after a signal


class Worker:
    engine = "libfuzzer"
    known: Optional[pathlib.Path] = None  # the file of known signatures
    layout: Optional[str] = None  # the only one that is played

    def __init__(self, target: Target, index: int, root: pathlib.Path, niced: bool) -> None:
        self.target = target
        self.name = f"{target.name}-{index}"
        self.root = root
        self.niced = niced
        self.logs = root / "build" / "fuzz-logs"
        self.incoming = root / "build" / "findings" / ".incoming"
        self.stats_path = self.logs / f"{self.name}.stats"
        self.process: Optional[children.Process] = None
        self.log_path = self.logs / f"{self.name}.log"  # of the process that runs
        self.log_offset = 0
        self.starts = 0
        self.started = 0.0
        self.next_start = 0.0
        self.lived = 0.0
        self.back_off = 0.0
        self.last_signature: Optional[str] = None
        self.given_up = False
        self.deaths_without_input = 0
        self.before = stats.NOTHING  # sums of the processes that have ended
        self.now = stats.NOTHING
        self.coverage = 0
        self.features = 0
        self.coverage_start: Optional[int] = None  # with what the corpus held; None: not said
        self.features_start: Optional[int] = None
        self.peak_mb: Optional[int] = None
        self.slowest_seconds: Optional[int] = None  # whole ones: so the engine says it
        self.seeds: list[int] = []  # of its processes

    def arguments(self, seconds: float, folders: Sequence[pathlib.Path]) -> Iterator[object]:
        target = self.target
        yield self.root / "build" / "fuzz" / f"fuzz_{target.name}"
        yield from ("-fork=0", "-reload=1", "-print_final_stats=1", "-report_slow_units=1000000")
        yield f"-max_len={target.max_len}"
        yield f"-timeout={target.timeout}"
        yield f"-rss_limit_mb={target.rss_limit_mb}"
        yield f"-max_total_time={seconds}"
        yield f"-artifact_prefix={self.incoming}/{self.name}-"
        dictionary = self.root / "fuzz" / "targets" / f"{target.name}.dict"
        if dictionary.exists():
            yield f"-dict={dictionary}"
        yield from target.flags
        yield from folders

    def start(self, seconds: float, folders: Sequence[pathlib.Path]) -> None:
        """Raises OSError if the program cannot be started."""
        self.starts += 1
        self.log_path = self.logs / f"{self.name}.{self.starts}.log"
        self.log_offset = 0
        self.now = stats.NOTHING
        self.stats_path.unlink(missing_ok=True)
        nice = NICE_OF_LIGHT_TARGETS if self.niced else 0
        with self.log_path.open("wb") as log:
            arguments = list(self.arguments(seconds, folders))
            self.process = program.start(arguments, log, self.root, self.environment(), nice)
        self.started = time.monotonic()

    def environment(self) -> dict[str, str]:
        return program.environment(self.stats_path, self.known, self.layout)

    def signal(self, number: int) -> None:
        if self.process is not None:
            children.signal_group(self.process, number)

    def finished_well(self, _status: int) -> bool:
        """Has the process come to an end that it was meant to come to?"""
        return False

    def ended_as_asked(self, status: int) -> bool:
        """Is this how a process ends that was told to?"""
        return status in (0, INTERRUPTED, -SOFT, -HARD, -KILL)

    def running(self) -> bool:
        return self.process is not None

    def refresh(self) -> None:
        """Takes over what the process has published and logged since the last time."""
        page = stats.read(self.stats_path)
        with self.log_path.open("rb") as log:
            log.seek(self.log_offset)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.log_offset += len(whole)
        for runs, event, coverage, features, memory in PROGRESS.findall(whole):
            if page is None:  # a program without the statistics: the log is all there is
                self.now = stats.Stats(int(runs), {})
            self.coverage = max(self.coverage, int(coverage))
            self.features = max(self.features, int(features))
            if event == b"INITED" and self.coverage_start is None:
                self.coverage_start, self.features_start = int(coverage), int(features)
            self.peak_mb = max(self.peak_mb or 0, int(memory)) if memory else self.peak_mb
        self.seeds += [int(seed) for seed in SEED.findall(whole)]
        for peak in PEAK.findall(whole):
            self.peak_mb = max(self.peak_mb or 0, int(peak))
        for slowest in SLOWEST.findall(whole):
            self.slowest_seconds = max(self.slowest_seconds or 0, int(slowest))
        if page is not None:
            self.now = page

    def total(self) -> stats.Stats:
        """What all processes of this worker have done."""
        return stats.add(self.before, self.now)

    def collect(self) -> tuple[int, list[pathlib.Path]]:
        """After the process has ended: its exit status and the inputs it failed on."""
        assert self.process is not None
        status = self.process.wait()
        self.refresh()
        self.before, self.now = self.total(), stats.NOTHING
        self.process = None
        self.lived = time.monotonic() - self.started
        return status, self.artifacts()

    def artifacts(self) -> list[pathlib.Path]:
        """Inputs that a process of this worker failed on and that were not filed yet."""
        return sorted(self.incoming.glob(f"{self.name}-*"))

    def rest(self, signature: str) -> None:
        """Decides when to start again after a death of this kind."""
        if self.lived < QUICK_DEATH and signature == self.last_signature:
            self.back_off = min(max(self.back_off * 2, BACK_OFF_FIRST), BACK_OFF_MAX)
        else:
            self.back_off = 0.0
        self.last_signature = signature
        self.next_start = time.monotonic() + self.back_off
