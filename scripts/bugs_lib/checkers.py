# SPDX-License-Identifier: MIT
"""What may notice a bug in heaplab, which checks others: the suites and the corpus, the fuzzing
job's own checks, the mistakes planted for the properties, its canary, the scripts' tests. They are asked in
this order up to the first that notices."""

import pathlib
import re
import time
from typing import Iterable

from bugs_lib import oracles, patches
from bugs_lib.oracles import Answer, Context
from bugs_lib.patches import Bug
from fuzz_lib import plant, program

COUNT = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
FAILED = re.compile(r"^ +failed: (.*)$", re.MULTILINE)
FINDING = re.compile(r"^ *(?:PROBLEM|FINDING in|problem:|CANARY FAILED).*", re.MULTILINE)
FAILED_TEST = re.compile(r"^(?:FAIL|ERROR): (\w+)|^not ok \d+ - (.*)$", re.MULTILINE)
PYTHON_TESTS = ("fuzz_parts", "record", "cli", "to_c", "fuzz")  # the quick ones first
LIMIT = 300
JOB_SECONDS = 8
PLANTED_SECONDS = 10


def first_words(pattern: re.Pattern[str], text: str) -> str:
    """The first group of the first match that is not empty; without groups all of it."""
    found = pattern.search(text)
    if found is None:
        return ""
    return next((word for word in found.groups() if word), found[0]).strip()


def corpus(context: Context) -> Answer:
    """`make test`'s replays: everything that should pass still does, and is still played."""
    context.build("build-debug")
    started = time.monotonic()
    command = ["scripts/run-suites", "debug", "--replay", "--misuse", "--timeout", "60"]
    done = program.run(command, context.copy, LIMIT)
    spent = time.monotonic() - started
    counts = COUNT.findall(done.text)
    passed = int(counts[-1][0]) if counts else 0
    if done.status != 0:
        return Answer(True, spent, passed, first_words(FAILED, done.text) or "run-suites")
    expected = expected_count(context.copy)
    words = f"{passed} passed, {expected} expected" if passed != expected else ""
    return Answer(bool(words), spent, passed, words)


def expected_count(copy: pathlib.Path) -> int:
    """How many replays and misuse programs there are, counted without heaplab."""
    files = sum(1 for kind in ("seed", "regress") for path in copy.glob(f"corpus/*/{kind}/*")
                if path.is_file() and (path.parts[-3] != "heap" or path.suffix == ".txt"))
    classic = len(oracles.corpus_scripts(copy))
    misuse = program.run(["scripts/misuse", "debug"], copy, LIMIT)
    counts = COUNT.findall(misuse.text)
    return files + classic + (int(counts[-1][0]) if counts else 0)


def job(context: Context) -> Answer:
    """A short fuzzing job: it must find nothing, and must not say that its harness is dead."""
    context.build("fuzz-programs", "corpus")
    oracles.start_over(context.copy)
    command = ["scripts/fuzz", "--time", str(JOB_SECONDS), "--cores", "1", "--no-merge", "heap"]
    started = time.monotonic()
    done = program.run(command, context.copy, LIMIT)
    spent = time.monotonic() - started
    if done.status == 0:
        return Answer(False, spent)
    return Answer(True, spent, None, first_words(FINDING, done.text)[:100] or "scripts/fuzz")


def planted(context: Context) -> Answer:
    """The mistakes of `make properties`, planted as well, must still be found as what they are."""
    started = time.monotonic()
    for bug in patches.read_all(context.root):
        if not bug.fails:
            continue
        plant.apply_patch(context.root, context.copy, bug.path)
        inner = context._replace(fuzz_seconds=PLANTED_SECONDS)
        inner.build("build/fuzz/fuzz_heap")
        answer = oracles.libfuzzer_once(inner, 1)[0]
        for path in bug.touched:
            plant.copy_if_changed(context.root / path, context.copy / path)
        if answer.what.split(" ")[0] != bug.fails or not answer.found:
            words = f"{bug.name}: {answer.what if answer.found else 'not found'}"
            return Answer(True, time.monotonic() - started, None, words)
    return Answer(False, time.monotonic() - started)


def canary(context: Context) -> Answer:
    """`make fuzz-canary`: a bug planted into the heap must end as a finding that replays."""
    started = time.monotonic()
    done = program.run(["scripts/fuzz", "--canary", "--expect"], context.copy, LIMIT)
    words = first_words(FINDING, done.text)[:100] or "scripts/fuzz --canary"
    failed = done.status != 0
    return Answer(failed, time.monotonic() - started, None, words if failed else "")


def script_tests(copy: pathlib.Path, touched: Iterable[str]) -> list[tuple[str, list[str]]]:
    """What is built, and the tests that need no more than that, in the order in which they are asked:
    the test of the folder that the bug touches, then the quick ones."""
    parts = {part for path in touched for part in path.split("/")}
    names = sorted(path.stem.removeprefix("test_")
                   for path in (copy / "tests" / "scripts").glob("test_*.py"))
    own = [name for name in names if name in parts and name not in PYTHON_TESTS]
    quick = [name for name in PYTHON_TESTS if name in names]
    return [("scripts-programs", own), ("build-debug", quick),
            ("scripts-programs", [name for name in names if name not in own + quick])]


def scripts(context: Context) -> Answer:
    """The tests of the scripts. Those whose programs are not there would fail."""
    started = time.monotonic()
    for goal, names in script_tests(context.copy, context.bug.touched if context.bug else ()):
        if names:
            context.build(goal)
        for name in names:
            done = program.run([f"tests/scripts/test_{name}.py"], context.copy, LIMIT)
            if done.status != 0:
                how = "no end" if done.hung else f"exit status {done.status}"
                words = f"{name}: {first_words(FAILED_TEST, done.text) or how}"
                return Answer(True, time.monotonic() - started, None, words)
    return Answer(False, time.monotonic() - started)


CHECKERS = {
    "suite": oracles.suite,
    "corpus": corpus,
    "job": job,
    "planted": planted,
    "canary": canary,
    "scripts": scripts,
}
SCRIPTS_FIRST = ("scripts/", "fuzz/record/", "fuzz/export/", "fuzz/program/", "fuzz/track/")


def order(bug: Bug) -> list[str]:
    """The checkers for the bug, those of its part of the tree first."""
    names = list(CHECKERS)
    if all(path.startswith(SCRIPTS_FIRST) for path in bug.touched):
        names = ["scripts", *names[:-1]]
    return names
