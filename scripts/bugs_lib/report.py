# SPDX-License-Identifier: MIT
"""What came out: the figures, and the tables as text, TSV and Markdown. A row is what is known of
one bug: a dictionary with the bug's name, area, what and survives, and with answers, which has the
fields of an Answer for each oracle that was asked."""

import statistics
import time
from typing import Any, Iterable, NamedTuple, Optional, Sequence

FUZZER = "libfuzzer"  # what "by fuzzing alone" means: `make fuzz`'s engine, from an empty corpus
FOUND_BY_FUZZING_MIN = 95  # percent of the bugs in the library
MEDIAN_MAX, WORST_MAX = 1.0, 60.0  # seconds
Answer = dict[str, Any]  # an Answer's fields
Row = dict[str, Any]


class Figures(NamedTuple):
    bugs: int
    found: int  # by anything
    survivors: list[str]  # names of those that say why
    missed: list[str]  # names of those that do not
    library: int  # bugs in the library
    fuzzed: list[str]  # names of those that fuzzing found
    unfuzzed: list[str]
    median: Optional[float]  # seconds of fuzzing to a bug; None: none was found
    worst: Optional[float]
    length: Optional[float]  # the median length of a shrunken script; None: there is none
    lengths: int
    by_oracle: dict[tuple[bool, str], tuple[int, int]]  # (in heaplab?, oracle) -> (found, asked)


def finders(row: Row) -> list[str]:
    return [name for name, answer in row["answers"].items() if answer["found"]]


def in_heaplab(row: Row) -> bool:
    return str(row["area"]).startswith("heaplab")


def figure(rows: Sequence[Row]) -> Figures:
    found = [row["name"] for row in rows if finders(row)]
    lost = [row for row in rows if not finders(row)]
    library = [row for row in rows if not in_heaplab(row)]
    asked = [row for row in library if FUZZER in row["answers"]]
    hits = [row for row in asked if row["answers"][FUZZER]["found"]]
    seconds = [row["answers"][FUZZER]["seconds"] for row in hits]
    worst = [row["answers"][FUZZER]["worst"] or row["answers"][FUZZER]["seconds"] for row in hits]
    lengths = [row["answers"][FUZZER]["shrunk"] for row in hits]
    lengths = [length for length in lengths if length is not None]
    by_oracle: dict[tuple[bool, str], tuple[int, int]] = {}
    for row in rows:
        for name, answer in row["answers"].items():
            hit, all_of_it = by_oracle.get((in_heaplab(row), name), (0, 0))
            by_oracle[in_heaplab(row), name] = (hit + bool(answer["found"]), all_of_it + 1)
    return Figures(
        len(rows), len(found),
        [row["name"] for row in lost if row["survives"]],
        [row["name"] for row in lost if not row["survives"]],
        len(asked), [row["name"] for row in hits],
        [row["name"] for row in asked if row not in hits],
        statistics.median(seconds) if seconds else None, max(worst) if worst else None,
        statistics.median(lengths) if lengths else None, len(lengths), by_oracle)


def percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


def shortfalls(figures: Figures, whole: bool, curves: bool) -> list[str]:
    """Why this is not good enough, as sentences. Of a part of the bugs only that each is found is
    asked; of curves, which no other oracle is asked for, only what fuzzing comes to."""
    wrong = []
    if figures.missed and not curves:
        wrong.append(f"found by nothing: {', '.join(figures.missed)}")
    if not (whole or curves) or not figures.library:
        return wrong
    share = percent(len(figures.fuzzed), figures.library)
    if share < FOUND_BY_FUZZING_MIN:
        wrong.append(f"fuzzing alone finds {share:.1f} %, {FOUND_BY_FUZZING_MIN} % is the least")
    if figures.median is not None and figures.median > MEDIAN_MAX:
        wrong.append(f"fuzzing takes {figures.median:.2f} s (median), {MEDIAN_MAX:.0f} s at most")
    if figures.worst is not None and figures.worst > WORST_MAX:
        wrong.append(f"fuzzing takes {figures.worst:.1f} s (worst), {WORST_MAX:.0f} s at most")
    return wrong


# ---- text


def show_seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"


def show_operations(number: int) -> str:
    if number < 10_000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def cell(answer: Optional[Answer]) -> str:
    """OPERATIONS/SECONDS of a finding; '-': asked, and it found nothing; empty: not asked."""
    if answer is None:
        return ""
    if not answer["found"]:
        return "-"
    seconds = show_seconds(answer["seconds"])
    operations = answer["operations"]
    return seconds if operations is None else f"{show_operations(operations)}/{seconds}"


def shrunk_of(row: Row) -> str:
    answer = row["answers"].get(FUZZER)
    return "" if answer is None or answer["shrunk"] is None else str(answer["shrunk"])


def heading(oracles: Iterable[str]) -> str:
    return "{:<30} ".format("bug") + "".join(f"{name:>11} " for name in oracles) + " script"


def library_line(row: Row, oracles: Iterable[str]) -> str:
    cells = "".join(f"{cell(row['answers'].get(name)):>11} " for name in oracles)
    return f"{row['name']:<30} {cells} {shrunk_of(row):>6}"


def heaplab_line(row: Row) -> str:
    by = finders(row)
    how = "nothing"
    if by:
        answer = row["answers"][by[0]]
        how = f"{by[0]:<8} {show_seconds(answer['seconds']):>6}  {answer['what']}"
    return f"{row['name']:<30} {how}"


