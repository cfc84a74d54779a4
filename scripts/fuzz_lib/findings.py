# SPDX-License-Identifier: MIT
"""The findings: one folder for each distinct failure, build/findings/TARGET-KIND-HASH/.

  input       the smallest input seen that fails this way
  log.txt     what the worker printed when it did
  script.txt  the input as a person reads it
  command     replays it, from the root of the tree
  signature   what makes two failures the same
  count       how often it was seen, in all runs
  dates       when it was seen first and last
  engines     which engines have found it
"""

import pathlib
import re
import shlex
import subprocess
import time
from typing import Any, Iterable, Optional, Sequence

from common_lib import outputs
from fuzz_lib import program, targets
from fuzz_lib import signature as signatures
from fuzz_lib.signature import Failure
from fuzz_lib.targets import BYTES, Form, Target

REPLAY_SECONDS_MAX = 5
REPORT_LINES_MAX = 5
ENGINE_KINDS = ("timeout", "oom", "leak")  # only the engine notices these


class Finding:
    """One failure as this run has seen it."""

    def __init__(self, target: Target, failure: Failure, folder: pathlib.Path) -> None:
        self.target = target
        self.failure = failure
        self.folder = folder
        self.seen = 0  # in this run
        self.total = 0  # in all runs
        self.bytes = 0
        self.input = folder / "input"
        self.replays: Optional[bool] = None  # does `command` show the same failure? None: not tried

    def as_json(self, root: pathlib.Path) -> dict[str, Any]:
        return {
            "signature": self.failure.signature,
            "kind": self.failure.kind,
            "folder": program.shown(self.folder, root),
            "input": program.shown(self.input, root),
            "input_bytes": self.bytes,
            "command": self.command(root),
            "seen": self.seen,
            "seen_in_all_runs": self.total,
            "replays": self.replays,
        }

    def command(self, root: pathlib.Path) -> str:
        """The one that was chosen, if it came to that."""
        try:
            return (self.folder / "command").read_text().strip()
        except OSError:
            path = program.shown(self.input, root)
            return shlex.join(replay_commands(self.target, self.failure.kind, path)[0])


def engine_command(target: Target, path: str) -> list[str]:
    """Runs one input under the engine, which watches time, memory and leaks."""
    limits = [f"-timeout={target.timeout}", f"-rss_limit_mb={target.rss_limit_mb}"]
    return [f"build/fuzz/fuzz_{target.name}", *limits, path]


def plain_command(target: Target, path: str, form: Form = BYTES) -> list[str]:
    """Runs one input without the engine. `form`: how the file, which may look like either, is to
    be read: BYTES, as what the engine left; TEXT; or nothing, which leaves it to the program."""
    if target.runs_in_heaplab:
        return ["build/fuzz/heaplab", "run", *target.options(form), path]
    either = ["--scripts"] if target.text_cases and form != BYTES else []
    return [f"build/fuzz/replay_{target.name}", *either, path]


def replay_commands(target: Target, kind: str, path: str) -> list[list[str]]:
    """The command lines, from the tree's root, that may show the failure again; the handiest
    first. (heaplab refuses empty files.)"""
    if kind in ENGINE_KINDS:
        return [engine_command(target, path)]
    commands = [plain_command(target, path), [f"build/fuzz/replay_{target.name}", path]]
    return commands if target.runs_in_heaplab else commands[:1]


def read_log(path: pathlib.Path) -> str:
    """A log's text; of a very long one the beginning and the end."""
    with path.open("rb") as log:
        data = log.read(4 << 20)
        rest = log.seek(0, 2) - len(data)
        if rest > 0:
            log.seek(-min(rest, 4 << 20), 2)
            data += b"\n[...]\n" + log.read()
    return data.decode("utf-8", "replace")


def report_part(log: str) -> str:
    """The log from the first word of the failure on, without the engine's progress lines."""
    start = re.search(r"^(FAILURE |tagheap: |==\d+== ?ERROR|.*runtime error: )", log, re.MULTILINE)
    return log[start.start() :] if start else log


