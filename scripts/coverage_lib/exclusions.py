# SPDX-License-Identifier: MIT
"""The list of places that nothing can cover, each with its proof.

A row excludes one place, by what stands there and not by where it stands: kind, file, function,
text, proof, separated by tabs. A row that no longer excludes anything is itself a failure."""

import pathlib
from collections import Counter
from typing import NamedTuple

from common_lib.script import SetupError
from coverage_lib.places import KINDS, Place

PROOF_LENGTH_MIN = 20  # less is no proof
Key = tuple[str, str, str, str]  # what a row must say to exclude a place


class Row(NamedTuple):
    number: int  # of its line
    kind: str
    file: str
    function: str
    text: str
    proof: str


def read(path: pathlib.Path) -> list[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if line == "" or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 5 or "" in (field.strip() for field in fields):
            raise SetupError(f"{path}:{number}: needs 5 fields separated by tabs: kind, file, "
                          "function, text, proof")
        if fields[0] not in KINDS:
            raise SetupError(f"{path}:{number}: no kind '{fields[0]}'; there are {', '.join(KINDS)}")
        if len(fields[4].strip()) < PROOF_LENGTH_MIN:
            raise SetupError(f"{path}:{number}: the proof is too short to be one")
        rows.append(Row(number, *fields))
    return rows


def key_of(place: Place) -> Key:
    """What a row must say to exclude the place."""
    return place.kind, place.file, place.function, place.text


def check(rows: list[Row], uncovered: list[Place],
          everything: list[Place]) -> tuple[list[Place], list[str]]:
    """(places that no row excludes, what is wrong with rows). The text of a row must name its place
    without doubt: it may stand several times in the function only if none of those is covered, and
    then each needs a row."""
    wanted = Counter(map(key_of, uncovered))
    existing = Counter(map(key_of, everything))
    given = Counter((row.kind, row.file, row.function, row.text) for row in rows)
    wrong = []
    excluded = set()
    for key, rows_given in given.items():
        numbers = [row.number for row in rows if tuple(row[1:5]) == key]
        where = "line " + ", ".join(map(str, numbers))
        what = f"{key[0]}: {key[1]}: {key[2]}: {key[3]}"
        if existing[key] == 0:
            wrong.append(f"{where}: no such place is left: {what}")
        elif wanted[key] == 0:
            wrong.append(f"{where}: this is covered now, take the row out: {what}")
        elif wanted[key] != existing[key]:
            wrong.append(f"{where}: the text stands {existing[key]} times in the function, "
                         f"{wanted[key]} of them uncovered; word the code differently: {what}")
        elif rows_given != wanted[key]:
            wrong.append(f"{where}: {wanted[key]} such places need {wanted[key]} rows, "
                         f"there are {rows_given}: {what}")
        else:
            excluded.add(key)
    return [place for place in uncovered if key_of(place) not in excluded], wrong
