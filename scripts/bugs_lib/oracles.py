# SPDX-License-Identifier: MIT
"""What may notice a bug in the library. Each oracle builds what it needs in the copy of the tree,
which has the bug planted, and works up to its first finding or its time limit."""

import importlib
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import time
from typing import Callable, Iterable, NamedTuple, Optional, Sequence

from bugs_lib import marks, patches, trials, watch
from bugs_lib.patches import Bug
from bugs_lib.trials import Trial
from common_lib import children
from common_lib.script import SetupError
from fuzz_lib import plant, program, stats
from fuzz_lib import targets as target_table
from fuzz_lib.worker import Worker

# Whole lines, so that none is taken while it is being written. The group `what` says what it was;
# a failure of the runner's has `property` and `detail` instead, and `op`.
FAILURE = (r"^(?:\S.*: )?FAILURE property=(?P<property>\S+) detail=(?P<detail>.*?)"
           r"(?: op=(?P<op>\d+) kind=\S+)?\n")
PANIC = r"^tagheap: (?P<panic>assertion failed: .*|[a-z -]+).*\n"
RUNTIME = r"^\S.*:\d+:\d+: runtime error: (?P<runtime>.*)\n"


def lines(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.MULTILINE)


RUN = lines(FAILURE, PANIC)
ASAN = lines(r"^==\d+== ?ERROR: AddressSanitizer: (?P<what>[\w-]+).*\n")
UBSAN = lines(RUNTIME)
MEMCHECK = lines(
    r"^==\d+== (?P<what>Invalid (?:read|write|free)|Conditional jump|Use of uninit|Syscall param|"
    r"Mismatched free|Process terminating).*\n")
FUZZED = lines(FAILURE, PANIC, RUNTIME, r"^==\d+== ?ERROR: (?P<what>.*)\n")
VIOLATION = lines(
    r"^VIOLATION property=(?P<property>\S+) detail=(?P<detail>.*) after \d+ operations\n")
BETWEEN = lines(r"^(?:VIOLATION \S+|  FAILED) (?P<what>.*)\n")
EXPLORED = re.compile(r" (\d+) (?:executions|states)  ")
TRANSITIONS = re.compile(r"^transitions (\d+)$", re.MULTILINE)
SHRUNK = re.compile(r"^minimize: (\d+) -> (\d+) operations", re.MULTILINE)
PLAYED = re.compile(r": passed, (\d+) operations", re.MULTILINE)
NEVER = re.compile(r"(?!)")

SLOW_SUITES = ("explore", "shrink")  # last, so that others may be first to fail
GENERAL_SUITES = ("actors", "allocator", "attack_matrix", "bad_input", "contract")
SUITE_LIMIT, REPLAY_LIMIT, MEMCHECK_LIMIT, EXPLORE_LIMIT, SHRINK_LIMIT, BETWEEN_LIMIT = \
    30, 20, 60, 20, 60, 60
EXPLORATIONS = (  # small heaps, each complete in less than a second
    ("--dwords", "32"),
    ("--dwords", "48", "--align", "8", "--sizes", "1,24", "--tags", "0x1001,0x4001",
     "--aligned", "16,32", "--budgets", "none"),
    ("--dwords", "28", "--bookkeeping"),
)


class BuildError(SetupError):
    """The tree with the bug does not build."""


class Answer(NamedTuple):
    found: bool
    seconds: float = 0.0  # to the finding; without one, what was spent
    operations: Optional[int] = None  # up to and with the one that failed; None: not known
    what: str = ""  # what was seen; without a finding, why there is no answer
    worst: Optional[float] = None  # of several runs; None: there was one
    executions: Optional[int] = None
    shrunk: Optional[int] = None  # operations of the shrunken script
    trials: Optional[list[Trial]] = None  # one for each seed


class Context(NamedTuple):
    """What an oracle works with."""

    root: pathlib.Path  # the tree
    copy: pathlib.Path  # the tree with the bug
    logs: pathlib.Path
    bug: Optional[patches.Bug]  # None: nothing is planted
    fuzz_seconds: int
    seeds: int

    def build(self, *goals: str) -> None:
        log = self.logs / "build.log"
        if not plant.make(self.copy, goals, log):
            name = program.shown(self.bug.path, self.root) if self.bug else "the tree"
            kept = log.with_name(f"{self.bug.name if self.bug else 'tree'}.build.log")
            log.replace(kept)
            raise BuildError(f"{name} does not build: see {program.shown(kept, self.root)}")

    @property
    def target(self) -> str:
        return self.bug.target if self.bug else "heap"


