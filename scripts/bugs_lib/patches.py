# SPDX-License-Identifier: MIT
"""The planted bugs: fuzz/bugs/*.patch, each a description and a diff (fuzz/bugs/README.md)."""

import hashlib
import pathlib
import re
from typing import Iterable, NamedTuple, Sequence

from common_lib.script import SetupError
from fuzz_lib import plant, program

FOLDER = pathlib.PurePath("fuzz/bugs")
REQUIRED = ("Bug", "Why", "Area")
OPTIONAL = ("History", "Survives", "Property", "Threads", "Trigger")
DIFF = re.compile(r"^--- ", re.MULTILINE)
TOUCHED = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)
SUBJECT = re.compile(r"(src|include)/")  # what is checked; the rest of the tree checks it
AREA = re.compile(r"src/[a-z]+|heaplab\b.*")

# What a bug in these files is fuzzed with; else its area says it, and elsewhere the target heap sees
# it.
TARGETS = (
    ("src/heap/classic.c", "classic"), ("src/resource/handles.c", "handles"),
    ("src/resource/handles_compact.c", "handles"), ("src/resource/handles.h", "handles"),
    ("src/resource/tag_totals.c", "handles"), ("src/heap/event.c", "handles"),
    ("src/resource/cache.c", "cache"), ("src/resource/cache_order.c", "cache"),
    ("src/heap/freeze.c", "resources"),
)
AREA_TARGETS = {"src/alloc": "subjects", "src/os": "resources", "src/resource": "resources",
                "src/study": "subjects"}


class Bug(NamedTuple):
    name: str
    path: pathlib.Path
    what: str
    why: str
    area: str
    history: str
    survives: str  # the reason; empty: it must be found
    fails: str  # the property that must; empty: any
    threads: str  # why one thread that plays scripts cannot see it; empty: it can
    trigger: str  # C: when the changed lines do what the others would not; empty: not stated
    touched: tuple[str, ...]  # files
    digest: str

    @property
    def in_heaplab(self) -> bool:
        return self.area.startswith("heaplab")

    @property
    def target(self) -> str:
        """The fuzz target that must find it."""
        for path, target in TARGETS:
            if self.touched == (path,):
                return target
        return AREA_TARGETS.get(self.area, "heap")


def field(head: str, name: str, shown: str) -> str:
    found: list[str] = re.findall(rf"^{name}:[ \t]*(.*?)[ \t]*$", head, re.MULTILINE)
    if len(found) > 1:
        raise SetupError(f"{shown}: {len(found)} lines '{name}: ...' where one is enough")
    if found and not found[0]:
        raise SetupError(f"{shown}: the line '{name}:' says nothing")
    if not found and name in REQUIRED:
        raise SetupError(f"{shown}: needs a line '{name}: ...' (see {FOLDER}/README.md)")
    return found[0] if found else ""


def read(root: pathlib.Path, path: pathlib.Path) -> Bug:
    """SetupError if the file is no bug."""
    shown = program.shown(path, root)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SetupError(f"{shown}: cannot be read: {reason}") from None
    start = DIFF.search(text)
    touched = tuple(TOUCHED.findall(text))
    if start is None or not touched:
        raise SetupError(f"{shown}: holds no diff with a/ and b/ in front of the names")
    head = text[: start.start()]
    fields = {name: field(head, name, shown) for name in REQUIRED + OPTIONAL}
    area = fields["Area"]
    if not AREA.fullmatch(area):
        raise SetupError(f"{shown}: Area: {area}: write src/FOLDER, or heaplab")
    in_subject = [bool(SUBJECT.match(name)) for name in touched]
    if any(in_subject) if area.startswith("heaplab") else not all(in_subject):
        raise SetupError(f"{shown}: Area: {area}, but it changes {', '.join(touched)}")
    return Bug(path.stem, path, fields["Bug"], fields["Why"], area, fields["History"],
               fields["Survives"], fields["Property"], fields["Threads"], fields["Trigger"],
               touched, hashlib.sha256(text.encode()).hexdigest())


def read_all(root: pathlib.Path) -> list[Bug]:
    """All bugs, by name; SetupError if there is none, or one is not well formed."""
    paths = sorted((root / FOLDER).glob("*.patch"), key=lambda path: path.stem)
    if not paths:
        raise SetupError(f"{FOLDER} holds no *.patch")
    return [read(root, path) for path in paths]


def check_apply(root: pathlib.Path, bugs: Iterable[Bug]) -> None:
    """Every patch must apply to the tree; SetupError names the first one that does not."""
    for bug in bugs:
        plant.apply_patch(root, root, bug.path, dry=True)


def sample(bugs: Sequence[Bug], count: int, salt: str) -> list[Bug]:
    """`count` bugs, other ones for another salt, spread over the whole list."""
    count = min(count, len(bugs))
    start = int(hashlib.sha256(salt.encode()).hexdigest(), 16) % len(bugs)
    places = {(start + i * len(bugs) // count) % len(bugs) for i in range(count)}
    return [bugs[place] for place in sorted(places)]
