# SPDX-License-Identifier: MIT
# What `make fuzz` runs: libFuzzer's coverage, ASan and UBSan, every guard. Objects are compiled
# with fuzzer-no-link; FUZZER is how a target is linked with the engine, LDFLAGS how everything
# else is linked.
# The model and the runner are the judges: they do not guide the fuzzer, and their own memory
# errors are the asan and ubsan variants' business. Left out here, they cost half as much.
fuzz_CHECKS  := address,undefined,alignment,pointer-overflow
fuzz_CC      := clang
fuzz_CFLAGS  := -O2 -g -fno-omit-frame-pointer -fsanitize=$(fuzz_CHECKS),fuzzer-no-link \
	-fno-sanitize-recover=all
fuzz_LDFLAGS := -fsanitize=$(fuzz_CHECKS),fuzzer-no-link
fuzz_ORACLE  := -fno-sanitize=$(fuzz_CHECKS),fuzzer-no-link -DLAB_ASAN=1
fuzz_FUZZER  := -fsanitize=$(fuzz_CHECKS),fuzzer
fuzz_GUARD   := 3
fuzz_ASSERTS := 1
fuzz_DRIVER  := plain
fuzz_NEEDS   := fuzz
fuzz_RUN     := --replay
fuzz_ENV     := $(asan_ENV) $(ubsan_ENV)
