# SPDX-License-Identifier: MIT
"""Failing inputs from anywhere: which target they are for, in which form they are, whether and how
they fail with the programs in build/fuzz, and what the corpus already holds of them."""

import os
import pathlib
import re
from typing import Iterable, Optional, Sequence

from common_lib.script import SetupError
from fuzz_lib import findings, program
from fuzz_lib import signature as signatures
from fuzz_lib import targets as target_table
from fuzz_lib.signature import Failure
from fuzz_lib.targets import Form, Target

BAD_INPUT = 2  # exit status of heaplab and the replay programs
CORPORA = ("corpus", "fuzz-corpus")  # folders that have one folder for each target
SETS = ("regress", "seed")
BYTES, TEXT, GUESS = target_table.BYTES, target_table.TEXT, ()
RUNS = 3  # of each input: a failure that is not always the same is flaky
UNTESTED = re.compile(r"^heaplab run: nothing was tested: ", re.MULTILINE)
HEADER = re.compile(r"^# Failed on \S+: (.*)$", re.MULTILINE)  # in an adopted script


class Flaky(SetupError):
    """The input fails only at times, or not always in the same way."""


# ---- what an input is


def choose_target(root: pathlib.Path, path: pathlib.Path, name: Optional[str] = None,
                  plugin: bool = True) -> Target:
    """`name`, else from the folder or (what a killed job left) the file's name, else from the
    environment. `plugin`: a plug-in is among those that are offered."""
    known = [*target_table.discover(root), target_table.PLUGIN]
    names = ", ".join(target.name for target in known if plugin or target != target_table.PLUGIN)
    if name is None:
        parts = path.resolve().parts
        left = parts[-1].removeprefix("left-")
        for target in known:
            in_corpus = any((corpus, target.name) in zip(parts, parts[1:]) for corpus in CORPORA)
            prefix = target.name + "-"
            named = left != parts[-1] and left.startswith(prefix)
            if in_corpus or named or parts[-2].startswith(prefix):
                return target
        name = os.environ.get("TARGET")
    if not name:
        raise SetupError(f"{path}: which target is it for? Add TARGET=, one of {names}")
    for target in known:
        if target.name == name:
            return target
    raise SetupError(f"unknown target '{name}': there are {names}")


def choose_form(path: pathlib.Path, target: Target) -> Form:
    """Text by its name; bytes if the fuzzing job has kept it; else the programs find out. Only what
    begins as no text may has a number in front."""
    if path.suffix == ".txt":
        return TEXT
    folders = path.resolve().parts[-3:-1]
    if "findings" in folders:
        return BYTES
    if target.form == "numbered" and path.is_file():
        return GUESS if path.read_bytes().lstrip()[:4] in (b"", b"heap") else BYTES
    return GUESS


# ---- how it fails


def refusal(output: str, otherwise: str) -> str:
    """Why a program did not take its input: heaplab says it in one line on standard error."""
    lines = [line for line in output.splitlines() if line.strip()] or [otherwise]
    why = next((line for line in lines if line.startswith("heaplab ")), lines[-1])
    return re.sub(r"^heaplab \w+: ", "", why)


def failure_of(command: Sequence[str], root: pathlib.Path, seconds: float) -> Optional[Failure]:
    """The Failure that the command shows; None if it passes."""
    if not (root / command[0]).exists():
        raise SetupError(f"{root / command[0]} is missing: `make fuzz-programs` builds it")
    outcome = program.run(command, root, seconds)
    if outcome.hung:
        return signatures.Failure("timeout", f"no end within {seconds}s")
    if outcome.status == 0:
        return None
    shown = signatures.classify(outcome.text, root)
    if shown is None and UNTESTED.search(outcome.text):
        return None  # a subject that refuses to be made does not fail
    if shown is None and outcome.status == BAD_INPUT:
        raise SetupError(refusal(outcome.text, f"{command[0]} refuses it"))
    return shown or signatures.classify_exit(outcome.status)


def failures_of(command: Sequence[str], root: pathlib.Path,
                seconds: float) -> list[Optional[Failure]]:
    """What several runs came to. One that takes so long is not repeated."""
    seen: list[Optional[signatures.Failure]] = []
    while len(seen) < RUNS:
        seen.append(failure_of(command, root, seconds))
        if seen[-1] is not None and seen[-1].kind in findings.ENGINE_KINDS:
            break
    return seen


