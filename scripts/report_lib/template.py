# SPDX-License-Identifier: MIT
"""Fills in report.html. The file is a page with parts:

  <!-- part NAME --> ... {{word}} ... <!-- end NAME -->

A part is taken out of the page; fill() gives it back with each {{word}} replaced by its value.
Values are text, which is escaped, or Html, which other parts came to. A word without a value, or a
value without a word, is a mistake of ours, and raises KeyError."""

import html
import pathlib
import re
from typing import Iterable

PART = re.compile(r"[ \t]*<!-- part (\w+) -->\n(.*?)[ \t]*<!-- end \1 -->\n", re.DOTALL)
WORD = re.compile(r"\{\{(\w+)\}\}")


class Html(str):
    """Text that is HTML already."""


def join(pieces: Iterable[str]) -> Html:
    return Html("".join(pieces))


class Template:
    def __init__(self, path: pathlib.Path) -> None:
        self.parts: dict[str, str] = {}
        self.page = self.take(path.read_text(encoding="utf-8"))

    def take(self, text: str) -> str:
        """The text without its parts, which are kept; parts may hold others."""
        def keep(match: re.Match[str]) -> str:
            self.parts[match[1]] = self.take(match[2])
            return ""

        return PART.sub(keep, text)

    def fill(self, part: str, **values: object) -> Html:
        return self.replace(self.parts[part], part, values)

    def whole(self, **values: object) -> Html:
        return self.replace(self.page, "the page", values)

    @staticmethod
    def replace(text: str, name: str, values: dict[str, object]) -> Html:
        used = set(WORD.findall(text))
        if used != set(values):
            raise KeyError(f"{name}: {sorted(used ^ set(values))}")

        def value_of(match: re.Match[str]) -> str:
            value = values[match[1]]
            return value if isinstance(value, Html) else html.escape(str(value))

        return Html(WORD.sub(value_of, text))
