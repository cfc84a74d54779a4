# SPDX-License-Identifier: MIT
# All that this processor has, and every optimization: for its warnings (`make warnings`).
native_CC      := gcc
native_CFLAGS  := -O3 -march=native
native_GUARD   := 3
native_ASSERTS := 1
native_DRIVER  := cmocka
native_NEEDS   := test
native_RUN     := --replay
