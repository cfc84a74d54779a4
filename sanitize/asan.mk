# SPDX-License-Identifier: MIT
# AddressSanitizer with LeakSanitizer. cmocka must not catch SIGSEGV here: it would swallow the
# report.
## asan-test: AddressSanitizer and LeakSanitizer
asan_CC      := clang
asan_CFLAGS  := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address
asan_TESTS   := -O0
asan_LDFLAGS := -fsanitize=address
asan_GUARD   := 3
asan_ASSERTS := 1
asan_DRIVER  := cmocka
asan_NEEDS   := clang
asan_RUN     := --replay --misuse --examples
asan_ENV     := ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:strict_init_order=1:allow_user_segv_handler=0:abort_on_error=0