Oracle = Callable[[Context], Answer]


def corpus_scripts(copy: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for kind in ("seed", "regress")
                  for path in (copy / "corpus" / "heap" / kind).glob("*.txt"))


def end_of(seen: watch.Seen) -> str:
    """How a program ended that was not stopped for a match."""
    if seen.status is None:
        return "no end"
    if seen.status < 0:
        return signal.Signals(-seen.status).name
    return f"exit status {seen.status}"


# ---- the suites


def suite_programs(copy: pathlib.Path) -> list[str]:
    names = [path.stem.removeprefix("test_") for path in (copy / "tests").glob("test_*.c")]
    return sorted(names, key=lambda name: (name in SLOW_SUITES, name))


def first_failed(results: pathlib.Path, plan: Iterable[str]) -> Optional[str]:
    """The first test of the plan that did not pass."""
    lines = results.read_text(errors="replace").splitlines() if results.exists() else []
    passed = {line.rsplit("\t", 1)[0] for line in lines if line.endswith("\tpassed")}
    return next((test for test in plan if test not in passed), None)


def suites_first(names: Iterable[str], bug: Optional[Bug]) -> list[list[str]]:
    """In three parts, each of which is built and asked before the next one: the suites of what the
    bug touches; those of its relatives (that begin with the same word, or with the folder's name),
    and those that have much to do with everything; all others."""
    touched = [pathlib.PurePath(path) for path in (bug.touched if bug else ())]
    nouns = {path.stem for path in touched}
    words = {noun.split("_")[0] for noun in nouns} | {path.parent.name for path in touched}
    parts: list[list[str]] = [[], [], []]
    for name in names:
        is_own = any(name == noun or name.startswith(f"{noun}_") for noun in nouns)
        is_near = bug is not None and (name.split("_")[0] in words or name in GENERAL_SUITES)
        parts[0 if is_own else 1 if is_near else 2].append(name)
    return parts


def suite(context: Context) -> Answer:
    """The deterministic suites, with guards and assertions."""
    spent = 0.0
    for names in suites_first(suite_programs(context.copy), context.bug):
        answer = run_suites(context, names) if names else Answer(False)
        spent += answer.seconds
        if answer.found:
            break
    return answer._replace(seconds=spent)


def run_suites(context: Context, names: Sequence[str]) -> Answer:
    """Builds the suites, and asks one after the other."""
    context.build(*(f"build/debug/tests/test_{name}" for name in names))
    results = context.logs / "suite.results"
    started = time.monotonic()
    for name in names:
        command = [context.copy / f"build/debug/tests/test_{name}"]
        results.unlink(missing_ok=True)
        env = program.environment() | {"TH_RESULTS": str(results)}
        seen = watch.run(command, context.copy, context.logs / "suite.log", SUITE_LIMIT, NEVER,
                         env)
        if seen.status != 0:
            plan = program.run([*command, "--list"], context.copy).text.splitlines()
            test = first_failed(results, plan)
            words = test.replace("\t", ": ") if test else f"{name}: {end_of(seen)}"
            return Answer(True, time.monotonic() - started, None, words)
    return Answer(False, time.monotonic() - started)


# ---- replays


def operations_to(seen: watch.Seen) -> int:
    """Operations played up to the failing one; where it is not known, up to its script."""
    before = seen.text[: seen.match.start()] if seen.match else seen.text
    number = seen.match.groupdict().get("op") if seen.match else None
    return sum(map(int, PLAYED.findall(before))) + (int(number) + 1 if number else 0)


