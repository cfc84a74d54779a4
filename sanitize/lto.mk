# SPDX-License-Identifier: MIT
# The library as a whole, optimized across its files: what they assume of each other's types shows
# here. It is linked once, not in every program anew; the rest is compiled quickly.
lto_CC      := gcc
lto_CFLAGS  := -O1
lto_TESTS   := -O0
lto_SUBJECT := -O3 -flto
lto_JOIN    := -O3 -flto=auto -r -flinker-output=nolto-rel -Werror
lto_GUARD   := 3
lto_ASSERTS := 0
lto_DRIVER  := plain
lto_NEEDS   := build
lto_RUN     := --replay
