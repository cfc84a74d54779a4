# SPDX-License-Identifier: MIT
# What OSS-Fuzz and ClusterFuzzLite build (scripts/oss-fuzz-build): compilers, flags and engine are
# theirs, and come from the environment; no other variant looks at them. All is instrumented, the
# checkers too: an engine whose first input shows no coverage at all takes the build for a bad one.
# Our mutator is libFuzzer's alone: it needs what only that has.
oss_ENGINE  := $(or $(call asked,FUZZING_ENGINE),libfuzzer)
oss_CC      := $(or $(call asked,CC),clang)
oss_LINK    := $(or $(call asked,CXX),clang++) $(call asked,CXXFLAGS)
oss_CFLAGS  := $(call asked,CFLAGS)
oss_LDFLAGS := $(call asked,CFLAGS)
oss_FUZZER  := $(or $(call asked,LIB_FUZZING_ENGINE),-fsanitize=fuzzer) -pthread
oss_SHIM    := $(if $(filter libfuzzer,$(oss_ENGINE)),fuzz/engines/libfuzzer.c)
oss_WARNINGS :=
oss_GUARD   := 3
oss_ASSERTS := 1
oss_DRIVER  := plain
oss_RUN     := --replay
