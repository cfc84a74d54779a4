# SPDX-License-Identifier: MIT
# A microcontroller: Cortex-M3, as a small program is built for it (-Os -mthumb, no operating
# system, no guards), on qemu's model of the MPS2 board. Semihosting gives it files and arguments.
# Left out is all that needs processes, threads or mapped memory; run are the suites of src/base and
# src/heap.
cortex_CC      := arm-none-eabi-gcc
cortex_AR      := arm-none-eabi-ar
cortex_CPU     := -mcpu=cortex-m3 -mthumb
cortex_CFLAGS  := $(cortex_CPU) -Os -g -ffunction-sections -fdata-sections -DTH_OS=0
cortex_LDFLAGS := $(cortex_CPU) --specs=rdimon.specs -nostartfiles -T sanitize/cortex.ld \
	-Wl,--gc-sections -Wl,--wrap=main
cortex_GUARD   := 0
cortex_ASSERTS := 0
cortex_DRIVER  := plain
cortex_NEEDS   := cortex
cortex_WHOLE   := 1
cortex_RUN     := --foreign --timeout 300
cortex_WRAP    := scripts/run-cortex
cortex_LINKED  := sanitize/cortex_start.c sanitize/cortex_port.c
cortex_PLAYS   := classic_realloc compiler event exact exact_compact exact_queries heap heap_compact \
	heap_default heap_fast heap_hooks heap_image heap_layouts heap_place heap_plan heap_query \
	heap_random heap_resize lock pattern ranges recovery
cortex_WITHOUT := $(filter-out $(cortex_PLAYS:%=tests/test_%.c),$(SUITES:%=tests/%.c)) \
	tests/death.c tests/system_fixture.c tests/threads_fixture.c tests/limit_fixture.c \
	tests/shared_fixture.c tests/bad_% tests/misuse/% examples/% bench/% \
	build/embed/% fuzz/result/% fuzz/contract/% fuzz/bare/% fuzz/player/% fuzz/fragmentation/% \
	fuzz/actors/% fuzz/history/% fuzz/attack/% fuzz/synthesis/% fuzz/cli/% fuzz/engines/% fuzz/explore/% fuzz/export/% fuzz/program/% \
	fuzz/mutate/% fuzz/record/% fuzz/resources/% fuzz/film/% \
	$(filter-out fuzz/runner/rules.c,$(call sources,fuzz/runner)) \
	$(filter-out fuzz/worst/cost.c,$(call sources,fuzz/worst)) \
	fuzz/shrink/% fuzz/subjects/% fuzz/sweep/% fuzz/targets/% fuzz/script/file.c
