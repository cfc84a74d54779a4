#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of bench/ and scripts/bench-alloc, in small sizes. Needs build/release/bench and Valgrind.

  tests/tools/test_bench.py [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import contextlib
import functools
import importlib.machinery
import importlib.util
import io
import subprocess
from pathlib import Path

import tap

TREE = Path(__file__).resolve().parent.parent.parent
SCRIPT = TREE / "scripts" / "bench-alloc"
PROGRAM = TREE / "build" / "release" / "bench"
sys.path.insert(0, str(TREE / "scripts"))


def load_script():
    loader = importlib.machinery.SourceFileLoader("bench_alloc", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_alloc", loader))
    loader.exec_module(module)
    return module


bench_alloc = load_script()


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=280,
                          check=False)


@functools.cache
def table():
    """(exit status, {(name, functions): [instructions, ratio, misses, ratio, memory]}, text) of a
    small run."""
    done = run(SCRIPT, "--quick", "--no-times", PROGRAM)
    known = {(row.name, row.functions) for row in all_rows()}
    rows = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words and (words[0], " ".join(words[7:])) in known:
            rows[words[0], " ".join(words[7:])] = [None if word == "-" else float(word)
                                                   for word in words[1:6]]
    return done.returncode, rows, done.stdout + done.stderr


def all_rows():
    return [row for group in bench_alloc.GROUPS for row in group.rows]


@functools.cache
def cases():
    return run(PROGRAM, "--list").stdout.split()


def figures(name, functions="bench_measure"):
    return table()[1][name, functions]


def misses_ratio(case, beside):
    return figures(case)[2] / figures(beside)[2]


def instructions_ratio(case, beside):
    return figures(case)[0] / figures(beside)[0]


def test_every_budget_holds():
    status, _, text = table()
    assert status == 0, text
    total = sum(len(group.budgets) for group in bench_alloc.GROUPS)
    assert total >= 17 and f"{total} of {total} budgets hold" in text, text


def test_every_case_has_its_row():
    assert {row.case for row in all_rows()} == set(cases())
    expected = {(row.name, row.functions) for row in all_rows() if not row.library and not row.build}
    assert set(table()[1]) == expected, set(table()[1]) ^ expected


def test_linear_allocators_need_20_instructions():
    for name in ("bump", "arena", "frame"):
        assert 0 < figures(f"blocks-{name}", f"th_{name}_alloc")[0] <= 20, name


def test_the_pool_needs_20_and_12_instructions():
    assert 0 < figures("blocks-pool", "th_pool_alloc")[0] <= 20
    assert 0 < figures("blocks-pool", "th_pool_free")[0] <= 12


def test_memory_is_counted_to_a_few_pages():
    # A bump heap adds nothing; the program touches some pages of its own.
    for n in (1, 128, 128 * 100, 128 * 1000):
        words = run(PROGRAM, "blocks-bump", n).stdout.split()
        used, asked = int(words[3]), int(words[4])
        assert asked == 32 * n and asked <= used <= asked + 8 * 4096, (n, words)


def test_libraries_that_are_missing_are_said_once():
    missing = "libnowhere.so.7"
    group = bench_alloc.Group("title", 100, 100, [
        bench_alloc.Row("blocks-malloc", "malloc"),
        bench_alloc.Row("blocks-malloc", "malloc", "preloaded", library=missing, preload=True),
        bench_alloc.Row("blocks-talloc", "talloc_named_const", library=missing)])
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        rows = bench_alloc.measure_group(PROGRAM, group, quick=False, times=False)
    assert [row.name for row in rows] == ["blocks-malloc"], rows
    assert said.getvalue().count("\n") == 1 and f"{missing} is not there" in said.getvalue()


def test_a_tree_costs_less_with_a_pool():
    assert instructions_ratio("tree-pool", "tree-malloc") < 1
    assert instructions_ratio("nodes-pool", "nodes-malloc") < 1
    assert instructions_ratio("pair-pool", "pair-malloc") < 1


def test_a_batch_costs_no_more_than_calls():
    assert instructions_ratio("batch", "calls") <= 1.1
    assert instructions_ratio("array", "calls") <= 0.2


def test_columns_miss_more_than_rows():
    assert misses_ratio("columns", "rows") >= 8


def test_structures_miss_more_than_arrays():
    assert misses_ratio("aos", "soa") >= 2.5


def test_sizes_and_padding_are_reported():
    lines = run(PROGRAM, "--sizes").stdout.splitlines()
    sizes = {name: (int(size), int(alignment))
             for name, size, alignment in (line.split("\t") for line in lines)}
    assert sizes == {"scattered": (12, 4), "ordered": (8, 4), "packed": (6, 1),
                     "one_line": (64, 64)}, sizes
    text = table()[2]
    for name, (size, alignment) in sizes.items():
        assert f"  {name:<15}{size:>8}{alignment:>11}" in text, name


def test_a_cache_line_is_fetched_once():
    assert 0.99 <= figures("line-once")[2] <= 1.05
    assert misses_ratio("line-whole", "line-once") <= 1.01


def test_random_access_misses_more_than_sequential():
    assert misses_ratio("random", "sequential") >= 3


def test_neighbours_in_memory_miss_less():
    assert misses_ratio("list-far", "list-near") >= 3


def test_prefetching_costs_instructions_and_no_misses():
    assert instructions_ratio("prefetch", "random") > 1
    assert misses_ratio("prefetch", "random") <= 1.05


def test_only_live_entities_are_visited():
    assert misses_ratio("entities-live", "entities-flags") <= 0.25


def test_an_exceeded_budget_is_noticed():
    rows = [bench_alloc.Row("first"), bench_alloc.Row("second")]
    rows[0].instructions, rows[1].instructions = 10.0, 20.0
    budget = bench_alloc.Budget
    assert budget("first", "instructions", at_most=9).problem(rows)
    assert budget("first", "instructions", at_least=11).problem(rows)
    assert budget("second", "instructions", beside="first", at_most=1.9).problem(rows)
    assert budget("second", "instructions", beside="first", at_least=2.1).problem(rows)
    assert budget("second", "instructions", beside="first", at_most=2, at_least=2).problem(
        rows) is None
    assert budget("first", "instructions", at_most=10, at_least=10).problem(rows) is None


def test_what_cannot_be_measured_is_said():
    for command, words in (([SCRIPT, "/nowhere/bench"], "does not exist"),
                           ([SCRIPT, "--quick", "/bin/false"], "exit status 1"),
                           ([SCRIPT, "--quick", "/bin/true"], "never saw malloc"),
                           ([PROGRAM, "nothing", "3"], "usage"), ([PROGRAM, "rows", "0"], "usage"),
                           ([PROGRAM, "rows", "3x"], "usage"), ([PROGRAM], "usage")):
        done = run(*command)
        assert done.returncode == 2 and words in done.stderr, (command, done)


if __name__ == "__main__":
    sys.exit(tap.main(sys.modules[__name__]))
