# SPDX-License-Identifier: MIT
"""What labtrack writes, with names for addresses, in the format that was asked for."""

import re
from typing import NamedTuple

from track_lib import flame
from track_lib.symbols import ADDRESS, Symbols

KINDS = {"definite": "definitely lost", "indirect": "indirectly lost", "possible": "possibly lost",
         "reachable": "still reachable"}
HEAPTRACK_FRAME = re.compile(r"i ([0-9a-f]+) 0$")


class Loss(NamedTuple):
    kind: str
    blocks: int
    bytes: int
    indirect: int  # lost with them
    frames: tuple[int, ...]


def losses_of(text: str) -> list[Loss]:
    found = []
    for line in text.splitlines():
        kind, blocks, size, indirect, *frames = line.split()
        found.append(Loss(kind, int(blocks), int(size), int(indirect),
                          tuple(int(frame, 16) for frame in frames)))
    return sorted(found, key=lambda loss: (list(KINDS).index(loss.kind), -loss.bytes - loss.indirect,
                                           loss.frames))


def addresses_in(text: str) -> set[int]:
    found = {int(word, 16) for word in ADDRESS.findall(text)}
    for line in text.splitlines():
        frame = HEAPTRACK_FRAME.match(line)
        if frame is not None:
            found.add(int(frame[1], 16))
    return found


def write_losses(losses: list[Loss], symbols: Symbols, reachable: bool) -> str:
    lines = []
    for kind, name in KINDS.items():
        own = [loss for loss in losses if loss.kind == kind]
        lines.append(f"{name}: {sum(loss.bytes for loss in own)} bytes in "
                     f"{sum(loss.blocks for loss in own)} blocks")
    for loss in losses:
        if loss.kind == "reachable" and not reachable:
            continue
        more = f" ({loss.indirect} bytes more with them)" if loss.indirect else ""
        lines += ["", f"{loss.bytes} bytes in {loss.blocks} blocks are {KINDS[loss.kind]}{more}"]
        lines += [f"    {symbols.frames[frame].text()}" for frame in loss.frames
                  if not symbols.is_ours(frame)]
    return "\n".join(lines) + "\n"


def name_live(text: str, symbols: Symbols) -> str:
    lines = []
    for line in text.splitlines():
        if line.startswith("    0x"):
            address = int(line, 16)
            if symbols.is_ours(address):
                continue
            line = f"    {symbols.frames[address].text()}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def name_folded(text: str, symbols: Symbols) -> str:
    """Stacks whose names are the same become one."""
    sums: dict[str, int] = {}
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        names = []
        for frame in stack.split(";"):
            if not ADDRESS.fullmatch(frame):
                names.append(frame)
            elif not symbols.is_ours(int(frame, 16)):
                names.append(symbols.frames[int(frame, 16)].function.replace(";", ":"))
        key = ";".join(names)
        sums[key] = sums.get(key, 0) + int(count)
    return "".join(f"{stack} {count}\n" for stack, count in sorted(sums.items()))


def add_maps(text: str, symbols: Symbols) -> str:
    maps = "".join(f"{module.map_line()}\n" for module in symbols.modules)
    return f"{text}\nMAPPED_LIBRARIES:\n{maps}"


class Strings:
    """heaptrack's: each is written once, before it is used by its number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.lines: list[str] = []

    def number(self, text: str) -> int:
        if text not in self.numbers:
            self.numbers[text] = len(self.numbers) + 1
            self.lines.append(f"s {len(text.encode(errors='surrogateescape')):x} {text}")
        return self.numbers[text]


def name_heaptrack(text: str, symbols: Symbols, command: str) -> str:
    strings = Strings()
    version, *rest = text.splitlines()
    strings.lines = [version, f"X {command}"]
    for line in rest:
        match = HEAPTRACK_FRAME.match(line)
        if match is not None:
            frame = symbols.frames[int(match[1], 16)]
            module = strings.number(frame.module)
            line = f"i {match[1]} {module:x} {strings.number(frame.function):x}"
            if frame.file:
                line += f" {strings.number(frame.file):x} {frame.line:x}"
        strings.lines.append(line)
    return "\n".join(strings.lines) + "\n"


def write(name: str, text: str, symbols: Symbols, command: str, reachable: bool) -> str:
    """The report of that format, from what labtrack has written for it."""
    if name == "leaks":
        return write_losses(losses_of(text), symbols, reachable)
    if name == "live":
        return name_live(text, symbols)
    if name in ("heap_v2", "jemalloc"):
        return add_maps(text, symbols)
    if name == "heaptrack":
        return name_heaptrack(text, symbols, command)
    folded = name_folded(text, symbols)
    return flame.svg_of(folded, command) if name == "svg" else folded
