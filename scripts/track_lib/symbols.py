# SPDX-License-Identifier: MIT
"""Names for the addresses of a program that has ended: by the files that were loaded, whose symbols
and lines eu-addr2line (elfutils) or addr2line (binutils) reads."""

import bisect
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterable, NamedTuple, Optional

ADDRESS = re.compile(r"0x[0-9a-f]+")
OWN_LIBRARY = "liblabtrack.so"
TOOLS = ("eu-addr2line", "addr2line")
NEWLINE = "\\012"  # in a path, as /proc/self/maps has it


class Module(NamedTuple):
    """A loaded file: code at [start, end), at address - bias in the file's own terms."""
    start: int
    end: int
    bias: int
    offset: int
    path: str

    def map_line(self) -> str:
        """As a line of /proc/self/maps."""
        return f"{self.start:x}-{self.end:x} r-xp {self.offset:08x} 00:00 0 {one_line(self.path)}"


class Frame(NamedTuple):
    function: str
    file: str  # "": not known
    line: int
    module: str

    def text(self) -> str:
        if self.file:
            return f"{self.function} ({os.path.basename(self.file)}:{self.line})"
        return f"{self.function} (in {self.module})"


def one_line(path: str) -> str:
    return path.replace("\n", NEWLINE)


def lines_of(text: str) -> list[str]:
    """str.splitlines would split file names, too."""
    return text.removesuffix("\n").split("\n") if text else []


def modules_of(text: str) -> list[Module]:
    modules = []
    for line in lines_of(text):
        start, end, bias, offset, path = line.split(" ", 4)
        modules.append(Module(int(start, 16), int(end, 16), int(bias, 16), int(offset, 16),
                              path.replace(NEWLINE, "\n")))
    return sorted(modules)


class Symbols:
    def __init__(self, modules: list[Module]) -> None:
        self.modules = modules
        self.starts = [module.start for module in modules]
        self.frames: dict[int, Frame] = {}

    def module_of(self, address: int) -> Optional[Module]:
        at = bisect.bisect_right(self.starts, address) - 1
        return self.modules[at] if at >= 0 and address < self.modules[at].end else None

    def is_ours(self, address: int) -> bool:
        module = self.module_of(address)
        return module is not None and Path(module.path).name == OWN_LIBRARY

    def resolve(self, addresses: Iterable[int]) -> None:
        """Finds the names of all of them at once: a tool is run for each file."""
        by_module: dict[Module, list[int]] = {}
        for address in sorted(set(addresses)):
            module = self.module_of(address - 1)
            if module is None:
                self.frames[address] = Frame(f"{address:#x}", "", 0, "?")
            else:
                by_module.setdefault(module, []).append(address)
        for module, found in by_module.items():
            lines = ask(module, found)
            for index, address in enumerate(found):
                self.frames[address] = frame_of(module, address, lines[2 * index:2 * index + 2])


def ask(module: Module, addresses: list[int]) -> list[str]:
    """Two lines for each: the function, and file and line. Empty if nobody can say. A call returns to
    what comes after it: its own line is that of the byte before."""
    tool = next((name for name in TOOLS if shutil.which(name)), None)
    if tool is None or not os.path.exists(module.path):
        return []
    asked = "".join(f"{address - module.bias - 1:#x}\n" for address in addresses)
    ended = subprocess.run([tool, "-f", "-C", "-e", module.path], input=asked,
                           encoding="utf-8", errors="surrogateescape", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    lines = lines_of(ended.stdout)
    return lines if len(lines) == 2 * len(addresses) else []


def frame_of(module: Module, address: int, lines: list[str]) -> Frame:
    name = one_line(Path(module.path).name)
    function = lines[0] if lines and lines[0] != "??" else f"{name}+{address - module.bias:#x}"
    place = re.fullmatch(r"(.+?):(\d+)(?::\d+)?(?: \(discriminator \d+\))?", lines[1]) if lines else None
    if place is None or place[1] == "??" or place[2] == "0":
        return Frame(function, "", 0, name)
    return Frame(function, place[1], int(place[2]), name)