class Store:
    """build/findings. Nothing in it is ever lost: a smaller input replaces a larger one of the
    same failure, and the count goes on."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.folder = root / "build" / "findings"
        self.incoming = self.folder / ".incoming"
        self.findings: dict[str, Finding] = {}  # folder name -> Finding, of this run

    def open(self) -> None:
        self.incoming.mkdir(parents=True, exist_ok=True)
        # What a killed run left behind was not looked at; keep it where it can be found.
        for path in self.incoming.iterdir():
            self.leave(path)

    def leave(self, path: pathlib.Path) -> str:
        """Keeps an input that nobody looks at in this run; returns where."""
        left = self.folder / f"left-{path.name}"
        path.replace(left)
        return program.shown(left, self.root)

    def close(self) -> None:
        if self.incoming.is_dir() and not any(self.incoming.iterdir()):
            self.incoming.rmdir()

    def not_filed(self) -> list[pathlib.Path]:
        """Inputs that failed, and that nobody will look at in this run."""
        return sorted(self.incoming.glob("*"))

    def older(self) -> list[pathlib.Path]:
        """Folders of failures that this run has not seen."""
        folders = sorted(path.parent for path in self.folder.glob("*/signature"))
        return [folder for folder in folders if folder.name not in self.findings]

    def of(self, target: Target) -> list[Finding]:
        return [found for found in self.findings.values() if found.target.name == target.name]

    def folder_of(self, target: Target, failure: Failure) -> pathlib.Path:
        return self.folder / f"{target.name}-{failure.kind}-{failure.short_hash()}"

    def ends_in_time(self, target: Target, failure: Failure, artifact: pathlib.Path) -> bool:
        """The engine's limit counts by the clock, also while other programs have the processor: does
        the input end well, played alone? Not asked of what is a finding of this run already."""
        if failure.kind != "timeout" or self.folder_of(target, failure).name in self.findings:
            return False
        command = [f"build/fuzz/replay_{target.name}", str(artifact)]
        if not (self.root / command[0]).exists():
            return False
        outcome = program.run(command, self.root, target.timeout)
        return outcome.status == 0 and not outcome.hung

    def add(self, target: Target, failure: Failure, artifact: pathlib.Path, log: str,
            engine: str = "libfuzzer") -> tuple[Finding, bool]:
        """Files one failing input (the artifact is moved away); returns its Finding, and
        whether this run had not seen it before."""
        folder = self.folder_of(target, failure)
        is_new = folder.name not in self.findings
        if is_new:
            self.findings[folder.name] = Finding(target, failure, folder)
            self.findings[folder.name].total = read_count(folder)
        found = self.findings[folder.name]
        found.seen += 1
        found.total += 1
        try:
            self.file(found, is_new, artifact, log, engine)
        except (OSError, outputs.OutputError):
            if not found.input.is_file():
                found.input = self.folder / f"left-{artifact.name}"
                self.leave(artifact)
            raise
        return found, is_new

    def file(self, found: Finding, is_new: bool, artifact: pathlib.Path, log: str,
             engine: str) -> None:
        folder = found.folder
        folder.mkdir(exist_ok=True)
        program.write_atomically(folder / "count", f"{found.total}\n")
        today = time.strftime("%Y-%m-%d")
        first = (read_words(folder / "dates") or [today])[0]
        program.write_atomically(folder / "dates", f"{first} {today}\n")
        engines = sorted({engine, *read_words(folder / "engines")})
        program.write_atomically(folder / "engines", " ".join(engines) + "\n")
        data = artifact.read_bytes()
        kept = folder / "input"
        whole = kept.exists() and (folder / "signature").exists()
        if not whole or len(data) < kept.stat().st_size:
            self.keep(found, data, log)
        elif is_new:
            self.choose_command(found)
        found.bytes = kept.stat().st_size
        artifact.unlink()

    def keep(self, found: Finding, data: bytes, log: str) -> None:
        folder = found.folder
        program.write_atomically(folder / "input", data)
        program.write_atomically(folder / "log.txt", log)
        program.write_atomically(folder / "script.txt", self.script_text(found.target, folder))
        program.write_atomically(folder / "signature", found.failure.signature + "\n")
        self.choose_command(found)

    def script_text(self, target: Target, folder: pathlib.Path) -> str:
        """The input for a person: as a script, or (not a script) with its odd bytes escaped."""
        path = folder / "input"
        heaplab = self.root / "build" / "fuzz" / "heaplab"
        if target.script and heaplab.exists() and path.stat().st_size > 0:
            shown = program.run(
                [heaplab, "show", *target.options(BYTES), path], self.root, REPLAY_SECONDS_MAX,
                stderr=subprocess.DEVNULL,
            )
            if shown.status == 0:
                return shown.text
        lines = path.read_bytes().split(b"\n")
        return "".join(repr(line)[2:-1] + "\n" for line in lines)

    def choose_command(self, found: Finding) -> None:
        """Writes down the first command that shows this failure again. Hangs are not replayed: to
        see one again takes as long as the engine's limit."""
        path = program.shown(found.folder / "input", self.root)
        commands = replay_commands(found.target, found.failure.kind, path)
        found.replays = None
        if found.failure.kind not in ENGINE_KINDS:
            working = [command for command in commands if self.shows(command, found.failure)]
            found.replays = bool(working)
            commands = working or commands
        program.write_atomically(found.folder / "command", shlex.join(commands[0]) + "\n")

    def shows(self, command: Sequence[str], failure: Failure) -> bool:
        if not (self.root / command[0]).exists():
            return False
        outcome = program.run(command, self.root, REPLAY_SECONDS_MAX)
        again = signatures.classify(outcome.text, self.root)
        failed = outcome.status != 0 and not outcome.hung
        return failed and again is not None and again.signature == failure.signature


