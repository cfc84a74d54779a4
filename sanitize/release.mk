# SPDX-License-Identifier: MIT
# What ships: no guards, no assertions. The suites must hold without them, too.
release_CC      := gcc
release_CFLAGS  := -O2 -g
release_GUARD   := 0
release_ASSERTS := 0
release_DRIVER  := cmocka
release_NEEDS   := test
release_RUN     := --replay --examples
