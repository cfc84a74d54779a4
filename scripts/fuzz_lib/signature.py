# SPDX-License-Identifier: MIT
"""What a failing process says, reduced to a signature: equal for equal bugs. docs/workflow.md has
the table. heaplab makes the same ones (fuzz/result/failure.c, fuzz/shrink/report.c);
tests/scripts/test_signatures.py holds the two against each other."""

import hashlib
import pathlib
import re
from typing import NamedTuple, Optional, Sequence

FRAME = re.compile(r"^\s+#\d+ (0x[0-9a-f]+) in (.+?) (\S*/.*?|\S+?):(\d+)(?::\d+)?\s*$")
FAILURE = re.compile(r"^(?:\S.*: )?FAILURE (property=(\S+).*?)(?: op=\d+ kind=\S+)?$", re.MULTILINE)
PANIC = re.compile(r"^tagheap: (assertion failed: .*|[a-z -]+)", re.MULTILINE)
RUNTIME = re.compile(r"^(\S.*?):(\d+):\d+: runtime error: (.*)$", re.MULTILINE)
SUMMARY = re.compile(r"^SUMMARY: (\w+): (.*)$", re.MULTILINE)
# What heaplab says of a script that ended it.
OPERATION = r"(?: at operation \d+ \([a-z-]+\)| in the end)?"
ENDED = re.compile(rf" was ended by (signal \d+){OPERATION}(?: in (\S+))?; ")
EXITED = re.compile(rf"{OPERATION} called exit with status (-?\d+); ")
NUMBER = re.compile(r"-?(0x[0-9a-f]+|\d+)")
ABORTS = re.compile(r" in (?:abort|raise|gsignal|__assert_fail|pthread_kill)\b")
ERROR = re.compile(r"^(?:==\d+== ?)?(?:ERROR|WARNING): |runtime error: ", re.MULTILINE)

# Where every report passes through: frames that say nothing about the bug.
REPORTERS = ("src/base/fault.c", "src/os/port.c", "fuzz/shrink/", "fuzz/engines/")
TOOLS = re.compile(r"^/usr/|compiler-rt")
Frame = tuple[str, str]  # address, "function file:line"


class Failure(NamedTuple):
    kind: str  # a word for file names: blocks, asan-heap-buffer-overflow, timeout
    signature: str  # one line, equal for equal bugs

    def short_hash(self) -> str:
        return hashlib.sha256(self.signature.encode()).hexdigest()[:8]


def slug(text: str, words_max: int = 6) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())[:words_max]) or "unknown"


def relative(path: str, root: pathlib.Path) -> Optional[str]:
    """The path inside the tree; of a file elsewhere its name; None if it is the system's."""
    prefix = str(root) + "/"
    if path.startswith(prefix):
        return path[len(prefix) :]
    if path.startswith("/"):
        return None if TOOLS.search(path) else path.rpartition("/")[2]
    return path if (root / path).is_file() else None


def project_frames(log: str, root: pathlib.Path) -> list[Frame]:
    """(address, function file:line) of the first stack's frames that are not the system's or a
    tool's, innermost first."""
    frames: list[Frame] = []
    in_stack = False
    start = ERROR.search(log)
    for line in log[start.start() if start else 0 :].splitlines():
        if not re.match(r"\s+#\d+ ", line):
            if in_stack and frames:
                break
            in_stack = False
            continue
        in_stack = True
        if match := FRAME.match(line):
            path = relative(match[3], root)
            if path and not path.startswith(REPORTERS):
                frames.append((match[1], f"{match[2].partition('(')[0]} {path}:{match[4]}"))
    return frames


def at(frames: Sequence[Frame], count: int) -> str:
    return "".join(f" at {frame}" for _, frame in frames[:count])


def first_function(frames: Sequence[Frame]) -> Optional[str]:
    """The one that the linker knows: frames of what was inlined there have the same address."""
    inside = [frame for address, frame in frames if address == frames[0][0]]
    return inside[-1].split()[0] if inside else None


def entry_frame(frames: Sequence[Frame]) -> list[Frame]:
    """The library function that the harness called: a hang is caught at a random place inside
    it, so only the way in says which hang it is."""
    inside = [one for one in frames if " src/" in one[1]]
    own = [one for one in frames if not one[1].startswith("LLVMFuzzerTestOneInput ")]
    outermost = (inside or own or frames)[-1:]
    return [(address, re.sub(r":\d+$", "", frame)) for address, frame in outermost]


def classify(log: str, root: pathlib.Path) -> Optional[Failure]:
    """The Failure that the text of a log shows; None if it shows none."""
    if match := FAILURE.search(log):
        return Failure(slug(match[2]), match[1])
    frames = project_frames(log, root)
    if match := PANIC.search(log):
        kind = "assert" if match[1].startswith("assertion") else "fault-" + slug(match[1])
        return Failure(kind, f"tagheap: {match[1].strip()}")
    if match := RUNTIME.search(log):
        what = NUMBER.sub("N", match[3])
        where = f"{relative(match[1], root) or match[1]}:{match[2]}"
        return Failure("ubsan-" + slug(what.split(":")[0], 4), f"runtime error: {what} at {where}")
    if match := SUMMARY.search(log):
        return classify_summary(match[1], match[2], frames, log)
    if match := ENDED.search(log):
        return signal(match[1], match[2])
    if match := EXITED.search(log):
        return classify_exit(int(match[1]) & 0xFF)
    return None


def signal(what: str, function: Optional[str]) -> Failure:
    return Failure("signal", f"{what} at {function}" if function else what)


def classify_summary(tool: str, text: str, frames: Sequence[Frame], log: str) -> Failure:
    if tool == "libFuzzer":
        what = text.split("(")[0].strip()
        if what == "timeout":
            return Failure("timeout", f"timeout{at(entry_frame(frames), 1)}")
        if what == "deadly signal":  # which, it does not say; memory's are AddressSanitizer's
            number = 6 if ABORTS.search(log) else 4
            return signal(f"signal {number}", first_function(frames))
        kind = {"out-of-memory": "oom"}.get(what, slug(what))
        return Failure(kind, f"{what}{at(frames, 1)}")
    if "leaked" in text:
        return Failure("leak", f"leak{at(frames, 1)}")
    what = text.split()[0] if text else "unknown"
    what = {"BUS": "SEGV", "FPE": "signal", "ILL": "signal"}.get(what, what)
    short = {"AddressSanitizer": "asan", "UndefinedBehaviorSanitizer": "ubsan"}.get(tool, tool)
    where = at(frames, 1) or " in " + (text.split(" in ")[-1] if " in " in text else "unknown")
    return Failure(slug(f"{short} {what}"), f"{tool}: {what}{where}")


def classify_end(artifact: Optional[str], status: int) -> Failure:
    """For a process that ended without a report that classify understands: by the engine's name
    for the input it left (timeout-HASH), else by its exit status."""
    kind = artifact.split("-")[0] if artifact else ""
    if kind in ("timeout", "oom", "leak"):
        return Failure(kind, f"{kind}, its report cut off")
    return classify_exit(status)


def classify_exit(status: int) -> Failure:
    """For a process that failed without a word that classify understands."""
    what = f"signal {-status}" if status < 0 else f"exit status {status}"
    return Failure(slug(what), what)
