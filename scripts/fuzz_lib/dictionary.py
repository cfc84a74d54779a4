# SPDX-License-Identifier: MIT
"""Dictionaries for engines that know nothing of our mutator: what a target's inputs are put together
from, taken from its seeds. A target with a dictionary of its own (fuzz/targets/NAME.dict) has that."""

import collections
import pathlib
import re
import tempfile
from typing import Iterable, Iterator

from common_lib.script import SetupError
from fuzz_lib import program
from fuzz_lib.targets import Target

ENTRIES_MAX = 128
GROUP_BYTES = 4  # of inputs that are no text
WORD = re.compile(rb"[^\s=.]+=?")
VERB = re.compile("[a-z][a-z-]*")
HEAD = re.compile(r"^(?:heap|subject)\b.*$", re.MULTILINE)  # the line that says what is played on


def most_frequent(entries: Iterable[bytes]) -> list[bytes]:
    """Those that stand there more than once come first, each once."""
    counted = collections.Counter(entry for entry in entries if entry)
    return [entry for entry, _ in counted.most_common(ENTRIES_MAX)]


def without_comments(text: bytes) -> bytes:
    return b"\n".join(line for line in text.splitlines() if not line.startswith(b"#"))


def words(inputs: Iterable[bytes]) -> Iterator[bytes]:
    """Of texts: operations, names of fields, numbers."""
    for text in inputs:
        yield from WORD.findall(without_comments(text))


def groups(inputs: Iterable[bytes]) -> Iterator[bytes]:
    """Of operations in characters, what stands between spaces; of other bytes, groups of them behind
    the first, which says what is played."""
    for content in inputs:
        if content.isascii():
            yield from without_comments(content).split()
        else:
            yield from (content[at:at + GROUP_BYTES]
                        for at in range(1, len(content) - GROUP_BYTES + 1, GROUP_BYTES))


def operations(scripts: Iterable[pathlib.Path], heaplab: pathlib.Path) -> Iterator[bytes]:
    """Of scripts in text form: the first operation of each name, as bytes."""
    seen = set()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path in scripts:
            text = path.read_text()
            head = HEAD.search(text)
            for line in text[head.end():].splitlines() if head else ():
                verb = line.split(" ")[0]
                if head and VERB.fullmatch(verb) and verb not in seen:
                    seen.add(verb)
                    alone = assembled(heaplab, folder, head[0])
                    yield assembled(heaplab, folder, f"{head[0]}\n{line}")[len(alone):]


def assembled(heaplab: pathlib.Path, folder: pathlib.Path, text: str) -> bytes:
    source, target = folder / "one.txt", folder / "one.bin"
    source.write_text(f"{text}\n")
    done = program.run([heaplab, "asm", "--text", "-f", "-o", target, source], folder)
    if done.status != 0:
        raise SetupError(f"{heaplab} does not assemble '{text}': {done.text.strip()}")
    return target.read_bytes()


def escaped(entry: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\' else f"\\x{byte:02X}"
                   for byte in entry)


def make(root: pathlib.Path, target: Target, heaplab: pathlib.Path) -> str:
    """The text of the target's dictionary."""
    own = root / "fuzz" / "targets" / f"{target.name}.dict"
    if own.exists():
        return own.read_text()
    if target.script:
        folder = root / "corpus" / ("subjects" if target.form == "numbered" else "heap")
        entries = most_frequent(operations(sorted(folder.glob("*/*.txt")), heaplab))
    else:
        seeds = [path.read_bytes() for path in sorted((root / "corpus" / target.name).glob("*/*"))]
        entries = most_frequent(words(seeds) if target.form == "text" else groups(seeds))
    return "".join(f'"{escaped(entry)}"\n' for entry in entries)
