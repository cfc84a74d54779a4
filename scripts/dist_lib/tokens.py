# SPDX-License-Identifier: MIT
"""C as tokens, as far as joining sources needs it: no text is lost, join(split(text)) == text."""

import re
from typing import Iterable, Iterator, NamedTuple, Optional

TOKEN = re.compile(r"""
    (?P<directive>  ^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<comment>    /\*.*?\*/|//[^\n]*)
  | (?P<text>       "(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<name>       [A-Za-z_]\w*)
  | (?P<number>     \.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<space>      \s+)
  | (?P<mark>       ->|.)
""", re.VERBOSE | re.MULTILINE | re.DOTALL)

INCLUDE = re.compile(r"^\s*#\s*include\s*(<[^>]+>|\"[^\"]+\")\s*(?:/\*.*\*/\s*)?$", re.DOTALL)
DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)[ \t]*(.*)$", re.DOTALL)
CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef|endif)\b")


class Token(NamedTuple):
    kind: str
    text: str


def split(text: str) -> list[Token]:
    return [Token(match.lastgroup or "", match.group()) for match in TOKEN.finditer(text)]


def join(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


def is_code(token: Token) -> bool:
    return token.kind in ("text", "name", "number", "mark")


def depths(tokens: Iterable[Token]) -> Iterator[tuple[Token, int]]:
    """(token, how many conditions (#if) it stands in, an #if and its #endif included)."""
    depth = 0
    for token in tokens:
        word = CONDITION.match(token.text) if token.kind == "directive" else None
        if word is not None and word[1] != "endif":
            depth += 1
        yield token, depth
        if word is not None and word[1] == "endif":
            depth -= 1


Declaration = list[tuple[int, Token]]  # with the index of each token in its file


# ---- declarations --------------------------------------------------------------------------------

OPEN, CLOSED = "([{", ")]}"
# What stands before a parenthesis and is no function's name.
NOT_DECLARED = {"__attribute__", "alignas", "_Alignas", "static_assert", "_Static_assert"}


def declarations(tokens: Iterable[Token]) -> Iterator[Declaration]:
    """Each declaration and definition of the file's own level, as a list of (index, token)."""
    declaration: Declaration = []
    depth = 0
    is_function = False
    previous: Optional[Token] = None
    for index, token in enumerate(tokens):
        if not is_code(token):
            continue
        declaration.append((index, token))
        if token.text in OPEN and token.kind == "mark":
            if depth == 0 and token.text == "{":
                is_function = previous is not None and previous.text == ")"
            depth += 1
        elif token.text in CLOSED and token.kind == "mark":
            depth -= 1
        ends = depth == 0 and (token.text == ";" or (token.text == "}" and is_function))
        if ends:
            yield declaration
            declaration, is_function = [], False
        previous = token


def level(declaration: Declaration, brackets: str = OPEN) -> list[Token]:
    """What of it stands in none of these brackets, opening ones included, as a list of tokens."""
    closing = [CLOSED[OPEN.index(bracket)] for bracket in brackets]
    outside, depth = [], 0
    for _, token in declaration:
        closes = token.kind == "mark" and token.text in closing
        opens = token.kind == "mark" and token.text in brackets
        depth -= closes
        if depth == 0 and not closes:
            outside.append(token)
        depth += opens
    return outside


def function_name(declaration: Declaration) -> Optional[str]:
    """The name of the function that is declared or defined; None for anything else."""
    outside = level(declaration)
    if any(token.text in ("typedef", "=") for token in outside):
        return None
    for before, token in zip(outside, outside[1:]):
        if token.text == "(" and before.kind == "name" and before.text not in NOT_DECLARED:
            return before.text
    return None


def variable_names(declaration: Declaration) -> list[str]:
    """The names of the objects that are declared."""
    found, initializer = [], False
    outside = level(declaration)
    for before, token in zip(outside, outside[1:]):
        if before.kind == "name" and token.text in ("=", "[", ";", ",") and not initializer:
            found.append(before.text)
        initializer = token.text == "=" or (initializer and token.text != ",")
    return found


def typedef_name(declaration: Declaration) -> Optional[str]:
    """The name that a typedef declares; None for anything else."""
    code = level(declaration, "{")
    if code[0].text != "typedef":
        return None
    pointer = [name.text for star, name, closing in zip(code, code[1:], code[2:])
               if star.text == "*" and name.kind == "name" and closing.text == ")"]
    return pointer[0] if pointer else [token.text for token in level(declaration)
                                       if token.kind == "name"][-1]


def tag_names(declaration: Declaration) -> list[str]:
    """The tags of structures, unions and enumerations that it defines."""
    code = [token for _, token in declaration]
    return [name.text for word, name, brace in zip(code, code[1:], code[2:])
            if word.text in ("struct", "union", "enum") and name.kind == "name"
            and brace.text == "{"]


def enumerators(declaration: Declaration) -> list[str]:
    """The constants of the enumerations that it defines."""
    found: list[str] = []
    before: list[str] = []
    inside = False
    for _, token in declaration:
        if token.text == "{":
            inside = "enum" in before[-2:]
        elif token.text == "}":
            inside = False
        elif inside and token.kind == "name" and before[-1] in ("{", ","):
            found.append(token.text)
        before.append(token.text)
    return found


def members(tokens: Iterable[Token]) -> set[int]:
    """The indices of the names of members, where structures and unions are defined."""
    found: set[int] = set()
    stack: list[bool] = []
    code = [(index, token) for index, token in enumerate(tokens) if is_code(token)]
    for place, (index, token) in enumerate(code):
        if token.kind == "mark" and token.text in OPEN:
            before = [each.text for _, each in code[max(0, place - 2):place]]
            stack.append(token.text == "{" and ("struct" in before or "union" in before))
        elif token.kind == "mark" and token.text in CLOSED:
            stack.pop()
        elif token.kind == "name" and stack and stack[-1] and place + 1 < len(code):
            if code[place + 1][1].text in (";", ",", "[", ":"):
                found.add(index)
    return found
