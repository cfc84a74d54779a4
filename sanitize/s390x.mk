# SPDX-License-Identifier: MIT
# A big-endian machine: what of the debug variant runs under qemu's user mode. Left out are suites
# that ask the system for what only a kernel does: refusals, rights of no pages, single steps.
# Compiled by clang, which is for all machines: gcc's cross compilers and gcc-multilib, which the m32
# variant needs, cannot be installed together.
s390x_ROOT    := /usr/s390x-linux-gnu
s390x_CC      := clang --target=s390x-linux-gnu
s390x_AR      := s390x-linux-gnu-ar
s390x_CFLAGS  := -O1 -g1 -isystem $(s390x_ROOT)/include
s390x_LDFLAGS := -L$(s390x_ROOT)/lib
s390x_GUARD   := 3
s390x_ASSERTS := 1
s390x_DRIVER  := plain
s390x_NEEDS   := s390x
s390x_WRAP    := qemu-s390x -L $(s390x_ROOT)
s390x_WITHOUT := fuzz/record/% bench/% tests/test_kept.c tests/test_pages.c tests/test_worst.c
s390x_RUN     := --foreign --timeout 900