def observe(target: Target, path: pathlib.Path, form: Form, root: pathlib.Path,
            kind: Optional[str] = None) -> tuple[list[Optional[Failure]], bool]:
    """([Failure or None, one for each run], does only the engine notice it?): first the plain
    program, unless a failure of this kind is the engine's to notice; then the engine, which also
    notices leaks, hangs and memory."""
    seconds = target.timeout * 2 + 10
    if kind not in findings.ENGINE_KINDS:
        seen = observe_plainly(target, path, form, root, seconds)
        if any(seen):
            return seen, False
    scratch = root / "build" / f"case-{os.getpid()}-{abs(hash(str(path)))}.bin"
    try:
        if target.text_cases and form != BYTES:  # the engine reads bytes only
            heaplab = root / "build" / "fuzz" / "heaplab"
            command = [heaplab, "asm", *target.options(form), path, "-o", scratch]
            done = program.run(command, root)
            if done.status != 0:
                raise SetupError(refusal(done.text, f"{path}: `heaplab asm` fails"))
        else:
            scratch.write_bytes(path.read_bytes())
        return failures_of(findings.engine_command(target, str(scratch)), root, seconds), True
    finally:
        scratch.unlink(missing_ok=True)


def observe_plainly(target: Target, path: pathlib.Path, form: Form, root: pathlib.Path,
                    seconds: float) -> list[Optional[Failure]]:
    command = findings.plain_command(target, str(path), form)
    if path.stat().st_size == 0:  # which heaplab refuses
        command = [f"build/fuzz/replay_{target.name}", str(path)]
    try:
        return failures_of(command, root, seconds)
    except SetupError as error:
        if form == GUESS and re.search(r":\d+:\d+: ", str(error)):
            hint = "if it is bytes that look like text, use scripts/regress --bytes"
            raise SetupError(f"{error} ({hint})") from None
        raise


def settle(path: pathlib.Path, seen: Sequence[Optional[Failure]]) -> Optional[Failure]:
    """The one Failure that all runs showed; None if all passed. Raises Flaky."""
    words = [failure.signature if failure is not None else "no failure" for failure in seen]
    for other in words[1:]:
        if other != words[0]:
            raise Flaky(f'{path}: is flaky: once "{words[0]}", then "{other}"; nothing written')
    return seen[0]


def reproduce(target: Target, path: pathlib.Path, form: Form,
              root: pathlib.Path) -> tuple[Failure, bool]:
    """(Failure, does only the engine notice it?). Raises SetupError if it does not fail, or not
    always in the same way."""
    seen, only_engine = observe(target, path, form, root)
    failure = settle(path, seen)
    if failure is None:
        raise SetupError(f"{path}: does not fail with the programs in build/fuzz; nothing written")
    return failure, only_engine


# ---- scripts, and what the corpus holds


def significant(text: str) -> str:
    """The lines of a script that mean something, so that equal scripts are equal texts."""
    lines = (line.split("#")[0].split() for line in text.splitlines())
    return "\n".join(" ".join(words) for words in lines if words)


def script_text(target: Target, path: pathlib.Path, form: Form, root: pathlib.Path) -> str:
    heaplab = root / "build" / "fuzz" / "heaplab"
    shown = program.run([heaplab, "show", *target.options(form), path], root)
    if shown.status != 0:
        raise SetupError(refusal(shown.text, f"{path}: `heaplab show` cannot print it"))
    return shown.text


def find_duplicate(data: bytes, target: Target, root: pathlib.Path) -> Optional[pathlib.Path]:
    """A file in the corpus that holds the same case."""
    for name in SETS:
        for path in sorted((root / "corpus" / target.name / name).glob("*")):
            if not path.is_file():
                continue
            held = path.read_bytes()
            if target.text_cases and path.suffix == ".txt":
                held = significant(held.decode("utf-8", "replace")).encode()
            if held == data:
                return path
    return None


def name_words(failure: Failure) -> str:
    """What the file name of a regression case says of its failure."""
    return signatures.slug(failure.signature.split(" at ")[0], 8)


def lasting(signature: str) -> str:
    """What stays of a signature: lines move, and older ones named the operation's kind, too."""
    return re.sub(r":\d+\b| kind=\S+$", "", signature)


def regressions_of(failures: Iterable[Failure], root: pathlib.Path) -> list[pathlib.Path]:
    """The regression cases that failed in one of these ways when they were adopted."""
    plain = {lasting(failure.signature) for failure in failures}
    words = {name_words(failure) for failure in failures}
    found = []
    for path in sorted((root / "corpus").glob("*/regress/*")):
        if path.suffix == ".txt":
            header = HEADER.search(path.read_text(errors="replace"))
            same = header is not None and lasting(header[1]) in plain
        else:
            match = re.fullmatch(r"\d{4}-\d\d-\d\d-(.*)-[0-9a-f]{8}", path.stem)
            same = match is not None and match[1] in words
        if same:
            found.append(path)
    return found
