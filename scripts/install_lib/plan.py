# SPDX-License-Identifier: MIT
"""What is installed, and where: the one list that installing and uninstalling go by."""

import os
import pathlib
import re
import struct
from typing import NamedTuple

from common_lib.script import SetupError
from manual_lib import pages

TEMPLATES = pathlib.Path(__file__).parent
# No file of pkg-config's or CMake's can name these.
REFUSED_IN_PATHS = re.compile(r'["$\\#;\n]')
PROGRAM, DATA = 0o755, 0o644
ELF_CLASS = {1: 4, 2: 8}  # bytes of a pointer


class Folders(NamedTuple):
    """The standard directories (GNU Coding Standards, "Directory Variables"), without DESTDIR."""
    prefix: pathlib.Path
    bindir: pathlib.Path
    libdir: pathlib.Path
    includedir: pathlib.Path
    mandir: pathlib.Path
    docdir: pathlib.Path


class Made(NamedTuple):
    """What make has built."""
    root: pathlib.Path  # the tree
    library: pathlib.Path  # the folder of libtagheap.a and libtagheap.so
    manual: pathlib.Path  # the folder of the manual pages
    heaplab: pathlib.Path


class Entry(NamedTuple):
    """One file: a copy of `source`, or `text`, or a link to `link` beside it."""
    target: pathlib.Path
    mode: int = DATA
    source: pathlib.Path | None = None
    text: str | None = None
    link: str | None = None


def check_folders(folders: Folders) -> None:
    for name, folder in folders._asdict().items():
        if not folder.is_absolute():
            raise SetupError(f"{name}={folder}: is no absolute path")
        refused = REFUSED_IN_PATHS.search(str(folder))
        if refused is not None:
            raise SetupError(f"{name}={folder!s}: holds {refused[0]!r}, which pkg-config or CMake "
                             "could not read".replace("\n", " "))


# ---- versions ------------------------------------------------------------------------------------


def soname(root: pathlib.Path) -> str:
    """Of the shared library: changes when programs must be compiled anew."""
    major, minor, _ = pages.read_version(root)
    return f"libtagheap.so.{major}" if major > 0 else f"libtagheap.so.0.{minor}"


def shared_name(root: pathlib.Path) -> str:
    return "libtagheap.so." + ".".join(map(str, pages.read_version(root)))


def pointer_bytes(shared: pathlib.Path) -> int:
    """On the machine that the library is for."""
    with open(shared, "rb") as file:
        start = file.read(5)
    if start[:4] != b"\x7fELF" or start[4] not in ELF_CLASS:
        return struct.calcsize("P")
    return ELF_CLASS[start[4]]


# ---- files for pkg-config and CMake --------------------------------------------------------------


def fill(name: str, fields: dict[str, str]) -> str:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    return re.sub(r"@(\w+)@", lambda match: fields[match[1]], text)


def lies_in(folder: pathlib.Path, outer: pathlib.Path) -> bool:
    return folder == outer or outer in folder.parents


def relative(folder: pathlib.Path, start: pathlib.Path, prefix: pathlib.Path) -> str | None:
    """The way from `start` to `folder`, if both lie in the prefix and so move together."""
    if not lies_in(folder, prefix) or not lies_in(start, prefix):
        return None
    return os.path.relpath(folder, start)


def pkg_config(folders: Folders, root: pathlib.Path) -> str:
    def path(folder: pathlib.Path) -> str:
        way = relative(folder, folders.libdir / "pkgconfig", folders.prefix)
        way = str(folder) if way is None else f"${{pcfiledir}}/{way}"
        return way.replace(" ", "\\ ")

    return fill("tagheap.pc", {
        "prefix": path(folders.prefix), "libdir": path(folders.libdir),
        "includedir": path(folders.includedir),
        "version": ".".join(map(str, pages.read_version(root)))})


def cmake_config(folders: Folders, root: pathlib.Path) -> str:
    here = folders.libdir / "cmake/tagheap"
    return fill("tagheap-config.cmake", {
        "libdir": relative(folders.libdir, here, folders.prefix) or str(folders.libdir),
        "includedir": relative(folders.includedir, here, folders.prefix) or str(folders.includedir),
        "shared": shared_name(root), "soname": soname(root)})


def cmake_version(made: Made) -> str:
    major, minor, patch = pages.read_version(made.root)
    size = pointer_bytes(made.library / "libtagheap.so")
    return fill("tagheap-config-version.cmake", {
        "version": f"{major}.{minor}.{patch}", "major": str(major), "minor": str(minor),
        "pointer_bytes": str(size), "pointer_bits": str(8 * size)})


# ---- the list ------------------------------------------------------------------------------------


def library_entries(folders: Folders, made: Made, with_text: bool) -> list[Entry]:
    """`with_text`: also what is only known when the library is built."""
    libdir, shared, cmake = folders.libdir, shared_name(made.root), folders.libdir / "cmake/tagheap"
    made_text = cmake_version(made) if with_text else ""
    entries = [
        Entry(libdir / "libtagheap.a", source=made.library / "libtagheap.a"),
        Entry(libdir / "libtagheap-study.a", source=made.library / "libtagheap-study.a"),
        Entry(libdir / shared, source=made.library / "libtagheap.so"),
        Entry(libdir / soname(made.root), link=shared),
        Entry(libdir / "libtagheap.so", link=soname(made.root)),
        Entry(libdir / "pkgconfig/tagheap.pc", text=pkg_config(folders, made.root)),
        Entry(cmake / "tagheap-config.cmake", text=cmake_config(folders, made.root)),
        Entry(cmake / "tagheap-config-version.cmake", text=made_text),
        Entry(folders.docdir / "LICENSE", source=made.root / "LICENSE"),
    ]
    all_headers = pages.read_headers(made.root)
    for header in all_headers:
        name = f"tagheap/{header.name}.h"
        entries.append(Entry(folders.includedir / name, source=made.root / "include" / name))
    for name in pages.library_names(all_headers):
        entries.append(Entry(folders.mandir / "man3" / f"{name}.3",
                             source=made.manual / f"{name}.3"))
    return entries


def heaplab_entries(folders: Folders, made: Made) -> list[Entry]:
    return [Entry(folders.bindir / "heaplab", mode=PROGRAM, source=made.heaplab),
            Entry(folders.mandir / "man1/heaplab.1", source=made.manual / "heaplab.1")]


def own_folders(folders: Folders) -> list[pathlib.Path]:
    """Those that hold nothing but the library's, and go with it."""
    return [folders.includedir / "tagheap", folders.libdir / "cmake/tagheap", folders.docdir]
