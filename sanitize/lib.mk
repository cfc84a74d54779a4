# SPDX-License-Identifier: MIT
# What `make lib` builds for its user, as one file, whose CC, CFLAGS, CPPFLAGS, LDFLAGS and AR it takes from the
# command line or from the environment; no other variant looks at them. No warning is an error, and
# no option is given that a C11 compiler may not know. TH_GUARD and TH_ASSERTS are 0 unless the
# flags say otherwise.
lib_CC       := $(or $(call asked,CC),gcc)
lib_AR       := $(or $(call asked,AR),ar)
lib_SECTIONS := $(if $(call asked,CC),,-fno-tree-slp-vectorize -ffunction-sections -fdata-sections)
lib_CFLAGS    = $(call asked,CPPFLAGS) $(or $(call asked,CFLAGS),-O2 -g $(lib_SECTIONS))
lib_LDFLAGS   = $(call asked,LDFLAGS)
lib_WARNINGS :=
lib_DEPS     :=
lib_DRIVER   := plain
lib_NEEDS    := $(if $(call asked,CC),dist,lib)
lib_RUN      :=
lib_WHOLE    := 1

ifneq ($(and $(call asked,CC),$(filter lib %-lib build/lib/% install install-%,$(MAKECMDGOALS))),)
ifeq ($(shell command -v $(firstword $(CC))),)
$(error CC=$(CC): there is no command $(firstword $(CC)); give one that compiles C11)
endif
endif
