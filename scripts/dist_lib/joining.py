# SPDX-License-Identifier: MIT
"""The library in two files: what tagheap.h and tagheap.c are made of, and in which order.

Headers come once each, after those that they include; so do the modules of src/. What one source
keeps to itself is named after it, `walk` of kept.c kept_walk, so that no two can clash, and nothing
of it hides a name elsewhere. Functions that src/ shares become TH_INTERNAL. Whatever this cannot do
safely is an error, not a guess."""

import pathlib
import re
from typing import Callable, Iterable, Optional

from common_lib.script import SetupError
from dist_lib import tokens

PUBLIC = "include/tagheap"
SPDX = "/* SPDX-License-Identifier: MIT */\n"
EXTERN_BEGIN = re.compile(r'#ifdef __cplusplus\nextern "C" \{\n#endif\n\n?')
EXTERN_END = re.compile(r"#ifdef __cplusplus\n\}\n#endif\n")
# What a C11 compiler has without an operating system, and memcpy and its like. <stdnoreturn.h>
# comes last: other headers use the word that it takes.
OF_PROCESSES = "shared_heap"  # sources that are of no use without an operating system
FREESTANDING = ("assert.h", "stdalign.h", "stdbool.h", "stddef.h", "stdint.h", "string.h",
                "stdnoreturn.h")
CLASSIC = "heap/classic.c"
APART = "src/study"  # an archive of its own; its headers are public, too
OUR_NAME = re.compile(r"^(?:th|TH|TAGHEAP)_")


class Part:
    """A file of the library."""

    def __init__(self, root: pathlib.Path, path: pathlib.Path) -> None:
        self.path = path.relative_to(root)
        self.stem, self.module = path.stem, path.parent.name
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise SetupError(f"{self.path}: is no UTF-8 text: {error.reason}") from None
        if not text.startswith(SPDX):
            raise SetupError(f"{self.path}: does not begin with {SPDX.strip()}")
        self.is_public = str(self.path).startswith(PUBLIC + "/")
        self.is_header = path.suffix == ".h"
        text = text[len(SPDX):]
        if self.is_public:  # one extern "C" will do for all
            text = EXTERN_END.sub("", EXTERN_BEGIN.sub("", text))
        self.tokens = tokens.split(text)
        if self.is_header:
            self.remove_guard()
        self.ours: list[str] = []
        self.systems: list[str] = []
        self.features: dict[str, str] = {}
        self.remove_includes()
        self.needs_system = self.module == "os" or path.stem.startswith(OF_PROCESSES) or any(
            header not in FREESTANDING for header in self.systems)

    def name(self) -> str:
        """As others include it."""
        return f"{self.module}/{self.path.name}"

    def remove_guard(self) -> None:
        at = [index for index, token in enumerate(self.tokens) if token.kind == "directive"]
        words = [self.tokens[index].text.split() for index in at]
        if len(at) < 3 or words[0][0] != "#ifndef" or words[1] != ["#define", words[0][1]] or \
                words[-1][0] != "#endif":
            raise SetupError(f"{self.path}: has no include guard")
        for index in (at[0], at[1], at[-1]):
            self.tokens[index] = tokens.Token("space", "")

    def remove_includes(self) -> None:
        """Those that do not depend on a condition are noted, and so are the system's features
        (_NAME) that a source asks for."""
        for index, (token, depth) in enumerate(list(tokens.depths(self.tokens))):
            if token.kind != "directive":
                continue
            included = tokens.INCLUDE.match(token.text)
            defined = tokens.DEFINE.match(token.text)
            if included is not None:
                name = included[1][1:-1]
                if depth == 0:
                    (self.ours if included[1][0] == '"' else self.systems).append(name)
                elif included[1][0] == '"':
                    raise SetupError(f"{self.path}: includes {name} on a condition")
                else:
                    continue
            elif defined is not None and defined[1].startswith("_"):
                self.features[defined[1]] = defined[2]
            else:
                continue
            self.tokens[index] = tokens.Token("space", "")

    def text(self) -> str:
        """What is left, with no more than one empty line where something was removed."""
        return re.sub(r"\n{3,}", "\n\n", tokens.join(self.tokens)).strip("\n") + "\n"

    def section(self) -> str:
        title = f"/* ==== {self.path} "
        return f"{title}{'=' * (97 - len(title))} */\n\n{self.text()}"

    def macros(self) -> list[str]:
        """What it defines, whatever it undefines."""
        found = [tokens.DEFINE.match(token.text) for token in self.tokens
                 if token.kind == "directive"]
        return sorted({match[1] for match in found if match is not None})


