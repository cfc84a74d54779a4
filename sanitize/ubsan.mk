# SPDX-License-Identifier: MIT
# UndefinedBehaviorSanitizer, each finding fatal. implicit-conversion goes beyond the standard's
# undefined behaviour: it notices a value that an unwritten conversion changes, where -Wconversion
# sees types only.
ubsan_CHECKS  := -fsanitize=undefined,alignment,pointer-overflow,implicit-conversion,local-bounds
## ubsan-test: UndefinedBehaviorSanitizer, each finding fatal
ubsan_CC      := clang
ubsan_CFLAGS  := -O1 -g1 -fno-omit-frame-pointer $(ubsan_CHECKS) -fno-sanitize-recover=all
ubsan_TESTS   := -O0
ubsan_LDFLAGS := $(ubsan_CHECKS)
ubsan_GUARD   := 3
ubsan_ASSERTS := 1
ubsan_DRIVER  := cmocka
ubsan_NEEDS   := clang
ubsan_RUN     := --replay --misuse --examples
ubsan_ENV     := UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
