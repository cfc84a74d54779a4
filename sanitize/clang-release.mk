# SPDX-License-Identifier: MIT
# The release variant through the other compiler, for its warnings.
clang-release_CC      := clang
clang-release_CFLAGS  := -O2 -g
clang-release_GUARD   := 0
clang-release_ASSERTS := 0
clang-release_DRIVER  := cmocka
clang-release_NEEDS   := clang
clang-release_RUN     := --replay
