# SPDX-License-Identifier: MIT
"""The source text behind a measurement: what stands at a place, and where the decisions are."""

import pathlib
import re
from typing import Iterator, Sequence

# Comments, strings, characters, preprocessor lines and assertions (which are compiled out of the
# cov variant) are blanked; what is left is code.
NO_CODE = re.compile(
    rb"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
         | ^[ \t]*\#(?:\\\n|[^\n])* | \bTH_ASSERT\([^;]*;""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


class Sources:
    """Files of the tree, by their names from its root. Columns count bytes, from 1, as clang's."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.files: dict[str, bytes] = {}

    def _bytes(self, file: str) -> bytes:
        if file not in self.files:
            self.files[file] = (self.root / file).read_bytes()
        return self.files[file]

    def line(self, file: str, line: int) -> str:
        """A line, without the space around it."""
        return self._bytes(file).split(b"\n")[line - 1].decode().strip()

    def between(self, file: str, start: Sequence[int], end: Sequence[int]) -> str:
        """What stands from (line, column) up to (line, column), on one line."""
        lines = self._bytes(file).split(b"\n")[start[0] - 1 : end[0]]
        lines[-1] = lines[-1][: end[1] - 1]
        lines[0] = lines[0][start[1] - 1 :]
        return " ".join(b" ".join(lines).decode().split())

    def operators(self, file: str) -> Iterator[tuple[int, int]]:
        """The (line, column) of every && and || of the file's code."""
        blanked = NO_CODE.sub(lambda found: re.sub(rb"[^\n]", b" ", found[0]), self._bytes(file))
        for number, line in enumerate(blanked.split(b"\n"), 1):
            for found in re.finditer(rb"&&|\|\|", line):
                yield number, found.start() + 1
