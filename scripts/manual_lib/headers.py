# SPDX-License-Identifier: MIT
"""A public header as parts: what its opening comment says, and its declarations, each with the
comment in front of it."""

import pathlib
import re
from typing import NamedTuple

from common_lib.script import SetupError
from dist_lib import tokens

BOILERPLATE = (re.compile(r"#ifdef __cplusplus\n(?:extern \"C\" \{|\})\n#endif\n"),
               re.compile(r"^#include .*\n", re.MULTILINE))
GUARD = re.compile(r"#ifndef (\w+)\n#define \1\n(.*)#endif\n\Z", re.DOTALL)
TITLE = re.compile(r"^---- (.*?) -+$\n*", re.MULTILINE)


class Part(NamedTuple):
    """Of a header: a comment, and the code that it speaks of. Where a new section begins, its
    title."""
    comment: str
    code: str
    title: str | None = None


class Header(NamedTuple):
    name: str  # as programs include it, without tagheap/ and .h
    opening: str
    parts: list[Part]
    functions: list[str]
    prototypes: list[str]

    def summary(self) -> str:
        """The first sentence."""
        text = re.split(r"\n\n|\n ", self.opening)[0].replace("\n", " ")
        return re.split(r"(?<=\.)\s", text)[0].rstrip(".:")


def uncommented(text: str) -> str:
    """What a comment says: its lines, without stars. One blank belongs to the star."""
    text = text.strip()[2:-2]
    rows = [re.sub(r"^ \*? ?", "", row) for row in text.split("\n")]
    return "\n".join(row.rstrip() for row in rows).strip("\n ")


def chunks(text: str) -> list[str]:
    """What empty lines separate, outside of brackets and comments."""
    found, depth = [""], 0
    for token in tokens.split(text):
        if token.kind == "mark" and token.text in "([{":
            depth += 1
        elif token.kind == "mark" and token.text in ")]}":
            depth -= 1
        if token.kind == "space" and depth == 0 and token.text.count("\n") > 1:
            found.append("")
        else:
            found[-1] += token.text
    return [chunk.strip("\n") for chunk in found if chunk.strip()]


def shown(code: str) -> str:
    """What of it callers have use for: of a macro with arguments not what it stands for, and no
    macro that others are made of (NAME_)."""
    code = re.sub(r"^( *#define \w+\([^()]*\))(?:\\\n|[^\n])*", r"\1", code, flags=re.MULTILINE)
    code = re.sub(r"^#define \w+_(?:\(| ).*\n?", "", code, flags=re.MULTILINE)
    return code.strip("\n")


def split_comment(chunk: str) -> Part:
    first = tokens.split(chunk)[0]
    if first.kind != "comment":
        return Part("", shown(chunk))
    comment, code = uncommented(first.text), shown(chunk[len(first.text):])
    title = TITLE.match(comment)
    return Part(comment[title.end():], code, title[1]) if title else Part(comment, code)


def prototype(declaration: list[tuple[int, tokens.Token]], all_tokens: list[tokens.Token]) -> str:
    text = tokens.join(all_tokens[declaration[0][0]:declaration[-1][0] + 1])
    return re.sub(r"\s+", " ", text)


def read(path: pathlib.Path) -> Header:
    text = path.read_text(encoding="utf-8")
    match = re.match(r"/\* SPDX-License-Identifier: MIT \*/\n(/\*.*?\*/)\n(.*)\Z", text, re.DOTALL)
    guarded = GUARD.match(match[2]) if match else None
    if match is None or guarded is None:
        raise SetupError(f"{path}: is no header with an opening comment and an include guard")
    body = guarded[2]
    for pattern in BOILERPLATE:
        body = pattern.sub("", body)
    all_tokens = tokens.split(body)
    functions, prototypes = [], []
    for declaration in tokens.declarations(all_tokens):
        name = tokens.function_name(declaration)
        if name is not None:
            functions.append(name)
            prototypes.append(prototype(declaration, all_tokens))
    return Header(path.stem, uncommented(match[1]), [split_comment(each) for each in chunks(body)],
                  functions, prototypes)
