# SPDX-License-Identifier: MIT
# A small compiler that knows no builtins and, without __GNUC__, no attributes: the plain C11 side
# of src/base/compiler.h. Left out: what needs atomics or thread-local variables (the explorer, the
# engines, the recorder, heaplab's command line, test_kept, test_spin, actors, the suites of what is lock-free, which
# cannot be started there), and what needs a weak symbol
# (subjects.c, so test_contract, test_contract_tags, test_film and test_shrink; counts of basic blocks, so fuzz/worst and
# test_worst). It knows none of our warnings, and does not list what a source includes.
tcc_CC       := tcc
tcc_AR       := ar
tcc_CFLAGS   := -g -Werror
tcc_WARNINGS :=
tcc_DEPS     :=
tcc_GUARD    := 3
tcc_ASSERTS  := 1
tcc_DRIVER   := plain
tcc_NEEDS    := tcc
tcc_WITHOUT  := fuzz/explore/% fuzz/synthesis/% fuzz/cli/% fuzz/engines/% fuzz/targets/% fuzz/record/% fuzz/worst/% \
	bench/% tests/test_explore.c tests/test_kept.c tests/test_contract.c tests/test_contract_tags.c tests/test_shrink.c \
	tests/test_worst.c tests/test_spin.c tests/test_concurrent_% tests/test_thread_cache.c \
	fuzz/actors/% tests/test_actors.c tests/test_film.c tests/test_synthesis.c
tcc_RUN      := --misuse --examples
