# SPDX-License-Identifier: MIT
# What guards cost where everything else is as in release: `make bench-alloc`.
guarded_CC      := gcc
guarded_CFLAGS  := -O2 -g -fno-tree-slp-vectorize
guarded_GUARD   := 3
guarded_ASSERTS := 0
guarded_DRIVER  := cmocka
guarded_NEEDS   := test
guarded_RUN     := --replay --examples
