# SPDX-License-Identifier: MIT
# LeakSanitizer alone, which slows nothing down: looks for lost memory when a program ends.
## lsan-test: LeakSanitizer alone
lsan_CC      := clang
lsan_CFLAGS  := -O1 -g1 -fno-omit-frame-pointer -fsanitize=leak
lsan_TESTS   := -O0
lsan_LDFLAGS := -fsanitize=leak
lsan_GUARD   := 3
lsan_ASSERTS := 1
lsan_DRIVER  := cmocka
lsan_NEEDS   := clang
lsan_RUN     := --replay --misuse --examples
