# SPDX-License-Identifier: MIT
# heaplab as `make install` puts it in place: compiled as its user asks (lib.mk), but with every guard
# and every assertion, whatever the library has that is installed beside it.
tool_CC       := $(lib_CC)
tool_AR       := $(lib_AR)
tool_CFLAGS    = $(lib_CFLAGS) -UTH_GUARD -DTH_GUARD=3 -UTH_ASSERTS -DTH_ASSERTS=1
tool_LDFLAGS   = $(lib_LDFLAGS)
tool_WARNINGS :=
tool_DEPS     :=
tool_DRIVER   := plain
tool_NEEDS    := $(lib_NEEDS)
tool_RUN      :=
tool_WHOLE    := 1
