# SPDX-License-Identifier: MIT
"""The pages: tagheap(3), one for each public header, and heaplab(1). For each function there is a
page that leads to its header's, so that `man th_heap_alloc` shows it."""

import pathlib
import re

from common_lib.script import SetupError
from manual_lib import headers, roff

SECTION = 3
LINK = "cc program.c $(pkg-config --cflags --libs tagheap)"
ABOUT_LIBRARY = """\
The tagged heap manages one contiguous region of the caller's: HEAD blocks grow up from its bottom,
TAIL blocks down from its top, every block has a tag, ranges of tags are freed in one call, and
compaction slides HEAD blocks down, asking before each move. Around it stand allocators for other
needs, all behind one interface, so that they compose."""
ABOUT_HEAPLAB = """\
Plays scripts, sequences of operations on named blocks, on the tagged heap or on another allocator,
and checks after each operation what was returned, which blocks there are and what they hold. Scripts
are text or bytes; they are written by hand, recorded from programs, or found by fuzzing. A failing
one is made short, and turned into a C program."""


def page_name(header: headers.Header) -> str:
    return f"th_{header.name}"


def read_version(root: pathlib.Path) -> tuple[int, int, int]:
    """The one that include/tagheap/version.h states."""
    text = (root / "include/tagheap/version.h").read_text(encoding="utf-8")
    found = [re.search(rf"^#define TH_VERSION_{part}\s+(\d+)$", text, re.MULTILINE)
             for part in ("MAJOR", "MINOR", "PATCH")]
    if None in found:
        raise SetupError(f"{root}/include/tagheap/version.h: defines no TH_VERSION_MAJOR, _MINOR "
                         "and _PATCH")
    major, minor, patch = (int(match[1]) for match in found if match is not None)
    return major, minor, patch


def read_headers(root: pathlib.Path) -> list[headers.Header]:
    return [headers.read(path) for path in sorted((root / "include/tagheap").glob("*.h"))]


def library_names(all_headers: list[headers.Header]) -> list[str]:
    """Of the pages in section 3."""
    pages = ["tagheap", *map(page_name, all_headers)]
    functions = [name for header in all_headers for name in header.functions]
    return sorted({*pages, *functions})


def see_also(*names: str) -> str:
    return roff.heading("SEE ALSO") + "".join(
        f".BR {roff.escape(name)} ({section})\n" for name, section in
        (name.split(":") for name in names))


def header_page(header: headers.Header, version: str) -> str:
    name = page_name(header)
    text = roff.title(name, SECTION, version)
    text += roff.heading("NAME") + f"{name} \\- {roff.escape(header.summary())}\n"
    text += roff.heading("SYNOPSIS") + roff.code(f"#include <tagheap/{header.name}.h>")
    if header.prototypes:
        text += roff.code("\n".join(header.prototypes))
    text += roff.heading("DESCRIPTION") + roff.prose(header.opening)
    if header.parts:
        text += roff.heading("DECLARATIONS")
    for part in header.parts:
        if part.title is not None:
            text += roff.subheading(part.title)
        if part.code:
            text += roff.code(part.code)
        if part.comment:
            text += f".RS\n{roff.prose(part.comment)}.RE\n"
    return text + see_also("tagheap:3")


def library_page(all_headers: list[headers.Header], version: str) -> str:
    text = roff.title("tagheap", SECTION, version)
    text += roff.heading("NAME") + roff.escape("tagheap") + \
        " \\- a tagged, compacting heap and its companion allocators\n"
    text += roff.heading("SYNOPSIS") + roff.code(f"#include <tagheap/heap.h>\n\n{LINK}")
    text += roff.heading("DESCRIPTION") + roff.paragraph(ABOUT_LIBRARY)
    text += roff.heading("HEADERS")
    for header in all_headers:
        text += f".TP\n.BR {roff.escape(page_name(header))} ({SECTION})\n" \
            f"{roff.escape(header.summary())}.\n"
    return text + see_also("heaplab:1")


def library_pages(root: pathlib.Path) -> dict[str, str]:
    """{file name: text} of section 3."""
    all_headers = read_headers(root)
    version = ".".join(map(str, read_version(root)))
    pages = {"tagheap.3": library_page(all_headers, version)}
    for header in all_headers:
        for name in header.functions:
            pages[f"{name}.3"] = f".so man3/{page_name(header)}.3\n"
    for header in all_headers:
        pages[f"{page_name(header)}.3"] = header_page(header, version)
    return pages


# ---- heaplab -------------------------------------------------------------------------------------

SUBCOMMAND = re.compile(r"^  heaplab (\S+)", re.MULTILINE)
OPTION = re.compile(r"^  (\S.*?)(?:  +(\S.*))?$")
CONTINUED = re.compile(r"^ {8,}(\S.*)$")


def options(text: str) -> str:
    """Those of a subcommand, as its help lists them."""
    made: list[list[str]] = []
    for line in text.split("\n"):
        continued = CONTINUED.match(line)
        option = OPTION.match(line)
        if continued and made:
            made[-1].append(continued[1])
        elif option:
            made.append([option[1], *([option[2]] if option[2] else [])])
        else:
            raise SetupError(f"heaplab's help has a line that is no option: {line}")
    # A term of several words is a sentence of its own, unless a text follows.
    return "".join(roff.item(term, " ".join(rest)) if rest and len(term) < 30
                   else roff.paragraph(" ".join([term, *rest])) for term, *rest in made)


def subcommand_part(name: str, text: str) -> str:
    """Of `heaplab NAME --help`: usage, summary, options, exit status and example."""
    blocks = text.rstrip("\n").split("\n\n")
    if not text.startswith(f"usage: heaplab {name}") or len(blocks) not in (3, 4):
        raise SetupError(f"heaplab {name} --help does not say usage, summary, options, example")
    usage, summary, last = blocks[0], blocks[1], blocks[-1]
    made = roff.subheading(f"heaplab {name}") + roff.code(usage.removeprefix("usage: "))
    made += roff.paragraph(summary[0].upper() + summary[1:] + ".")
    if len(blocks) == 4:
        made += options(blocks[2])
    for line in last.split("\n"):
        lead, _, rest = line.partition(": ")
        made += f".PP\n.B \"{roff.escape(lead.capitalize())}:\"\n{roff.escape(rest)}\n"
    return made


def heaplab_page(help_text: str, help_of: dict[str, str], version: str) -> str:
    """`help_of`: what `heaplab NAME --help` prints, for each subcommand that has it."""
    text = roff.title("heaplab", 1, version)
    text += roff.heading("NAME") + "heaplab \\- plays and checks scripts for memory allocators\n"
    text += roff.heading("SYNOPSIS") + roff.code("heaplab SUBCOMMAND ...\nheaplab help\n"
                                                 "heaplab SUBCOMMAND --help")
    text += roff.heading("DESCRIPTION") + roff.paragraph(ABOUT_HEAPLAB)
    text += roff.heading("SUBCOMMANDS")
    for name in SUBCOMMAND.findall(help_text):
        if name in help_of:
            text += subcommand_part(name, help_of[name])
    status = re.search(r"^Exit status: (.*)$", help_text, re.MULTILINE)
    if status is None:
        raise SetupError("heaplab help says no exit status")
    return text + roff.heading("EXIT STATUS") + roff.paragraph(status[1]) + see_also("tagheap:3")
