# SPDX-License-Identifier: MIT
# clang's source-based coverage with MC/DC, which only clang 18 and later have. Assertions are off:
# their failing side is never to be taken (tests/test_assert.c takes it, in the other builds). Suites
# get in between two atomic operations, by which both outcomes of an exchange are taken.
cov_CC      := clang-19
cov_CFLAGS  := -O1 -g1 -fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc -DTH_ATOMIC_STEPS=1
cov_TESTS   := -O0
cov_WRAPPED := abort exit _exit longjmp siglongjmp
cov_LDFLAGS := -fprofile-instr-generate $(cov_WRAPPED:%=-Wl,--wrap=%)
# clang knows a static function by its file's name without folder, unless it is told another one:
# src/heap/heap.c and fuzz/targets/heap.c would be counted together.
# What threads do at once is counted atomically: a count that is lost may be the only time that the
# other side was taken. All counts would take twice the time of everything.
cov_SHARED  := $(addprefix src/,alloc/cells.c alloc/concurrent_pool.c alloc/guarding.c \
	alloc/thread_cache.c base/lock.c os/mutex.c resource/locked.c resource/resource_pool.c)
cov_SUBJECT  = $(if $(filter $(cov_SHARED),$<),-fprofile-update=atomic) -Xclang -main-file-name -Xclang $<
cov_GUARD   := 3
cov_ASSERTS := 0
cov_DRIVER  := cmocka
cov_NEEDS   := cov
cov_RUN     := --replay --misuse
cov_LINKED  := sanitize/cov_exit.c
