# SPDX-License-Identifier: MIT
# Optimized for size, without guards: other inlining than anywhere else.
small_CC      := gcc
small_CFLAGS  := -Os
small_TESTS   := -O0
small_GUARD   := 0
small_ASSERTS := 0
small_DRIVER  := plain
small_NEEDS   := build
small_RUN     := --replay
