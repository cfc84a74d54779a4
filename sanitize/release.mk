# SPDX-License-Identifier: MIT
# What ships: no guards, no assertions, compiled as one file. The suites must hold so, too.
## release-test: guards and assertions compiled out
release_CC      := gcc
# A section for each function: of the one object a program takes only what it needs
# (-Wl,--gc-sections). No vectors of a header's words: to make one takes more than to store them.
release_CFLAGS  := -O2 -g -fno-tree-slp-vectorize -ffunction-sections -fdata-sections
release_GUARD   := 0
release_ASSERTS := 0
release_DRIVER  := cmocka
release_NEEDS   := test
release_RUN     := --replay --examples
release_WHOLE   := 1
