# SPDX-License-Identifier: MIT
# ThreadSanitizer, no suppressions. Its runtime wants its shadow at fixed addresses, which newer
# kernels may have given away already: setarch -R has them lay out programs as always.
## tsan-test: ThreadSanitizer, no suppressions
tsan_CC      := clang
tsan_CFLAGS  := -O1 -g1 -fno-omit-frame-pointer -fsanitize=thread
tsan_LDFLAGS := -fsanitize=thread
tsan_GUARD   := 3
tsan_ASSERTS := 1
tsan_DRIVER  := cmocka
tsan_NEEDS   := clang
tsan_WRAP    := setarch -R
tsan_RUN     := --examples --timeout 900
tsan_ENV     := TSAN_OPTIONS=halt_on_error=0:exitcode=66
