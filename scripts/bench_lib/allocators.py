# SPDX-License-Identifier: MIT
"""What the companion allocators and layouts of data cost, beside their natural peers: groups of
rows, each compared with its first one, and budgets."""

import sys
from pathlib import Path
from typing import Optional, Sequence

from bench_lib import measuring
from bench_lib.measuring import APR, JEMALLOC, MIMALLOC, TALLOC, Budget, Group, Row


def mallocs(script: str, functions: str) -> list[Row]:
    """The C library's, and those that take its place."""
    case = f"{script}-malloc"
    return [Row(case, functions),
            Row(case, functions, f"{script}-mimalloc", library=MIMALLOC, preload=True),
            Row(case, functions, f"{script}-jemalloc", library=JEMALLOC, preload=True)]


SLABS = ("slab", "classes")

GROUPS = [
    Group("blocks: one of n allocations of 32 bytes", 20000, 2000,
          [*mallocs("blocks", "malloc"), Row("blocks-obstack", "stack_alloc"),
           Row("blocks-talloc", "talloc_named_const", library=TALLOC),
           Row("blocks-apr", "apr_palloc", library=APR), Row("blocks-bump", "th_bump_alloc"),
           Row("blocks-arena", "th_arena_alloc"), Row("blocks-region", "th_region_alloc"),
           Row("blocks-frame", "th_frame_alloc"), Row("blocks-fifo", "th_fifo_alloc"),
           Row("blocks-pool", "th_pool_alloc"),
           Row("blocks-concurrent_pool", "th_concurrent_pool_alloc"),
           Row("blocks-static_pool", "th_pool_alloc"), Row("blocks-slab", "th_slab_alloc"),
           Row("blocks-classes", "th_classes_alloc"), Row("blocks-buddy", "th_buddy_alloc")],
          [*(Budget(f"blocks-{name}", "instructions", at_most=20)
             for name in ("bump", "arena", "frame", "pool")),
           *(Budget(f"blocks-{name}", "instructions", at_most=40) for name in SLABS)],
          memory_n=200000),
    Group("blocks: freeing it afterwards, in the order of allocation", 20000, 2000,
          [*mallocs("blocks", "free"), Row("blocks-talloc", "_talloc_free", library=TALLOC),
           Row("blocks-fifo", "th_fifo_free"), Row("blocks-pool", "th_pool_free"),
           Row("blocks-concurrent_pool", "th_concurrent_pool_free"),
           Row("blocks-static_pool", "th_pool_free"),
           Row("blocks-slab", "th_slab_free"), Row("blocks-classes", "th_classes_free"),
           Row("blocks-buddy", "th_buddy_free")],
          [Budget("blocks-pool", "instructions", at_most=12),
           *(Budget(f"blocks-{name}", "instructions", at_most=40) for name in SLABS)]),
    Group("mixed: a block of 16 to 2,048 bytes freed and another one made, n / 80 at a time",
          20000, 4000,
          [*mallocs("mixed", "malloc free"),
           Row("mixed-talloc", "talloc_named_const _talloc_free", library=TALLOC),
           Row("mixed-classes", "th_classes_alloc th_classes_free"),
           Row("mixed-buddy", "th_buddy_alloc th_buddy_free"),
           Row("mixed-heap", "th_heap_alloc th_heap_free")], memory_n=20000),
    Group("phase: a block of 32 bytes, in phases of 64 that begin and end", 20000, 2048,
          [*mallocs("phase", "malloc free"),
           Row("phase-obstack", "stack_begin stack_alloc stack_finish"),
           Row("phase-talloc", "talloc_named_const _talloc_free", library=TALLOC),
           Row("phase-apr", "apr_pool_create_ex apr_palloc apr_pool_destroy", library=APR),
           Row("phase-arena", "th_arena_take_mark th_arena_alloc th_arena_rollback"),
           Row("phase-region", "th_region_create th_region_alloc th_region_destroy"),
           Row("phase-frame", "th_frame_alloc th_frame_flip")]),
    Group("grow: one block grows by 32 bytes, n times", 20000, 2000,
          [*mallocs("grow", "realloc"), Row("grow-obstack", "stack_grow"),
           Row("grow-hybrid", "th_hybrid_resize")], memory_n=200000),
    Group("big: a block of 256 KiB, made and freed, n at a time", 64, 8,
          [*mallocs("big", "malloc free"), Row("big-large", "th_large_alloc th_large_free"),
           Row("big-classes", "th_classes_alloc th_classes_free")],
          [Budget("big-large", "instructions", beside="big-malloc", at_most=1)], memory_n=64),
    Group("wide: a block of 16 bytes to 256 KiB freed and another one made, n / 80 at a time",
          4000, 800,
          [*mallocs("wide", "malloc free"), Row("wide-large", "th_large_alloc th_large_free"),
           Row("wide-classes", "th_classes_alloc th_classes_free")], memory_n=4000),
    Group("guard levels of slabs: a block of 32 bytes made, and freed", 20000, 2000,
          [Row("blocks-slab", "th_slab_alloc th_slab_free", "no-guards-slab"),
           *(Row(f"blocks-{name}", "th_slab_alloc th_slab_free", build="guarded")
             for name in ("slab", "slab_guard1"))]),
    Group("guard levels of size classes: a block of 16 to 2,048 bytes in place of another one",
          20000, 4000,
          [Row("mixed-classes", "th_classes_alloc th_classes_free", "no-guards-classes"),
           *(Row(f"mixed-{name}", "th_classes_alloc th_classes_free", build="guarded")
             for name in ("classes", "classes_guard1"))]),
    Group("one block made and freed at once, again and again", 20000, 2000,
          [Row("pair-malloc"), Row("pair-pool")],
          [Budget("pair-pool", "instructions", beside="pair-malloc", at_most=1)]),
    Group("a node of a list: create, link, destroy", 20000, 2000,
          [Row("nodes-malloc"), Row("nodes-pool")],
          [Budget("nodes-pool", "instructions", beside="nodes-malloc", at_most=0.8)]),
    Group("a node of a search tree: create, find its place, destroy", 20000, 2000,
          [Row("tree-malloc"), Row("tree-pool")],
          [Budget("tree-pool", "instructions", beside="tree-malloc", at_most=1)]),
    Group("64 objects of malloc's: one call each, one batch, one array", 20000, 2048,
          [Row("calls"), Row("batch"), Row("array")],
          [Budget("batch", "instructions", beside="calls", at_most=1.1),
           Budget("array", "instructions", beside="calls", at_most=0.2)]),
    Group("a cell of a matrix of n x n: by rows, by columns", 700, 600,
          [Row("rows", square=True), Row("columns", square=True)],
          [Budget("columns", "misses", beside="rows", at_least=8)]),
    Group("one coordinate of a point: array of structures, structure of arrays", 200000, 20000,
          [Row("aos"), Row("soa")],
          [Budget("soa", "misses", beside="aos", at_most=0.4)]),
    Group("an element of an array: in order, at random, at random with prefetch", 100000, 20000,
          [Row("sequential"), Row("random"), Row("prefetch")],
          [Budget("random", "misses", beside="sequential", at_least=3)]),
    Group("a node of a list: neighbours in memory, anywhere", 100000, 20000,
          [Row("list-near"), Row("list-far")],
          [Budget("list-far", "misses", beside="list-near", at_least=3)]),
    Group("a cache line: one byte of it, all 64", 20000, 2000,
          [Row("line-once"), Row("line-whole")],
          [Budget("line-once", "misses", at_least=0.99),
           Budget("line-whole", "misses", beside="line-once", at_most=1.01)]),
    Group("a live entity, where 1 of 16 lives: th_pool_next, an array with flags", 4000, 1000,
          [Row("entities-flags"), Row("entities-live")],
          [Budget("entities-live", "misses", beside="entities-flags", at_most=0.25)]),
]