# ---- order ---------------------------------------------------------------------------------------


def in_order(names: Iterable[str], needed_by: Callable[[str], Iterable[str]]) -> list[str]:
    """The names, each after those that needed_by(name) gives; else as they come."""
    under_way: list[str] = []
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in under_way:
            raise SetupError(f"{' needs '.join([*under_way, name])}: a circle")
        if name not in ordered:
            under_way.append(name)
            for other in sorted(needed_by(name)):
                add(other)
            under_way.pop()
            ordered.append(name)

    for name in names:
        add(name)
    return ordered


def modules_in_order(parts: list[Part]) -> list[str]:
    """Each after those of which it includes headers; the public headers, which need no other, are
    the first."""
    needs: dict[str, set[str]] = {part.module: set() for part in parts}
    known = {part.name() for part in parts if part.is_header}
    for part in parts:
        for name in part.ours:
            if name not in known:
                raise SetupError(f"{part.path}: includes {name}, which is not there")
        needs[part.module].update(name.split("/")[0] for name in part.ours)
    return in_order(sorted(needs), lambda module: needs[module] - {module})


def headers_in_order(parts: list[Part], modules: list[str]) -> list[Part]:
    headers = {part.name(): part for part in parts if part.is_header}
    by_module = sorted(headers, key=lambda name: (modules.index(headers[name].module), name))
    return [headers[name] for name in in_order(by_module, lambda name: headers[name].ours)]


def sources_in_order(parts: list[Part], modules: list[str]) -> list[Part]:
    return sorted((part for part in parts if not part.is_header),
                  key=lambda part: (modules.index(part.module), part.path))


def system_headers(parts: list[Part]) -> list[str]:
    return sorted({name for part in parts for name in part.systems},
                  key=lambda name: (name == "stdnoreturn.h", name))


def includes(names: Iterable[str]) -> str:
    return "".join(f"#include <{name}>\n" for name in names)


# ---- names ---------------------------------------------------------------------------------------


def is_static(declaration: tokens.Declaration) -> bool:
    """Also by one of the macros that say so (base/track.h, heap/chain.h)."""
    words = [token.text for token in tokens.level(declaration)]
    return "static" in words or any("_INLINE" in word or word.endswith("_PART") for word in words)


def own_names(source: Part) -> set[str]:
    """What a source declares for itself alone, macros apart."""
    found: set[Optional[str]] = set()  # None: nothing
    for declaration in tokens.declarations(source.tokens):
        outside = [token.text for token in tokens.level(declaration)]
        name = tokens.function_name(declaration)
        if outside[0] == "typedef":
            found.add(tokens.typedef_name(declaration))
        elif is_static(declaration):
            found.update(tokens.variable_names(declaration) if name is None else {name})
        found.update(tokens.tag_names(declaration))
        if name is None:
            found.update(tokens.enumerators(declaration))
    return {name for name in found if name is not None and OUR_NAME.match(name) is None}


def rename(source: Part, taken: set[str]) -> None:
    """Puts the source's name before its own names. `taken`: every name of the library. (Those that
    begin with th_ are the library's, whose headers may say more of them.)"""
    new_names = {}
    for name in own_names(source):
        new_names[name] = f"{source.stem}_{name}"
        if new_names[name] in taken:
            raise SetupError(f"{source.path}: {name} would become {new_names[name]}, "
                             "which is another name already; rename one of them")

    def renamed(text: str) -> str:
        return new_names.get(text, text)

    members = tokens.members(source.tokens)
    before = ""
    for index, token in enumerate(source.tokens):
        if token.kind == "directive":
            inner = [each._replace(text=renamed(each.text)) if each.kind == "name" else each
                     for each in tokens.split(token.text[1:])]
            source.tokens[index] = token._replace(text=token.text[0] + tokens.join(inner))
        elif token.kind == "name" and index not in members and before not in (".", "->"):
            source.tokens[index] = token._replace(text=renamed(token.text))
        before = token.text if tokens.is_code(token) else before


def mark_internal(part: Part, public: set[str]) -> None:
    """TH_INTERNAL before the functions that others than the library's own files cannot call. Of the
    inline ones in headers, which no compiler misses there, some would miss the use here."""
    for declaration in tokens.declarations(part.tokens):
        name = tokens.function_name(declaration)
        static = is_static(declaration)
        if name is None or name in public or (static and not part.is_header):
            continue
        if name.isupper():
            continue  # a macro that defines functions, which are static
        index, first = declaration[0]
        word = "TH_UNUSED" if static else "TH_INTERNAL"
        part.tokens[index] = first._replace(text=f"{word} {first.text}")


