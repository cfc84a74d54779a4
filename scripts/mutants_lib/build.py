# SPDX-License-Identifier: MIT
"""Builds what mutants run in: the objects of a variant that is built already, with one of the
library replaced by the file that holds all of its mutants."""

import pathlib
import re
import shlex
import shutil
import subprocess
from typing import NamedTuple, Sequence

from common_lib.script import KEEPER, SetupError

LIBRARIES = ("libtagheap-study.a", "libtagheap.a")  # in the order in which they are linked
SWITCH = """\
#include <stdlib.h>
int th_mutant;
__attribute__((constructor)) static void choose_mutant(void) {
    const char *text = getenv("TH_MUTANT");
    th_mutant = text != NULL ? atoi(text) : 0;
}
"""


class Variant(NamedTuple):
    name: str
    compiler: str
    flags: list[str]
    link_flags: list[str]
    libraries: list[str]
    environment: dict[str, str]


def read_variant(root: pathlib.Path, name: str) -> Variant:
    """From what its build has noted and sanitize/NAME.mk."""
    try:
        lines = (root / "build" / name / "flags").read_text(encoding="utf-8").split("\n")
        text = (root / "sanitize" / f"{name}.mk").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SetupError(f"the variant {name} is not built: make build-{name}") from None
    fields = dict(re.findall(rf"^{name}_(\w+) *:?= *(.*)$", text, re.MULTILINE))
    environment = dict(word.split("=", 1) for word in shlex.split(fields.get("ENV", "")))
    return Variant(name, fields["CC"], shlex.split(lines[2]), shlex.split(lines[3]),
                   ["-lcmocka"] if fields.get("DRIVER") == "cmocka" else [], environment)


def run(command: Sequence[object], what: str, root: pathlib.Path) -> str:
    ended = KEEPER.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       cwd=root)
    if ended.status != 0:
        lines = [line for line in ended.output.split("\n") if "error" in line] or [ended.output]
        raise SetupError(f"{what}: {lines[0].strip()[:300]}")
    return str(ended.output)


def assembly(variant: Variant, source: pathlib.Path, number: int, root: pathlib.Path) -> bytes:
    """What the optimizing compiler makes of the file with that mutant alone; 0: with none. Empty:
    it does not compile."""
    ended = KEEPER.run([variant.compiler, *variant.flags, "-w", "-O2", "-g0", "-S",
                        f"-DTH_MUTANT_ONLY={number}", source, "-o", "-"], cwd=root,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return bytes(ended.output) if ended.status == 0 else b""


class Linker:
    """Links programs of the variant with the planted file in place of `file`, each when it is
    asked for."""

    def __init__(self, variant: Variant, root: pathlib.Path, file: pathlib.Path,
                 planted: pathlib.Path, folder: pathlib.Path) -> None:
        self.variant, self.root, self.folder = variant, root, folder
        self.built = root / "build" / variant.name
        folder.mkdir(parents=True, exist_ok=True)
        switch = folder / "switch.c"
        switch.write_text(SWITCH, encoding="utf-8")
        objects = []
        for source, name in ((planted, file.stem), (switch, "switch")):
            objects.append(folder / f"{name}.o")
            run([variant.compiler, *variant.flags, "-w", "-c", source, "-o", objects[-1]],
                f"{file} with its mutants", root)
        name = LIBRARIES[0 if file.parent.name == "study" else 1]
        library = folder / name
        shutil.copyfile(self.built / name, library)
        run(["ar", "r", library, objects[0]], str(library), root)
        self.libraries: list[pathlib.Path] = [
            self.built / "libheaplab.a", *(library if library.name == each else self.built / each
                                           for each in LIBRARIES), objects[1]]

    def suites(self) -> list[str]:
        return sorted(path.stem for path in (self.built / "obj" / "tests").glob("test_*.o")
                      if (self.root / "tests" / f"{path.stem}.c").exists())

    def targets(self) -> list[str]:
        return sorted(path.stem for path in (self.built / "obj" / "fuzz" / "targets").glob("*.o"))

    def link(self, name: str) -> pathlib.Path:
        """A suite, or replay_TARGET."""
        program, objects = self.folder / name, self.built / "obj"
        if name.startswith("replay_"):
            engines = [item for item in sorted((objects / "fuzz" / "engines").glob("*.o"))
                       if item.stem not in ("libfuzzer", "afl")]
            target = name[len("replay_"):]
            parts = [objects / "fuzz" / "targets" / f"{target}.o", *engines, *self.libraries]
        else:
            drivers = sorted((objects / "tests").glob("driver_c*.o"))
            parts = [objects / "tests" / f"{name}.o", *drivers, self.built / "libtests.a",
                     *self.libraries]
        system = [] if name.startswith("replay_") else self.variant.libraries
        run([self.variant.compiler, *self.variant.link_flags, *parts, *system, "-o", program],
            str(program), self.root)
        return program
