# SPDX-License-Identifier: MIT
# What `make explore` runs: fast, with assertions and the guards that notice damage when the next
# operation meets it. The explorer calls the full validator itself.
explore_CC      := clang
explore_CFLAGS  := -O2 -g
explore_LDFLAGS := -pthread
explore_GUARD   := 2
explore_ASSERTS := 1
explore_DRIVER  := cmocka
explore_NEEDS   := clang
explore_RUN     := --replay
