# SPDX-License-Identifier: MIT
# Valgrind's memcheck, told by the library which bytes are whose. The options stand in
# valgrind/memcheck.options; there are no suppressions.
## valgrind-test: Valgrind's memcheck, no suppressions
valgrind_CC      := gcc
valgrind_CFLAGS  := -O1 -g1 -DTH_TRACK_VALGRIND=1
valgrind_GUARD   := 3
valgrind_ASSERTS := 1
valgrind_DRIVER  := cmocka
valgrind_NEEDS   := valgrind
valgrind_WRAP    := valgrind $(shell grep -v '^\#' valgrind/memcheck.options)
valgrind_RUN     := --misuse --examples --timeout 900
