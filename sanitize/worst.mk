# SPDX-License-Identifier: MIT
# What the search of `make worst` runs on: the release library, which counts the basic blocks that
# it enters. gcc's instrumentation calls a function in each; sanitize/worst_blocks.c is that function.
worst_CC      := gcc
worst_CFLAGS  := -O2 -g -ffunction-sections -fdata-sections
worst_SUBJECT := -fsanitize-coverage=trace-pc
worst_GUARD   := 0
worst_ASSERTS := 0
worst_DRIVER  := cmocka
worst_NEEDS   := test
worst_RUN     := --replay
worst_WHOLE   := 1
worst_LINKED  := sanitize/worst_blocks.c
