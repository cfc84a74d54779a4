# SPDX-License-Identifier: MIT
# A small compiler that knows no builtins and, without __GNUC__, no attributes: the plain C11 side
# of src/base/compiler.h. Left out: what needs atomics or thread-local variables (the explorer, the
# engines, the recorder, heaplab's command line, test_kept), and what needs a weak symbol
# (subjects.c, so test_contract and test_shrink; counts of basic blocks, so fuzz/worst and
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
tcc_WITHOUT  := fuzz/explore/% fuzz/cli/% fuzz/engines/% fuzz/targets/% fuzz/record/% fuzz/worst/% \
	bench/% tests/test_explore.c tests/test_kept.c tests/test_contract.c tests/test_shrink.c \
	tests/test_worst.c
tcc_RUN      := --misuse --examples