def words_of(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if groups.get("property"):
        return f"{groups['property']} {groups['detail']}"
    return next(word for word in groups.values() if word).strip()


def replay(context: Context, variant: str, options: Iterable[str], pattern: re.Pattern[str],
           limit: float, wrap: Iterable[str] = (), any_end: bool = False) -> Answer:
    """Plays the corpus's scripts. `any_end`: a crash or a hang is a finding as well."""
    context.build(f"build/{variant}/heaplab")
    command = [*wrap, f"build/{variant}/heaplab", "run", "-v", "--text", *options]
    seen = watch.run([*command, *corpus_scripts(context.copy)], context.copy,
                     context.logs / f"{variant}.log", limit, pattern)
    if seen.match is not None:
        return Answer(True, seen.seconds, operations_to(seen), words_of(seen.match))
    if seen.status == 0:
        return Answer(False, seen.seconds)
    return Answer(any_end, seen.seconds, operations_to(seen) if any_end else None, end_of(seen))


def guards(context: Context) -> Answer:
    """The guards at level 3, and the assertions: scripts without the model."""
    return replay(context, "debug", ("--bare", "--guard", "3"), RUN, REPLAY_LIMIT)


def model(context: Context) -> Answer:
    """The exact model: scripts with the guards off."""
    return replay(context, "debug", ("--guard", "0"), RUN, REPLAY_LIMIT, any_end=True)


def asan(context: Context) -> Answer:
    return replay(context, "asan", ("--bare", "--guard", "0"), ASAN, REPLAY_LIMIT)


def ubsan(context: Context) -> Answer:
    return replay(context, "ubsan", ("--bare", "--guard", "0"), UBSAN, REPLAY_LIMIT)


def valgrind(context: Context) -> Answer:
    text = (context.copy / "valgrind" / "memcheck.options").read_text()
    options = [line for line in text.splitlines() if line and not line.startswith("#")]
    return replay(context, "valgrind", ("--bare", "--guard", "0"), MEMCHECK, MEMCHECK_LIMIT,
                  wrap=("valgrind", *options))


# ---- the explorer


def explorer(context: Context) -> Answer:
    context.build("build/explore/heaplab")
    started = time.monotonic()
    transitions = 0
    for options in EXPLORATIONS:
        command = ["build/explore/heaplab", "explore", "-j", "1", "-f", "-o",
                   context.logs / "violation.txt", *options]
        seen = watch.run(command, context.copy, context.logs / "explore.log", EXPLORE_LIMIT,
                         VIOLATION)
        if found := TRANSITIONS.search(seen.text):
            transitions += int(found[1])
        spent = time.monotonic() - started
        if seen.match is not None:
            return Answer(True, spent, transitions, words_of(seen.match))
        if seen.status != 0:
            return Answer(True, spent, transitions or None, end_of(seen))
    return Answer(False, spent)


# ---- the fuzzers


def start_over(copy: pathlib.Path) -> pathlib.Path:
    """An empty corpus, no findings."""
    build = copy / "build"
    for name in ("fuzz-corpus", "findings", "fuzz-logs"):
        shutil.rmtree(build / name, ignore_errors=True)
    corpus = build / "fuzz-corpus" / "empty"
    for folder in (corpus, build / "fuzz-logs", build / "findings" / ".incoming"):
        folder.mkdir(parents=True)
    return corpus


def libfuzzer_once(context: Context, seed: int,
                   marked_as: marks.Kind = marks.Kind.NONE) -> tuple[Answer, Trial, Optional[pathlib.Path]]:
    """(Answer, the same as a trial, the input) of one run on one core."""
    corpus = start_over(context.copy)
    target = target_table.describe(context.target)
    target = target._replace(flags=(*target.flags, f"-seed={seed}"))
    worker = Worker(target, 0, context.copy, False)
    worker.start(context.fuzz_seconds + 5, (corpus,))

    def total() -> stats.Stats:
        worker.refresh()
        return worker.total()

    assert worker.process is not None
    seen = watch.attend(worker.process, worker.log_path, worker.started, context.fuzz_seconds,
                        FUZZED, watch.LINGER, total)
    done = seen.at_match or total()
    detected = trials.NEVER if seen.match is None else seen.seconds
    names = {"reached": marked_as is not marks.Kind.NONE,
             "triggered": bool(marked_as is marks.Kind.STATEMENT and context.bug
                               and context.bug.trigger)}
    reached, triggered = (marked(done, mark, worker.started, detected) if is_known else None
                          for mark, is_known in names.items())
    trial = Trial(seed, reached, triggered, detected, seen.seconds, done.executions)
    if seen.match is None:
        words = "" if seen.status is None else end_of(seen)
        return Answer(False, seen.seconds, done.counters.get("checked"), words,
                      executions=done.executions), trial, None
    artifacts = worker.artifacts()
    return Answer(True, seen.seconds, done.counters.get("ops"), words_of(seen.match),
                  executions=done.executions), trial, artifacts[0] if artifacts else None


def marked(done: stats.Stats, name: str, started: float, detected: float) -> float:
    """Seconds until the mark was set. The input that fails is not looked at any more: what it
    detects, it has reached and triggered."""
    at = done.counters.get(name, 0) / 1e9 - started
    return min(at, detected) if at >= 0 else detected


def shrink(context: Context, path: pathlib.Path) -> Optional[int]:
    """The number of operations that heaplab minimize leaves; None if it does not say."""
    out = context.logs / "shrunk.txt"
    command = ["build/fuzz/heaplab", "minimize", "--bytes", "-f", "-o", out, path]
    done = program.run(command, context.copy, SHRINK_LIMIT)
    found = SHRUNK.search(done.text)
    return int(found[2]) if found and done.status == 0 else None


def libfuzzer(context: Context) -> Answer:
    """From an empty corpus, on one core, once with each seed; found: with all of them."""
    name = context.target
    marked_as = build_marked(context, f"build/fuzz/fuzz_{name}", "build/fuzz/heaplab")
    runs, every, kept = [], [], None
    for seed in range(1, context.seeds + 1):
        answer, trial, path = libfuzzer_once(context, seed, marked_as)
        runs.append(answer)
        every.append(trial)
        if path is not None and (kept is None or len(path.read_bytes()) < len(kept)):
            kept = path.read_bytes()
    shrunk = None
    if kept is not None and name == "heap":
        found = context.logs / "finding.bin"
        found.write_bytes(kept)
        shrunk = shrink(context, found)
    return combine(runs, shrunk, every)


def build_marked(context: Context, *goals: str) -> marks.Kind:
    """With marks where the bug's lines are, or at the beginning of their functions; without, if it
    does not build so. Returns what the marks can tell."""
    bug = context.bug
    if bug is None:
        context.build(*goals)
        return marks.Kind.NONE
    for kind in (marks.Kind.STATEMENT, marks.Kind.FUNCTION):
        kept = marks.mark(context.root, context.copy, bug, kind)
        try:
            if kept:
                context.build(*goals)
                return kind
        except BuildError:
            if bug.trigger:
                raise  # a condition that is not C must not be lost
        finally:
            marks.unmark(kept)
    context.build(*goals)
    return marks.Kind.NONE


def combine(runs: Sequence[Answer], shrunk: Optional[int] = None,
            trials: Optional[list[Trial]] = None) -> Answer:
    """Of several runs: the medians, and the worst."""
    middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    missed = [number + 1 for number, run in enumerate(runs) if not run.found]
    what = f"missed with {len(missed)} of {len(runs)} seeds" if missed else middle.what
    return Answer(
        not missed, statistics.median(run.seconds for run in runs), middle.operations, what,
        max(run.seconds for run in runs), middle.executions, shrunk, trials)


# afl-fuzz refuses to begin where even the one small input that it is given fails.
NO_SEED = "We need at least one valid input seed"


def afl(context: Context) -> Answer:
    """AFL++ from an empty corpus, on one core, as `make fuzz ENGINE=afl` runs it."""
    engine = importlib.import_module("fuzz_lib.afl")  # comes with the variant
    target = target_table.describe(context.target)
    context.build(f"build/afl/fuzz_{target.name}", "build/afl/mutator.so")
    worker = engine.AflWorker(target, 0, context.copy, False)
    shutil.rmtree(engine.folder_of(context.copy), ignore_errors=True)
    worker.seeds_passed = True  # there are none
    worker.start(context.fuzz_seconds, (start_over(context.copy),))
    assert worker.process is not None
    found = False
    try:
        while not found and worker.process.poll() is None and \
                time.monotonic() - worker.started < context.fuzz_seconds:
            time.sleep(watch.POLL)
            found = any(worker.out.glob("crashes/id:*")) or any(worker.out.glob("hangs/id:*"))
        spent = time.monotonic() - worker.started
    finally:
        end(worker.process)
    stats = worker.out / "fuzzer_stats"
    done = re.search(r"^execs_done\s*: (\d+)", stats.read_text(), re.M) if stats.exists() else None
    if not found and done is None:
        if NO_SEED in worker.log_path.read_text(errors="replace"):
            return Answer(True, spent, None, "crash of the first input", executions=1)
        raise SetupError("afl-fuzz did not work: see "
                         f"{program.shown(worker.log_path, context.root)}")
    return Answer(found, spent, None, "crash" if found else "",
                   executions=int(done[1]) if done else None)


def end(process: children.Process) -> None:
    """Asks the process to end, and then makes it."""
    children.signal_group(process, signal.SIGINT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        children.signal_group(process, signal.SIGKILL)
        process.wait()


# ---- between threads


def between(context: Context, program_name: str, *options: str) -> Answer:
    """A program that explores what several threads do, up to its first violation."""
    context.build(program_name)
    seen = watch.run([program_name, *options], context.copy,
                     context.logs / f"{pathlib.PurePath(program_name).name}.log", BETWEEN_LIMIT,
                     BETWEEN)
    found = EXPLORED.findall(seen.text)
    explored = sum(map(int, found)) if found else None
    if seen.match is not None:
        return Answer(True, seen.seconds, explored, words_of(seen.match))
    if seen.status == 0:
        return Answer(False, seen.seconds)
    return Answer(True, seen.seconds, explored, end_of(seen))


def relacy(context: Context) -> Answer:
    """All executions of the lock-free code, by the memory model."""
    return between(context, "build/relacy/check", "--quick")


def kill(context: Context) -> Answer:
    """Processes that die in a shared heap, at a sample of the stores that they make."""
    return between(context, "build/guarded/killtest", "--quick")


def interleave(context: Context) -> Answer:
    """All interleavings of small programs, atomic operation by atomic operation."""
    return between(context, "build/interleave/interleave", "--quick")


TSAN = lines(r"^WARNING: ThreadSanitizer: (?P<what>[\w -]+?) \(pid=\d+\)\n",
             r"^\S+: (?P<runtime>check failed in a thread: .*)\n")
WITH_THREADS = re.compile(r'#include "(threads_fixture|actors/actors)\.h"')


def tsan(context: Context) -> Answer:
    """The suites with threads, under ThreadSanitizer."""
    names = [path.stem for path in sorted((context.copy / "tests").glob("test_*.c"))
             if WITH_THREADS.search(path.read_text())]
    context.build(*(f"build/tsan/tests/{name}" for name in names))
    started = time.monotonic()
    for name in names:
        seen = watch.run(["setarch", "-R", f"build/tsan/tests/{name}"], context.copy,
                         context.logs / "tsan.log", SUITE_LIMIT, TSAN)
        if seen.match is not None:
            return Answer(True, time.monotonic() - started, None, words_of(seen.match))
    return Answer(False, time.monotonic() - started)


# ---- all of them


ORACLES = {
    "suite": suite,
    "guards": guards,
    "model": model,
    "asan": asan,
    "ubsan": ubsan,
    "valgrind": valgrind,
    "explorer": explorer,
    "libfuzzer": libfuzzer,
    "afl": afl,
    "relacy": relacy,
    "kill": kill,
    "interleave": interleave,
    "tsan": tsan,
}
# For bugs that several threads are needed for; the others are not for these.
THREADS = ("relacy", "kill", "interleave", "tsan")
THREADS_TOO = ("suite", *THREADS)
FAST = ("suite", "guards", "model", "libfuzzer", "relacy", "kill", "interleave")


def for_bug(bug: Bug, names: Iterable[str]) -> list[str]:
    """Those of the names that may find the bug."""
    return [name for name in names
            if (name in THREADS_TOO if bug.threads else name not in THREADS)]


def available(root: pathlib.Path) -> list[str]:
    """The oracles that this tree and machine have."""
    no_afl = not (root / "sanitize" / "afl.mk").exists() or shutil.which("afl-fuzz") is None
    return [name for name in ORACLES if not (name == "afl" and no_afl)]
