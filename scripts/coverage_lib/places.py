# SPDX-License-Identifier: MIT
"""What `llvm-cov export` has measured, as a list of places, each covered or not.

A function of a header is compiled into every file that uses it, suites too, and measured there.
Such instances are the same text: a function, region or side of a branch is covered if it is in any
of them. A condition is covered if one instance alone has shown that it decides the outcome; what two
instances show together does not count.

MC/DC as clang has it: a condition is covered if two evaluations of its decision were seen that
differ in the outcome and, but for what was not evaluated, in this condition only. A decision with
one condition is a branch, no more."""

import pathlib
from typing import Any, Iterable, NamedTuple, Union

from common_lib.script import SetupError
from coverage_lib.source import Sources

FUNCTION = "function"  # is it ever called?
REGION = "region"  # is it ever executed?
TRUE = "never true"  # is the condition ever true?
FALSE = "never false"
CONDITION = "condition"  # does it ever decide the outcome alone? (MC/DC)
KINDS = (FUNCTION, REGION, TRUE, FALSE, CONDITION)

CODE_REGION, EXPANSION_REGION, SKIPPED_REGION = 0, 1, 2  # in the regions of the export
MCDC_BRANCH = 6  # in its branches

NO_SEGMENT = (0, 0, 0, False, False, False)

Prefix = Union[str, tuple[str, ...]]  # of files' names, from the tree's root
Span = tuple[int, ...]  # line and column, of the first character and of the one after the last
# kind, file, function, span, text, path of the macros that it is in
Key = tuple[str, str, str, Span, str, tuple[Span, ...]]


# `text` is what stands there: the function's name, the line where a region begins, a condition.
class Place(NamedTuple):
    kind: str  # of KINDS
    file: str
    line: int
    column: int
    function: str
    text: str
    covered: bool


class _Function:
    """One instance of a function in the export."""

    def __init__(self, record: Any, root: pathlib.Path) -> None:
        self.name: str = record["name"].rpartition(":")[2]
        self.count: int = record["count"]
        self.files: list[str] = [name.removeprefix(f"{root}/") for name in record["filenames"]]
        self.file = self.files[0]
        self.regions: list[Any] = record["regions"]
        self.branches: list[Any] = record["branches"]
        self.decisions: list[Any] = record["mcdc_records"]
        self.start: Span
        self.end: Span
        self.start, self.end = tuple(self.regions[0][:2]), tuple(self.regions[0][2:4])
        # Of each macro that is expanded here: the region where its name stands.
        self.expansions = {r[6]: r for r in self.regions if r[7] == EXPANSION_REGION}

    def outermost(self, file_id: int, span: Iterable[int]) -> tuple[Span, tuple[Span, ...]]:
        """Where something is for a reader: in a macro's body, where the macro's name stands."""
        path = [tuple(span)]
        while file_id in self.expansions:
            site = self.expansions[file_id]
            path.append(tuple(site[:4]))
            file_id = site[5]
        return path[-1], tuple(path)

    def skips(self, at: Span) -> bool:
        return any(r[7] == SKIPPED_REGION and tuple(r[:2]) <= at < tuple(r[2:4])
                   for r in self.regions)