def column(value: Optional[float], width: int, digits: int = 2) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.{digits}f}"


def print_group(group: Group, rows: Sequence[Row]) -> None:
    print(f"\n{group.title}")
    print(f"  {'case':<19}{'instructions':>12}{'ratio':>8}{'L1 misses':>11}{'ratio':>8}"
          f"{'memory':>8}{'time ratio':>12}  counted in")
    first = rows[0]
    for row in rows:
        misses_ratio = row.misses / first.misses if first.misses >= 0.0001 else None
        time_ratio = row.seconds / first.seconds if row.seconds and first.seconds else None
        print(f"  {row.name:<19}" + column(row.instructions, 12) +
              column(row.instructions / first.instructions, 8) + column(row.misses, 11, 4) +
              column(misses_ratio, 8) + column(row.memory, 8) + column(time_ratio, 12) +
              f"  {row.functions}")


def print_sizes(program: Path) -> None:
    print("\nsizes of three fields (4 bytes, 1 and 1) in other orders; checked at compile time")
    print(f"  {'structure':<15}{'bytes':>8}{'alignment':>11}")
    for line in measuring.run([str(program), "--sizes"]).splitlines():
        name, size, alignment = line.split("\t")
        print(f"  {name:<15}{size:>8}{alignment:>11}")


def measure_all(program: Path, quick: bool, times: bool) -> list[str]:
    """The budgets that do not hold, in words."""
    print("per operation: callgrind's instructions and first-level data cache misses; memory used "
          "for each byte" + ("; processor time" if times else ""))
    problems = []
    for group in GROUPS:
        rows = measuring.measure_group(program, group, quick, times)
        print_group(group, rows)
        found = [budget.problem(rows) for budget in group.budgets]
        for problem in (each for each in found if each):
            print(f"  OVER BUDGET: {problem}")
            problems.append(problem)
        sys.stdout.flush()
    print_sizes(program)
    budgets = sum(len(group.budgets) for group in GROUPS)
    print(f"\n{budgets - len(problems)} of {budgets} budgets hold")
    return problems
