# SPDX-License-Identifier: MIT
"""Marks in a tree with a planted bug (fuzz/bugs/marks.h): they tell when a fuzzer first reached the
lines that the bug changes, and when the bug's condition first held there."""

import difflib
import enum
import pathlib
import re
from typing import Iterator, Optional, Sequence

from bugs_lib.patches import Bug

HEADER = pathlib.PurePath("fuzz/bugs/marks.h")
COMMENT = re.compile(r"/\*.*?\*/|//.*$")
# Before these no statement can stand, or one that is never reached.
NO_START = re.compile(r"[{}]|else\b|case\b|default\s*:|\*|/\*|#")


class Kind(enum.Enum):
    """Where the marks are."""

    NONE = enum.auto()
    FUNCTION = enum.auto()  # at the beginning of the functions
    STATEMENT = enum.auto()


def changed(before: Sequence[str], after: Sequence[str]) -> list[int]:
    """The lines of `after`, counted from 0, where something was changed; before them, if something
    was taken away."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return [start for kind, _, _, start, _ in matcher.get_opcodes() if kind != "equal"]


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def bare(line: str) -> str:
    return COMMENT.sub("", line).strip()


def function_start(lines: Sequence[str], at: int) -> Optional[int]:
    """The first line of the body of the function that the line is in; None if it is in none."""
    for opened in range(at - 1, -1, -1):
        line = lines[opened]
        if line.startswith("}"):
            return None
        if line[:1].strip() and not line.startswith(("#", "/", "*", ")")):
            break
    else:
        return None
    for end in range(opened, at):
        text = bare(lines[end])
        if text.endswith(("{", ";", ",")) or text.endswith("\\"):
            if text.endswith(") {"):
                return end + 1
            if not text.endswith(","):
                return None
    return None


def ends_statement(lines: Sequence[str], at: int, first: int) -> bool:
    """May a statement begin in line `at`, after what is before it?"""
    for line in reversed(lines[first:at]):
        text = bare(line)
        if text and not text.startswith(("*", "/*")):
            label = re.match(r"(case\b.*|default\s*):$", text)
            return text.endswith((";", "}")) or bool(label) or \
                (text.endswith("{") and not text.endswith(("= {", ", {", "({")) and
                 not text.startswith("switch "))
    return True


def statement_start(lines: Sequence[str], at: int) -> Optional[int]:
    """The line before which a mark is passed when line `at` is about to be; where that is a part of
    a longer statement, of this."""
    first = function_start(lines, at)
    if first is None:
        return None
    least = indent(lines[at]) if bare(lines[at]) != "}" else indent(lines[at]) + 4
    for start in range(at, first, -1):
        text = lines[start].strip()
        if not text or indent(lines[start]) > least:
            continue
        if start == at and text.startswith("}") and not text.startswith("} "):
            return start  # something was taken away from the end of a block
        if not NO_START.match(text) and ends_statement(lines, start, first):
            return start
        least = min(least, indent(lines[start]))
    return first


def places(before: Sequence[str], after: Sequence[str], to_function: bool) -> Iterator[int]:
    for at in changed(before, after):
        at = min(at, len(after) - 1)
        start = function_start(after, at) if to_function else statement_start(after, at)
        if start is not None:
            yield start


def mark(root: pathlib.Path, copy: pathlib.Path, bug: Bug, kind: Kind) -> dict[pathlib.Path, str]:
    """Marks the places in `copy`, which has the bug planted. Returns what the files held; nothing if
    no place can be marked."""
    kept = {}
    condition = bug.trigger if bug.trigger and kind is Kind.STATEMENT else "0u"
    for name in bug.touched:
        path = copy / name
        source = root / name
        if not path.is_file() or not source.is_file():
            continue
        text = path.read_text()
        lines = text.split("\n")
        found = sorted(set(places(source.read_text().split("\n"), lines, kind is Kind.FUNCTION)))
        if not found:
            continue
        kept[path] = text
        for at in reversed(found):
            lines.insert(at, f"    LAB_MARK({condition});")
        lines.insert(0, f'#include "{copy / HEADER}"')
        path.write_text("\n".join(lines))
    return kept


def unmark(kept: dict[pathlib.Path, str]) -> None:
    for path, text in kept.items():
        path.write_text(text)
