# SPDX-License-Identifier: MIT
# MemorySanitizer. All code but the C library must be instrumented, so the plain driver runs it.
## msan-test: MemorySanitizer with origins
msan_CC      := clang
msan_CFLAGS  := -O1 -g1 -fno-omit-frame-pointer -fsanitize=memory -fsanitize-memory-track-origins=2
msan_TESTS   := -O0
msan_LDFLAGS := -fsanitize=memory
msan_GUARD   := 3
msan_ASSERTS := 1
msan_DRIVER  := plain
msan_NEEDS   := clang
msan_RUN     := --replay --misuse --examples
msan_ENV     := MSAN_OPTIONS=halt_on_error=1
