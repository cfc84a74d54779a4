# SPDX-License-Identifier: MIT
"""Failures that are known: a file with one signature on each line, as fuzz/shrink/known.h has it.
The programs read it too, and pass where a difference that they find is in it; what ends a process
is told here."""

import codecs
import pathlib
from typing import Optional

from common_lib.script import SetupError
from fuzz_lib.signature import Failure

SIGNATURES_MAX = 64  # LAB_KNOWN_MAX
BYTES_MAX = 511  # LAB_SIGNATURE_BYTES_MAX without the NUL
BEGINNINGS = ("property=", "tagheap: ", "AddressSanitizer: ", "runtime error: ", "signal ",
              "exit status ", "timeout", "leak", "out-of-memory")
COUNTER = "known "  # how the programs' counters begin, one for each signature


def error_in(line: bytes) -> Optional[str]:
    """What is wrong with a signature; None: nothing."""
    if any(byte < 0x20 or byte == 0x7F for byte in line):
        return "holds a byte that is no text"
    if len(line) > BYTES_MAX:
        return "is too long for a signature"
    if not line.decode("utf-8", "replace").startswith(BEGINNINGS):
        return "is no signature; `make triage` prints them"
    return None


def read(path: pathlib.Path) -> list[str]:
    """The signatures, each once. Raises SetupError, with one line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {error.strerror}") from None
    found: list[str] = []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        line = line.strip(b" \t\r")
        if not line or line.startswith(b"#"):
            continue
        wrong = error_in(line)
        text = line.decode("utf-8", "replace")
        if wrong is None and text not in found and len(found) == SIGNATURES_MAX:
            wrong = f"is one signature more than the {SIGNATURES_MAX} that can be known"
        if wrong is not None:
            raise SetupError(f"{path}:{number}: {wrong}")
        if text not in found:
            found.append(text)
    return found


class Known:
    """Those of one run, and how often each was met."""

    def __init__(self, path: Optional[pathlib.Path] = None) -> None:
        """`path`: the file, or None."""
        self.path = path.resolve() if path is not None else None
        self.signatures = read(path) if path is not None else []
        self.ends = {signature: 0 for signature in self.signatures}  # of processes

    def meet(self, failure: Failure) -> bool:
        """Is it known? Then it is counted."""
        if failure.signature not in self.ends:
            return False
        self.ends[failure.signature] += 1
        return True

    def met(self, counters: list[dict[str, int]]) -> dict[str, int]:
        """Signature -> how often; `counters`: those of the targets, one dictionary each."""
        return {signature: self.ends[signature] +
                sum(each.get(f"{COUNTER}{number}", 0) for each in counters)
                for number, signature in enumerate(self.signatures)}