def read_count(folder: pathlib.Path) -> int:
    try:
        return int((folder / "count").read_text())
    except (OSError, ValueError):
        return 0


def read_words(path: pathlib.Path) -> list[str]:
    try:
        return path.read_text().split()
    except (OSError, UnicodeDecodeError):
        return []


def shorten(lines: Iterable[str], head: int, tail: int) -> list[str]:
    """The first and the last lines of many: where it starts, and where it goes wrong."""
    lines = [line[:200] for line in lines]
    if len(lines) <= head + tail + 1:
        return lines
    return lines[:head] + [f"... {len(lines) - head - tail} more lines ..."] + lines[-tail:]


def own_report(report: str) -> list[str]:
    """What the target itself printed about the failure, before the engine's report."""
    end = re.search(r"^(==\d+==|SUMMARY: )", report, re.MULTILINE)
    return report[: end.start() if end else len(report)].strip("\n").splitlines()


def describe(found: Finding, root: pathlib.Path) -> list[str]:
    """The finding as lines for the terminal: what failed, the script, how to see it again."""
    folder = found.folder
    report = report_part(read_log(folder / "log.txt"))
    script = program.shown(folder / "script.txt", root)
    lines = [f"FINDING in {found.target.name}: {found.failure.signature}"]
    if report.startswith("FAILURE "):
        lines += ["    " + line for line in shorten(own_report(report), 12, 20)]
        lines.append(f"  the whole script: {script}")
    else:
        words = [line for line in report.splitlines() if line.strip()]
        lines += ["    " + line[:200] for line in words[:REPORT_LINES_MAX]]
        lines.append(f"  the {'script' if found.target.script else 'input'} ({script}):")
        text = (folder / "script.txt").read_text().splitlines()
        lines += ["    " + line for line in shorten(text, 20, 10)]
    command = (folder / "command").read_text().strip()
    lines.append(f"  replay: {program.command_shown(command, root)}")
    crash = program.shown(folder / "input", root)
    goal = "minimize" if found.target == targets.PLUGIN else "regress"
    lines.append(f"  {'shrink' if goal == 'minimize' else 'adopt'}:  " +
                 program.command_shown(f"make {goal} CRASH={crash}", root))
    if found.replays is False:
        lines.append(f"  beware: that command did not show the same failure; see {folder}/log.txt")
    return lines
