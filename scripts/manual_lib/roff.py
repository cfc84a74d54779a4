# SPDX-License-Identifier: MIT
"""Text as man(7) takes it."""

import re


def escape(text: str) -> str:
    """As it is, whatever it begins with or holds."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def title(name: str, section: int, version: str) -> str:
    return f'.TH {name.upper()} {section} "" "TagHeap {version}" "TagHeap"\n.ad l\n'


def heading(text: str) -> str:
    return f'.SH "{escape(text)}"\n'


def subheading(text: str) -> str:
    return f'.SS "{escape(text)}"\n'


def paragraph(text: str) -> str:
    return f".PP\n{escape(text.strip())}\n"


def lines(text: str) -> str:
    """Line by line, and no wider than the screen if it can be helped."""
    return f".PP\n.nf\n{escape(text.rstrip())}\n.fi\n"


def code(text: str) -> str:
    return f".PP\n.nf\n.ft B\n{escape(text.rstrip())}\n.ft P\n.fi\n"


def item(term: str, text: str) -> str:
    return f".TP\n.B {escape(term)}\n{escape(text.strip())}\n"


LEAD = re.compile(r"^([A-Z][\w ]{0,30}[:.])(?=\s)(.*)$", re.DOTALL)


def prose(text: str) -> str:
    """A comment: paragraphs are filled, what is indented is a picture or a table and stays. A line
    that begins like "Thread rule: " begins a paragraph."""
    made: list[str] = []
    filled: list[str] = []
    kept: list[str] = []

    def flush() -> None:
        if filled:
            body = "\n".join(filled)
            lead = LEAD.match(body)
            made.append(f".PP\n.B \"{escape(lead[1])}\"\n{escape(lead[2].strip())}\n"
                        if lead else paragraph(body))
            filled.clear()
        while kept and not kept[-1]:
            kept.pop()
        if kept:
            made.append(lines("\n".join(kept)))
            kept.clear()

    for line in text.split("\n"):
        if line.startswith(" ") or (not line and kept):
            if filled:
                flush()
            kept.append(line)
        elif not line:
            flush()
        else:
            if kept or LEAD.match(line):
                flush()
            filled.append(line)
    flush()
    return "".join(made)
