# SPDX-License-Identifier: MIT
# A big-endian machine: what of the debug variant runs under qemu's user mode. Left out are suites
# that ask the system for what only a kernel does: refusals, rights of no pages, single steps.
s390x_CC      := s390x-linux-gnu-gcc
s390x_AR      := s390x-linux-gnu-ar
s390x_CFLAGS  := -O1 -g
s390x_GUARD   := 3
s390x_ASSERTS := 1
s390x_DRIVER  := plain
s390x_NEEDS   := s390x
s390x_WRAP    := qemu-s390x -L /usr/s390x-linux-gnu
s390x_WITHOUT := fuzz/record/% bench/% tests/test_kept.c tests/test_pages.c tests/test_worst.c
s390x_RUN     := --foreign --timeout 900
