# SPDX-License-Identifier: MIT
# The default build of `make test`: every guard and every assertion, and still quick.
debug_CC      := gcc
debug_CFLAGS  := -O1 -g
debug_TESTS   := -O0
debug_GUARD   := 3
debug_ASSERTS := 1
debug_DRIVER  := cmocka
debug_NEEDS   := test
debug_RUN     := --replay --misuse --examples
