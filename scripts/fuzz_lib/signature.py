# SPDX-License-Identifier: MIT
"""What a failing process says, reduced to a signature: equal for equal bugs."""

import hashlib
import re
from typing import NamedTuple

FRAME = re.compile(r"^\s+#\d+ 0x[0-9a-f]+ in (\S+) (\S+?):(\d+)(?::\d+)?\s*$")
FAILURE = re.compile(r"^(?:\S.*: )?FAILURE (property=.*)$", re.MULTILINE)
PANIC = re.compile(r"^tagheap: (assertion failed: .*|[a-z -]+)", re.MULTILINE)
RUNTIME = re.compile(r"^(\S+?):(\d+):\d+: runtime error: (.*)$", re.MULTILINE)
SUMMARY = re.compile(r"^SUMMARY: (\w+): (.*)$", re.MULTILINE)
ERROR = re.compile(r"^(?:==\d+== ?)?(?:ERROR|WARNING): |runtime error: ", re.MULTILINE)

# Where every report passes through: frames that say nothing about the bug.
REPORTERS = ("src/base/fault.c", "src/os/port.c", "fuzz/engines/")


class Failure(NamedTuple):
    kind: str  # a word for file names: blocks, asan-heap-buffer-overflow, timeout
    signature: str  # one line, equal for equal bugs

    def short_hash(self):
        return hashlib.sha256(self.signature.encode()).hexdigest()[:8]


def slug(text, words_max=6):
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())[:words_max]) or "unknown"


def relative(path, root):
    """The path inside the tree; None if it lies elsewhere."""
    prefix = str(root) + "/"
    if path.startswith(prefix):
        path = path[len(prefix) :]
    elif path.startswith("/") or not (root / path).is_file():
        return None
    return path


def project_frames(log, root):
    """function file:line of the first stack's frames that lie in the tree, innermost first."""
    frames, in_stack = [], False
    start = ERROR.search(log)
    for line in log[start.start() if start else 0 :].splitlines():
        if not re.match(r"\s+#\d+ ", line):
            if in_stack and frames:
                break
            in_stack = False
            continue
        in_stack = True
        if match := FRAME.match(line):
            path = relative(match[2], root)
            if path and not path.startswith(REPORTERS):
                frames.append(f"{match[1]} {path}:{match[3]}")
    return frames


def at(frames, count):
    return "".join(f" at {frame}" for frame in frames[:count])


def entry_frame(frames):
    """The library function that the harness called: a hang is caught at a random place inside
    it, so only the way in says which hang it is."""
    inside = [frame for frame in frames if " src/" in frame]
    own = [frame for frame in frames if not frame.startswith("LLVMFuzzerTestOneInput ")]
    outermost = (inside or own or frames)[-1:]
    return [re.sub(r":\d+$", "", frame) for frame in outermost]


def classify(log, root):
    """The Failure that the text of a log shows; None if it shows none."""
    if match := FAILURE.search(log):
        words = [word for word in match[1].split() if not word.startswith("op=")]
        fields = dict(word.split("=", 1) for word in words if "=" in word)
        return Failure(slug(fields["property"]), " ".join(words))
    frames = project_frames(log, root)
    if match := PANIC.search(log):
        kind = "assert" if match[1].startswith("assertion") else "fault-" + slug(match[1])
        return Failure(kind, f"tagheap: {match[1].strip()}{at(frames, 2)}")
    if match := RUNTIME.search(log):
        what = re.sub(r"-?(0x[0-9a-f]+|\d+)", "N", match[3])
        where = f"{relative(match[1], root) or match[1]}:{match[2]}"
        return Failure("ubsan-" + slug(what.split(":")[0], 4), f"runtime error: {what} at {where}")
    if match := SUMMARY.search(log):
        return classify_summary(match[1], match[2], frames)
    return None


def classify_summary(tool, text, frames):
    if tool == "libFuzzer":
        what = text.split("(")[0].strip()
        if what == "timeout":
            return Failure("timeout", f"timeout{at(entry_frame(frames), 1)}")
        kind = {"out-of-memory": "oom", "deadly signal": "signal"}.get(what, slug(what))
        return Failure(kind, f"{what}{at(frames, 2 if kind == 'signal' else 1)}")
    if "leaked" in text:
        return Failure("leak", f"leak{at(frames, 1)}")
    what = text.split()[0] if text else "unknown"
    short = {"AddressSanitizer": "asan", "UndefinedBehaviorSanitizer": "ubsan"}.get(tool, tool)
    where = at(frames, 1) or " in " + (text.split(" in ")[-1] if " in " in text else "unknown")
    return Failure(slug(f"{short} {what}"), f"{tool}: {what}{where}")


def classify_end(artifact, status):
    """For a process that ended without a report that classify understands: by the engine's name
    for the input it left (timeout-HASH), else by its exit status."""
    kind = artifact.split("-")[0] if artifact else ""
    if kind in ("timeout", "oom", "leak"):
        return Failure(kind, f"{kind}, its report cut off")
    return classify_exit(status)


def classify_exit(status):
    """For a process that failed without a word that classify understands."""
    what = f"signal {-status}" if status < 0 else f"exit status {status}"
    return Failure(slug(what), what)
