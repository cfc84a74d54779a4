# SPDX-License-Identifier: MIT
# Another C library. Left out: heaplab's command line, which needs on_exit, and bench, which needs
# obstacks; crashes are described without frames, as there is no backtrace. Not run: the
# misuse programs, one of which expects what the usual C library does with a foreign pointer.
musl_CC      := musl-gcc
musl_CFLAGS  := -O2 -g1
musl_TESTS   := -O0
musl_GUARD   := 3
musl_ASSERTS := 1
musl_DRIVER  := plain
musl_NEEDS   := musl
musl_WITHOUT := bench/% fuzz/cli/%
musl_RUN     := --examples
