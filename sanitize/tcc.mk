# SPDX-License-Identifier: MIT
# A small compiler that knows no builtins and, without __GNUC__, no attributes: the plain C11 side
# of src/base/compiler.h. Left out: what needs atomics or thread-local variables (the explorer, the
# engines, the recorder, heaplab's command line, test_kept), and what links subjects.c, which needs a
# weak symbol (test_contract, test_shrink). It knows none of our warnings, and does not list what a
# source includes.
tcc_CC       := tcc
tcc_AR       := ar
tcc_CFLAGS   := -g -Werror
tcc_WARNINGS :=
tcc_DEPS     :=
tcc_GUARD    := 3
tcc_ASSERTS  := 1
tcc_DRIVER   := plain
tcc_NEEDS    := tcc
tcc_WITHOUT  := fuzz/explore/% fuzz/cli/% fuzz/engines/% fuzz/targets/% fuzz/record/% bench/% \
	tests/test_explore.c tests/test_kept.c tests/test_contract.c tests/test_shrink.c
tcc_RUN      := --misuse --examples