class Measurement:
    """All places of the files that begin with one of `folders`, and what could not be measured."""

    def __init__(self, export: Any, sources: Sources, root: pathlib.Path,
                 folders: tuple[str, ...]) -> None:
        self.sources = sources
        self.files: dict[str, tuple[int, int]] = {}  # file: (lines covered, lines)
        self.unmeasured: list[str] = []  # sentences
        self._covered: dict[Key, bool] = {}  # key: covered; the key without its path makes a Place
        try:
            data = export["data"][0]
            for file in data["files"]:
                name = file["filename"].removeprefix(f"{root}/")
                if name.startswith(folders):
                    self.files[name] = count_lines(file["segments"])
            functions = [_Function(record, root) for record in data["functions"]]
            functions = [f for f in functions if f.file.startswith(folders)]
            for function in functions:
                self._add(function)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise SetupError(f"llvm-cov's export is not of the expected form: {error!r}") from error
        self.places = sorted(Place(kind, file, span[0], span[1], function, text, covered)
                             for (kind, file, function, span, text, _), covered
                             in self._covered.items())
        for file in self.files:
            # Of a function that is never called, no decisions are in the export.
            self._find_unmeasured(file, [f for f in functions if f.file == file and f.count])

    def _note(self, kind: str, function: _Function, span: Span, text: str, path: tuple[Span, ...],
              covered: object) -> None:
        key = (kind, function.file, function.name, span, text, path)
        self._covered[key] = self._covered.get(key, False) or bool(covered)

    def _add(self, function: _Function) -> None:
        start = function.start
        self._note(FUNCTION, function, start, function.name, (), function.count)
        for region in function.regions:
            if region[7] == CODE_REGION:
                span, path = function.outermost(region[5], region[:4])
                text = self.sources.line(function.file, span[0])
                self._note(REGION, function, span, text, path, region[4])
        for branch in function.branches:
            span, path = function.outermost(branch[6], branch[:4])
            text = self.sources.between(function.file, span[:2], span[2:])
            self._note(TRUE, function, span, text, path, branch[4])
            self._note(FALSE, function, span, text, path, branch[5])
        for decision in function.decisions:
            self._add_decision(function, tuple(decision[:4]), decision[-1])

    def _add_decision(self, function: _Function, span: Span, shown: list[bool]) -> None:
        conditions = sorted({tuple(b[:4]) for b in function.branches
                             if b[8] == MCDC_BRANCH and span[:2] <= tuple(b[:2]) < span[2:]
                             and b[6] not in function.expansions})
        if len(conditions) != len(shown) or not function.start <= span[:2] < function.end:
            self.unmeasured.append(
                f"{function.file}:{span[0]}:{span[1]}: {function.name}: a decision that is partly "
                "in a macro; make the macro a function")
            return
        for condition, covered in zip(conditions, shown):
            text = self.sources.between(function.file, condition[:2], condition[2:])
            self._note(CONDITION, function, condition, text, (), covered)

    def _find_unmeasured(self, file: str, functions: list[_Function]) -> None:
        """clang leaves out, with no more than a warning, a decision in which another one is nested
        (in an argument, say). So all operators of the text must be there: each in a decision, which
        has one condition more than operators."""
        decisions = {tuple(d[:4]): len(d[-1]) for f in functions for d in f.decisions
                     if f.start <= tuple(d[:2]) < f.end}
        operators = {span: 0 for span in decisions}
        for at in self.sources.operators(file):
            inside = [f for f in functions if f.start <= at < f.end]
            if not inside or any(f.skips(at) for f in inside):
                continue
            spans = [span for span in decisions if span[:2] <= at < span[2:]]
            for span in spans:
                operators[span] += 1
            if not spans:
                self._say_unmeasured(file, at, inside[0])
        for span, count in operators.items():
            if count + 1 != decisions[span]:
                inside = [f for f in functions if f.start <= span[:2] < f.end]
                self._say_unmeasured(file, span[:2], inside[0])

    def _say_unmeasured(self, file: str, at: Span, function: _Function) -> None:
        text = self.sources.line(file, at[0])
        self.unmeasured.append(f"{file}:{at[0]}:{at[1]}: {function.name}: clang does not measure "
                               f"this decision, take it apart: {text}")

    def uncovered(self, folders: tuple[str, ...]) -> list[Place]:
        """What the gate looks at. Of a function that is never called, only that."""
        uncalled = {(p.file, p.function) for p in self.places
                    if p.kind == FUNCTION and not p.covered}
        return [p for p in self.places
                if not p.covered and p.file.startswith(folders)
                and (p.kind == FUNCTION or (p.file, p.function) not in uncalled)]

    def count(self, kinds: Iterable[str], prefix: Prefix) -> tuple[int, int]:
        """(covered, all) places of these kinds in the files that begin with `prefix`."""
        some = [p.covered for p in self.places if p.kind in kinds and p.file.startswith(prefix)]
        return sum(some), len(some)

    def count_lines(self, prefix: Prefix) -> tuple[int, int]:
        some = [counts for file, counts in self.files.items() if file.startswith(prefix)]
        return sum(covered for covered, _ in some), sum(lines for _, lines in some)


def count_lines(segments: Iterable[Any]) -> tuple[int, int]:
    """(executed, all) lines with code, from a file's segments: (line, column, count, has a count,
    a region begins here, is a gap). A line counts as often as the most executed region that begins
    in it; without one, as the region that it lies in."""
    covered = lines = 0
    by_line: dict[int, list[Any]] = {}
    for segment in segments:
        by_line.setdefault(segment[0], []).append(segment)
    wrapped = NO_SEGMENT
    for number in range(min(by_line, default=0), max(by_line, default=0) + 1):
        here = by_line.get(number, [])
        begin = [s for s in here if s[3] and s[4] and not s[5]]
        skipped = bool(here) and here[0][4] and not here[0][3]
        around = wrapped[3]
        if begin or (around and not skipped):
            counts = [s[2] for s in begin or [wrapped]]
            lines += 1
            covered += max(counts) > 0
        if here:
            wrapped = here[-1]
    return covered, lines