def functions_of(parts: list[Part]) -> set[str]:
    names = [tokens.function_name(declaration) for part in parts
             for declaration in tokens.declarations(part.tokens)]
    return {name for name in names if name is not None}


def check_headers(headers: list[Part]) -> None:
    """What everybody sees must not be anybody else's name."""
    for header in headers:
        names: set[Optional[str]] = set(header.macros())
        for declaration in tokens.declarations(header.tokens):
            names.update([tokens.function_name(declaration), tokens.typedef_name(declaration)],
                         tokens.tag_names(declaration), tokens.enumerators(declaration))
        for name in sorted(name for name in names if name is not None):
            if OUR_NAME.match(name) is None:
                raise SetupError(f"{header.path}: declares {name}, which does not begin with th_ "
                                 "or TH_")


# ---- the two files -------------------------------------------------------------------------------


def read_parts(root: pathlib.Path) -> list[Part]:
    apart = {path.stem for path in (root / APART).glob("*.c")}
    paths = sorted(path for path in [*(root / PUBLIC).glob("*.h"), *(root / "src").glob("*/*.[ch]")]
                   if path.stem not in apart)
    parts = [Part(root, path) for path in paths]
    if all(part.is_header for part in parts):
        raise SetupError(f"{root}/src: holds no sources")
    return parts


def on_option(option: str, text: str) -> str:
    return f"#if {option}\n{text}#endif\n" if text else ""


def on_system(text: str) -> str:
    return on_option("TH_OS", text)


def features(sources: list[Part]) -> str:
    """What the sources ask of the system's headers; of two values the larger one."""
    wanted: dict[str, str] = {}
    for source in sources:
        for name, value in source.features.items():
            wanted[name] = max(wanted.get(name, ""), value)
    return "".join(f"#ifndef {name}\n#define {' '.join([name, value]).strip()}\n#endif\n"
                   for name, value in sorted(wanted.items()))


def section_of_source(source: Part) -> str:
    undefined = "".join(f"#undef {name}\n" for name in source.macros())
    section = source.section() + (f"\n{undefined}" if undefined else "")
    if source.name() == CLASSIC:
        section = on_option("TH_CLASSIC", section)
    return on_system(section) if source.needs_system else section


def fill(template: str, fields: dict[str, str]) -> str:
    """The template, with what takes the place of each line /* @NAME */."""
    def field(match: re.Match[str]) -> str:
        return fields.pop(match[1])

    text = re.sub(r"^/\* @(\w+) \*/\n", field, template, flags=re.MULTILINE)
    if fields:
        raise SetupError(f"the template has no line for {', '.join(fields)}")
    return text


def make(root: pathlib.Path) -> dict[str, str]:
    """{name: text} of the two files."""
    parts = read_parts(root)
    modules = modules_in_order(parts)
    headers, sources = headers_in_order(parts, modules), sources_in_order(parts, modules)
    stems = [source.stem for source in sources]
    for source in sources:
        if stems.count(source.stem) > 1:
            raise SetupError(f"{source.path}: another source is called {source.path.name}, too")
    check_headers(headers)
    public = [header for header in headers if header.is_public]
    internal = [header for header in headers if not header.is_public]
    callable_by_all = functions_of(public)
    taken = {token.text for part in parts for token in part.tokens if token.kind == "name"}
    for source in sources:
        rename(source, taken)
    for part in internal + sources:
        mark_internal(part, callable_by_all)
    systems = set(system_headers(internal + sources)) - set(system_headers(public))
    hosted = [name for name in systems if name not in FREESTANDING]
    plain = [name for name in FREESTANDING if name in systems]
    templates = pathlib.Path(__file__).parent
    return {
        "tagheap.h": fill((templates / "tagheap.h").read_text(encoding="utf-8"), {
            "includes": includes(system_headers(public)),
            "headers": "\n".join(header.section() for header in public)}),
        "tagheap.c": fill((templates / "tagheap.c").read_text(encoding="utf-8"), {
            "features": on_system(features(sources)),
            "includes": on_system(includes(sorted(hosted))) + includes(plain),
            "headers": "\n".join(on_system(header.section()) if header.needs_system
                                 else header.section() for header in internal),
            "sources": "\n".join(map(section_of_source, sources))}),
    }