def summary(figures: Figures, first: bool) -> list[str]:
    """`first`: each bug was asked for up to the first oracle that noticed it, so that of fuzzing
    nothing follows."""
    lines = [f"found: {figures.found}/{figures.bugs} "
             f"({percent(figures.found, figures.bugs):.1f} %)"]
    if figures.library and not first:
        lines.append(
            f"by fuzzing alone (libFuzzer, one core, empty corpus): {len(figures.fuzzed)}/"
            f"{figures.library} ({percent(len(figures.fuzzed), figures.library):.1f} %)")
    if figures.median is not None and not first:
        lines.append(f"seconds of fuzzing to a bug: median {figures.median:.2f}, "
                     f"worst {figures.worst:.2f}")
    if figures.length is not None and not first:
        lines.append(f"shrunken scripts: {figures.lengths}, median {figures.length:g} operations")
    for where, words in ((False, "in the library"), (True, "in heaplab")):
        counts = [f"{name} {hit}/{asked}" for (lab, name), (hit, asked) in figures.by_oracle.items()
                  if lab == where]
        if counts:
            lines.append(f"{words}: {', '.join(counts)}")
    if figures.unfuzzed and not first:
        lines.append(f"not found by fuzzing alone: {', '.join(figures.unfuzzed)}")
    return lines


def survivors(rows: Iterable[Row]) -> list[str]:
    return [f"survives: {row['name']}: {row['survives']}" for row in rows
            if row["survives"] and not finders(row)]


# ---- files


def tsv(rows: Iterable[Row], oracles: Sequence[str]) -> str:
    names = ["bug", "area", "found_by"]
    for name in oracles:
        names += [f"{name}_found", f"{name}_seconds", f"{name}_operations", f"{name}_what"]
    lines = [[*names, "fuzzed_worst_seconds", "fuzzed_executions", "shrunken_operations"]]
    for row in rows:
        line = [row["name"], row["area"], ",".join(finders(row))]
        for name in oracles:
            answer = row["answers"].get(name)
            line += ["", "", "", ""] if answer is None else [
                "yes" if answer["found"] else "no", f"{answer['seconds']:.3f}",
                answer["operations"], answer["what"]]
        fuzzed = row["answers"].get(FUZZER) or {}
        line += [fuzzed.get(name) for name in ("worst", "executions", "shrunk")]
        lines.append(line)
    clean = [["" if word is None else str(word).replace("\t", " ") for word in line]
             for line in lines]
    return "".join("\t".join(line) + "\n" for line in clean)


def table(names: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names),
            *("| " + " | ".join(line) + " |" for line in lines)]


def escape(text: str) -> str:
    return text.replace("|", "\\|")


def markdown(rows: Sequence[Row], oracles: Sequence[str], figures: Figures, settings: str,
             machine: str, first: bool) -> str:
    """docs/bugs.md. `first`: as of summary."""
    library = [row for row in rows if not in_heaplab(row)]
    lab = [row for row in rows if in_heaplab(row)]
    oracles_asked = ("the oracles for it, up to the first that notices it, in this order: "
                     f"{', '.join(oracles)}. `make bugs` asks every one."
                     if first else "every oracle for it.")
    command = " BUGS=--first" if first else ""
    lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "<!-- Written by `make bugs`: do not edit. -->",
        "# What finds which bug", "",
        f"`make bugs{command}` plants each mistake of "
        f"[fuzz/bugs/](../fuzz/bugs/README.md) in a copy of the tree and asks {oracles_asked}", "",
        f"Measured on {time.strftime('%Y-%m-%d')}, {machine}; {settings}.", "",
        *(f"- {line}" for line in summary(figures, first) + survivors(rows)), "",
        "## Bugs in the library", "",
        *(first_of(library) if first else all_of(library, oracles)), "",
        "## Bugs in heaplab", "",
        "Who notices first that a checker is broken, and by what. The checkers are asked in this "
        "order: the suites; the replays and their number; a short fuzzing job, which must find "
        "nothing and finds out when part of it is dead; the mistakes of `make properties`, which "
        "must still be found; the scripts' own tests (these first for bugs in scripts).", "",
        *table(["bug", "found by", "seconds", "by what"],
               [[f"{row['name']}: {escape(row['what'])}", *first_cells(row)]
                for row in lab]), "",
    ]
    return "\n".join(lines)


def all_of(library: Iterable[Row], oracles: Sequence[str]) -> list[str]:
    return ["Operations / seconds up to the finding, without the build; for the explorer "
            "transitions; for the suites and AFL++ seconds only. `-`: asked, and found nothing. "
            "Sanitizers and Valgrind are asked alone: scripts without the model, at guard level 0. "
            "`script`: operations of the shrunken script. libFuzzer: the median of its runs.", "",
            *table(["bug", "where", *oracles, "script"],
                   [[f"{row['name']}: {escape(row['what'])}", row["area"],
                     *(cell(row["answers"].get(name)) for name in oracles), shrunk_of(row)]
                    for row in library])]


def first_of(library: Iterable[Row]) -> list[str]:
    return ["Seconds up to the finding, without the build.", "",
            *table(["bug", "where", "found by", "seconds", "by what"],
                   [[f"{row['name']}: {escape(row['what'])}", row["area"], *first_cells(row)]
                    for row in library])]


def first_cells(row: Row) -> list[str]:
    by = finders(row)
    if not by:
        return ["nothing", "", ""]
    answer = row["answers"][by[0]]
    return [by[0], show_seconds(answer["seconds"]), escape(answer["what"])]
