# SPDX-License-Identifier: MIT
"""What a finding is shown with: whether it fails each time, its shrunk script, a C program, a
picture of the memory, and the page that plays it. All of it lies in build/report/findings/NAME/."""

import pathlib
import shlex
import shutil
import time
from typing import Any, Optional

from common_lib.script import SetupError
from fuzz_lib import cases, findings, program
from fuzz_lib import signature as signatures
from fuzz_lib import targets as target_table
from fuzz_lib.targets import Target

REPLAYS = 5
REPLAYS_OF_OLDER = 3
SHRINK_SECONDS = 20
TOOL_SECONDS = 20
SECONDS_MAX = 120  # for all findings of a run
OPEN, FLAKY, FIXED, NOT_TRIED = "open", "flaky", "fixed", "not tried"
Finding = dict[str, Any]


def replay(finding: Finding, root: pathlib.Path, times: int, end: float) -> Optional[list[int]]:
    """[how often the same failure was shown, of how many]; None: not tried."""
    try:
        command = shlex.split((root / finding["folder"] / "command").read_text())
    except (OSError, ValueError):
        return None
    if not command or not (root / command[0]).exists():
        return None
    shown = tried = 0
    while tried < times and time.monotonic() < end:
        outcome = program.run(command, root, findings.REPLAY_SECONDS_MAX)
        failure = signatures.classify(outcome.text, root)
        tried += 1
        failed = outcome.status != 0 and failure is not None
        shown += failed and failure is not None and failure.signature == finding["signature"]
        if outcome.hung:
            break  # once is dear enough
    return [shown, tried] if tried else None


def status_of(again: Optional[list[int]]) -> str:
    if again is None:
        return NOT_TRIED
    return OPEN if again[0] == again[1] else FLAKY if again[0] else FIXED


class Maker:
    """Makes the files of one finding after the other, until the time is up."""

    def __init__(self, root: pathlib.Path, report: pathlib.Path,
                 seconds: float = SECONDS_MAX) -> None:
        self.root = root
        self.report = report
        self.end = time.monotonic() + seconds

    def is_late(self) -> bool:
        return time.monotonic() >= self.end

    def heaplab(self, *words: object) -> bool:
        """Status 1: it is written, and the script fails."""
        done = program.run(["build/fuzz/heaplab", *words], self.root, TOOL_SECONDS)
        return done.status in (0, 1) and not done.hung

    def look_at(self, finding: Finding) -> None:
        """Fills in what is missing of it."""
        if finding.get("again") is None and finding["kind"] not in findings.ENGINE_KINDS:
            finding["again"] = replay(finding, self.root, REPLAYS, self.end)
        if not finding.get("files") and not self.is_late():
            finding["files"], finding["shrunk"] = self.files_of(finding)

    def look_at_older(self, finding: Finding) -> None:
        if finding.get("status", NOT_TRIED) == NOT_TRIED:
            finding["again"] = replay(finding, self.root, REPLAYS_OF_OLDER, self.end)
            finding["status"] = status_of(finding["again"])

    def files_of(self, finding: Finding) -> tuple[dict[str, str], bool]:
        """(name -> path from the report's folder, is the script a shrunk one?)"""
        source = self.root / finding["folder"]
        folder = self.report / "findings" / source.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        files: dict[str, pathlib.Path] = {}
        if (source / "log.txt").is_file():
            files["log"] = folder / "log.txt"
            log = findings.read_log(source / "log.txt")
            program.write_atomically(files["log"], log)
        target = target_table.find(finding["target"], target_table.discover(self.root))
        shrunk = False
        script = folder / "script.txt"
        if (source / "script.txt").is_file():
            program.write_atomically(script, (source / "script.txt").read_bytes())
            files["script"] = script
        if target is not None and target.runs_in_heaplab and (source / "input").is_file():
            shrunk = self.shrink(target, finding, source / "input", script)
            if shrunk:
                files["script"] = script
            self.add_pictures(target, files, source / "input", folder)
        return {name: str(path.relative_to(self.report)) for name, path in files.items()}, shrunk

    def shrink(self, target: Target, finding: Finding, source: pathlib.Path,
               script: pathlib.Path) -> bool:
        """Only what fails in the same way counts."""
        made = script.with_name("shrunk.txt")
        form = target.options(cases.BYTES)
        command = ["build/fuzz/heaplab", "minimize", *form, source, "-o", made]
        done = program.run(command, self.root, SHRINK_SECONDS)
        try:
            if done.status != 0 or done.hung or not made.is_file():
                return False
            again = findings.plain_command(target, str(made), cases.TEXT)
            failure = cases.failure_of(again, self.root, findings.REPLAY_SECONDS_MAX)
            if failure is None or failure.signature != finding["signature"]:
                return False
            made.replace(script)
            return True
        except SetupError:
            return False
        finally:
            made.unlink(missing_ok=True)

    def add_pictures(self, target: Target, files: dict[str, pathlib.Path], source: pathlib.Path,
                     folder: pathlib.Path) -> None:
        if "script" in files:
            form, path = target.options(cases.TEXT), files["script"]
        else:
            form, path = target.options(cases.BYTES), source
        shown = program.shown(path, self.root)  # as the pages' titles have it
        for name, file, words in (
            ("program", "program.c", ["to-c", "-o"]),
            ("picture", "picture.svg", ["draw", "--svg", "-o"]),
            ("view", "view.html", ["view", "-o"]),
        ):
            if not self.is_late() and self.heaplab(*words, folder / file, *form, shown):
                if (folder / file).is_file():
                    files[name] = folder / file
