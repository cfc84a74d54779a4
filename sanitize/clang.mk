# SPDX-License-Identifier: MIT
# The debug variant through the other compiler, for its warnings.
## clang-test: the debug variant, compiled by clang
clang_CC      := clang
clang_CFLAGS  := -O1 -g
clang_GUARD   := 3
clang_ASSERTS := 1
clang_DRIVER  := cmocka
clang_NEEDS   := clang
clang_RUN     := --replay --examples
