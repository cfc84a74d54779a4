# SPDX-License-Identifier: MIT
# What `make fuzz ENGINE=afl` runs: AFL++'s coverage, ASan and UBSan, every guard. -fsanitize=fuzzer
# links AFL++'s driver: inputs in shared memory, many to a process. As in the fuzz variant, checkers
# and mutator do not guide the fuzzer (sanitize/afl.deny).
afl_CHECKS  := address,undefined,alignment,pointer-overflow
afl_CC      := AFL_QUIET=1 AFL_LLVM_DENYLIST=sanitize/afl.deny afl-clang-fast
afl_CFLAGS  := -O2 -g1 -fsanitize=$(afl_CHECKS) -fno-sanitize-recover=all \
	-fno-sanitize-address-use-after-scope
afl_LDFLAGS := -fsanitize=$(afl_CHECKS)
afl_ORACLE  := -fno-sanitize=$(afl_CHECKS) -DLAB_ASAN=1
afl_FUZZER  := -fsanitize=$(afl_CHECKS),fuzzer
afl_GUARD   := 3
afl_ASSERTS := 1
afl_DRIVER  := plain
afl_NEEDS   := afl
afl_RUN     := --replay
