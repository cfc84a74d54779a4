# SPDX-License-Identifier: MIT
# clang's source-based coverage. Assertions are off: their failing side is never to be taken.
cov_CC      := clang
cov_CFLAGS  := -O1 -g -fprofile-instr-generate -fcoverage-mapping
cov_LDFLAGS := -fprofile-instr-generate
cov_GUARD   := 3
cov_ASSERTS := 0
cov_DRIVER  := cmocka
cov_NEEDS   := cov
cov_RUN     := --replay
