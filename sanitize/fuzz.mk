# SPDX-License-Identifier: MIT
# What `make fuzz` runs: libFuzzer's coverage, ASan and UBSan, every guard. Objects are compiled
# with fuzzer-no-link; FUZZER is how a target is linked with the engine, LDFLAGS how everything
# else is linked.
# The model and the runner are what checks, and the mutator is not what is tested: they do not guide
# the fuzzer, and their own memory errors are the asan and ubsan variants' business; so are uses of
# dead stack frames, which those variants look for. The heap and the codec compare no magic values:
# trace-cmp would only slow them down. CXX is for plug-ins in C++.
fuzz_CHECKS  := address,undefined,alignment,pointer-overflow
fuzz_CC      := clang-19
fuzz_CXX     := clang++-19
fuzz_CFLAGS  := -O2 -g1 -fsanitize=$(fuzz_CHECKS),fuzzer-no-link -fno-sanitize-recover=all \
	-fno-sanitize-address-use-after-scope -fsanitize-address-use-after-return=never
fuzz_LDFLAGS := -fsanitize=$(fuzz_CHECKS),fuzzer-no-link
fuzz_SUBJECT := -fno-sanitize-coverage=trace-cmp
fuzz_ORACLE  := -fno-sanitize=$(fuzz_CHECKS),fuzzer-no-link -DLAB_ASAN=1
fuzz_FUZZER  := -fsanitize=$(fuzz_CHECKS),fuzzer
fuzz_SHIM    := fuzz/engines/libfuzzer.c
fuzz_GUARD   := 3
fuzz_ASSERTS := 1
fuzz_DRIVER  := plain
fuzz_NEEDS   := fuzz
fuzz_RUN     := --replay
fuzz_ENV     := $(asan_ENV) $(ubsan_ENV)
