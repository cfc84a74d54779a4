# SPDX-License-Identifier: MIT
# Everything is built in build/VARIANT/, so no variant ever needs `make clean`. What is particular
# to a variant stands in sanitize/VARIANT.mk; how things are built stands here once, in the
# template below. Each variant says:
#   VARIANT_CC, _CFLAGS, _LDFLAGS   compiler and flags beyond the common ones
#   VARIANT_AR                      what makes its archives (ar, if absent)
#   VARIANT_WARNINGS                its warnings, which are errors (WARNINGS, if absent)
#   VARIANT_DEPS                    makes the compiler write what a source includes (-MMD -MP, if
#                                   absent); if it is empty, everything depends on every header
#   VARIANT_JOIN                    how the library's objects are linked to one, if they are, before
#                                   they go into its archive
#   VARIANT_WHOLE                   if anything, its library is compiled from the two files of
#                                   `make dist`. Suites, which look into it, are linked with one in
#                                   which they can (build/VARIANT/open/libtagheap.a)
#   VARIANT_GUARD, _ASSERTS         the library's knobs TH_GUARD and TH_ASSERTS
#   VARIANT_DRIVER                  what runs the suites: cmocka or plain
#   VARIANT_NEEDS                   the group of packages that scripts/bootstrap looks after
#   VARIANT_RUN, _WRAP, _ENV        how scripts/run-suites runs them: its options, the command in
#                                   front of each program, and the environment
#   VARIANT_FUZZER, _SHIM           how a fuzz target is linked with the engine, and what else of
#                                   fuzz/engines it takes (fuzz and afl only)
#   VARIANT_WITHOUT                 patterns of sources that are left out
#   VARIANT_LINKED                  sources of its own, linked into every program
#   VARIANT_SUBJECT, _ORACLE        further flags for what works on numbers only (SUBJECTS), and for
#                                   what judges and feeds it (ORACLES)
#   VARIANT_MACHINES                where it works (everywhere, if absent)
# Missing folders are empty lists. Set V=1 to see whole commands, EXTRA_CFLAGS to add flags.

SHELL         := /bin/bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:
# Without any, gcc does not find its own parts.
ifeq ($(PATH),)
export PATH := /usr/local/bin:/usr/bin:/bin
endif
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables

# On all cores, unless the command line says otherwise (make 4.3 shows -j to recipes only).
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j% --jobs%,$(shell tr '\0' ' ' 2> /dev/null < /proc/$$PPID/cmdline)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif

V ?=
ifeq ($(V),1)
Q :=
else
Q := @
endif
say = @printf '  %-4s %-8s %s\n' $(1) $(2) $(3)

FUZZ_TIME    ?= 10m
ENGINE       ?= libfuzzer
CRASH        ?=
FINDINGS     ?=
OUT          ?=
KNOWN        ?=
EXPLORE      ?=
SWEEP_TIME   ?= 60
WORST        ?=
PEERS_TIME   ?= 60
SUBJECT_SRC  ?=
SUBJECT_FLAGS ?=
BUGS         ?=
MUTATOR      ?=
BENCH        ?=
PROFILE      ?=
EXTRA_CFLAGS ?=

STD      := -std=c11
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wcast-align -Werror
INCLUDES := -Iinclude -Isrc -Ifuzz -Itests

ifneq ($(filter regress minimize,$(MAKECMDGOALS)),)
ifeq ($(CRASH),)
$(error $(filter regress minimize,$(MAKECMDGOALS)): which file? make $(firstword $(filter \
	regress minimize,$(MAKECMDGOALS))) CRASH=file)
endif
endif

# What is wrong with fuzzing's settings is said before anything is installed or built, by the scripts
# that read them. (A machine without Python has them read by scripts/fuzz when all is there.)
quoted         = '$(subst ','\'',$(1))'
fuzz_objection = $(shell command -v python3 > /dev/null || exit 0; { scripts/fuzz --check \
	--time=$(call quoted,$(FUZZ_TIME)) --engine=$(call quoted,$(ENGINE)) \
	$(if $(KNOWN),--known=$(call quoted,$(KNOWN))) $(if $(SUBJECT_SRC),plugin \
	&& SUBJECT_FLAGS=$(call quoted,$(SUBJECT_FLAGS)) scripts/plugin --check \
	$(call quoted,$(SUBJECT_SRC))); } 2>&1)
ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
objection := $(fuzz_objection)
ifneq ($(objection),)
$(error $(objection))
endif
endif

# So is what is wrong with a plug-in to measure.
ifneq ($(and $(filter bench,$(MAKECMDGOALS)),$(SUBJECT_SRC)),)
objection := $(shell command -v python3 > /dev/null || exit 0; \
	SUBJECT_FLAGS=$(call quoted,$(SUBJECT_FLAGS)) scripts/plugin --for-bench --check \
	$(call quoted,$(SUBJECT_SRC)) 2>&1)
ifneq ($(objection),)
$(error $(objection))
endif
endif

# ---- what there is ---------------------------------------------------------------------------

sources = $(sort $(wildcard $(1:%=%/*.c)))

TAGHEAP_SRC := $(call sources,src/base src/os src/heap src/alloc src/resource)
LAB_SRC     := $(call sources,fuzz/script fuzz/model fuzz/runner fuzz/subjects fuzz/explore \
	fuzz/shrink fuzz/export fuzz/attack fuzz/sweep fuzz/mutate fuzz/worst)
DIST        := build/dist/tagheap.c build/dist/tagheap.h
ORACLES     := fuzz/model/% fuzz/runner/% fuzz/mutate/% fuzz/targets/%
SUBJECTS    := src/% build/dist/% fuzz/script/codec.c fuzz/script/script.c
CLI_SRC     := $(call sources,fuzz/cli)
SHIM_SRC    := fuzz/engines/libfuzzer.c fuzz/engines/afl.c
ENGINE_SRC  := $(filter-out fuzz/engines/replay.c $(SHIM_SRC),$(call sources,fuzz/engines))
TARGETS     := $(notdir $(basename $(call sources,fuzz/targets)))
BENCH_SRC   := $(call sources,bench)
RECORD_SRC  := $(filter-out fuzz/record/recorder.c,$(call sources,fuzz/record))
SUITES      := $(notdir $(basename $(filter tests/test_%,$(call sources,tests))))
TESTS_SRC   := $(filter-out tests/test_% tests/driver_%,$(call sources,tests))
MISUSES     := $(notdir $(basename $(call sources,tests/misuse)))
EXAMPLES    := $(notdir $(basename $(shell grep -ls '^int main\>' /dev/null examples/*.c)))
PLUGINS     := $(filter-out $(EXAMPLES),$(notdir $(basename $(call sources,examples))))
VARIANTS    := $(sort $(notdir $(basename $(wildcard sanitize/*.mk))))
HEADERS     := $(sort $(wildcard include/*/*.h src/*/*.h fuzz/*/*.h tests/*.h bench/*.h))
MACHINE     := $(shell uname -m)

# $(call asked,NAME): a variable that the command line or the environment sets, not make itself.
asked = $(if $(filter environment% command%,$(origin $(1))),$($(1)))

include $(VARIANTS:%=sanitize/%.mk)

CORPUS_SETS    := seed regress
corpus_files    = $(sort $(wildcard $(CORPUS_SETS:%=corpus/$(1)/%/*)))
corpus_texts    = $(filter %.txt,$(call corpus_files,$(1)))

# heaplab holds all of the library, and shows it to plug-ins.
whole = -rdynamic -Wl,--whole-archive $(1) -Wl,--no-whole-archive

# ---- one variant -----------------------------------------------------------------------------

# $(call objects,VARIANT,SOURCES)
objects = $(patsubst %.c,build/$(1)/obj/%.o,$(call kept,$(1),$(2)))

# $(call library,VARIANT): the sources of its library.
library = $(if $($(1)_WHOLE),$(filter %.c,$(DIST)),$(TAGHEAP_SRC))

# $(call kept,VARIANT,SOURCES): those that it does not leave out.
kept = $(filter-out $($(1)_WITHOUT),$(2))

# $(call knob,VARIANT,NAME,DEFAULT): what the variant says of it, which may be nothing.
knob = $(if $(filter undefined,$(origin $(1)_$(2))),$(3),$($(1)_$(2)))

# $(call stamp,TEXT): rewrites the target only if the text is another one than before.
stamp = @mkdir -p $(@D); printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@

define variant
$(1)_FLAGS := $(STD) $(call knob,$(1),WARNINGS,$(WARNINGS)) $(INCLUDES) \
	$($(1)_GUARD:%=-DTH_GUARD=%) $($(1)_ASSERTS:%=-DTH_ASSERTS=%) $($(1)_CFLAGS) $(EXTRA_CFLAGS)
$(1)_DEPENDS := $(call knob,$(1),DEPS,-MMD -MP)
$(1)_DRIVERS  := $(call objects,$(1),tests/driver_common.c tests/driver_$($(1)_DRIVER).c)
$(1)_LINKED_O := $(call objects,$(1),$($(1)_LINKED))
$(1)_LIBS     := build/$(1)/libheaplab.a build/$(1)/libtagheap.a $$($(1)_LINKED_O)
$(1)_OPEN     := $(if $($(1)_WHOLE),build/$(1)/open/libtagheap.a)
$(1)_SUITES   := $(patsubst tests/%.c,build/$(1)/tests/%,$(call kept,$(1),$(SUITES:%=tests/%.c)))
$(1)_MISUSES  := $(patsubst tests/%.c,build/$(1)/%,$(call kept,$(1),$(MISUSES:%=tests/misuse/%.c)))
$(1)_EXAMPLES := $(patsubst %.c,build/$(1)/%,$(call kept,$(1),$(EXAMPLES:%=examples/%.c)))
$(1)_BENCH    := $(if $(BENCH_SRC),build/$(1)/bench)
$(1)_REPLAYS  := $(if $(call kept,$(1),fuzz/engines/replay.c),$(TARGETS:%=build/$(1)/replay_%))
$(1)_HEAPLAB  := $(if $(call kept,$(1),$(filter fuzz/cli/main.c,$(CLI_SRC))),build/$(1)/heaplab)
$(1)_CONVERT  := $(if $(call kept,$(1),$(filter fuzz/record/convert.c,$(RECORD_SRC))),build/$(1)/labconvert)
$(1)_RECORDER := $(if $(call kept,$(1),$(wildcard fuzz/record/recorder.c)),build/$(1)/liblabrecord.so)
$(1)_FUZZERS  := $(if $($(1)_FUZZER),$(TARGETS:%=build/$(1)/fuzz_%))
$(1)_PROGRAMS := $$($(1)_SUITES) $$($(1)_MISUSES) $$($(1)_EXAMPLES) $$($(1)_REPLAYS) \
	$$($(1)_HEAPLAB)
$(1)_OBJECTS  := $(call objects,$(1),$(call library,$(1)) $(LAB_SRC) $(CLI_SRC) $(ENGINE_SRC) \
	$(SHIM_SRC) $(TESTS_SRC) $(RECORD_SRC) fuzz/engines/replay.c $(TARGETS:%=fuzz/targets/%.c) \
	$(SUITES:%=tests/%.c) $(MISUSES:%=tests/misuse/%.c) $(EXAMPLES:%=examples/%.c) \
	$(PLUGINS:%=examples/%.c) $(BENCH_SRC)) $$($(1)_DRIVERS) $$($(1)_LINKED_O)

build/$(1)/flags: FORCE | $($(1)_NEEDS:%=bootstrap-%)
	$$(call stamp,"$$$$($($(1)_CC) --version | head -n 1)" $(call knob,$(1),AR,ar) \
		$$(call quoted,$$($(1)_FLAGS)) $$(call quoted,$$($(1)_LDFLAGS)) \
		$$(call quoted,$$($(1)_SUBJECT)) $$(call quoted,$$($(1)_ORACLE)))
build/$(1)/lists: FORCE
	$$(call stamp,'$(TAGHEAP_SRC)' '$(LAB_SRC)' '$(CLI_SRC)' '$(ENGINE_SRC)' '$(TESTS_SRC)' \
		'$(RECORD_SRC)' '$(BENCH_SRC)')

build/$(1)/obj/%.o: %.c build/$(1)/flags $$(if $$($(1)_DEPENDS),,$(HEADERS))
	$$(call say,CC,$(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$($(1)_FLAGS) $$(if $$(filter $(SUBJECTS),$$<),$$($(1)_SUBJECT)) \
		$$(if $$(filter $(ORACLES),$$<),$$($(1)_ORACLE)) $$($(1)_DEPENDS) -c $$< -o $$@

build/$(1)/libtagheap.a: $(call objects,$(1),$(call library,$(1)))
build/$(1)/libheaplab.a: $(call objects,$(1),$(LAB_SRC))
build/$(1)/libtests.a: $(call objects,$(1),$(TESTS_SRC))
build/$(1)/%.a: build/$(1)/lists build/$(1)/flags
	$$(call say,AR,$(1),$$@)
	$$(Q)rm -f $$@
	$$(Q)$$(if $$($(1)_JOIN),$$(if $$(filter %/libtagheap.a,$$@),$($(1)_CC) $$($(1)_JOIN) \
		$$(filter %.o,$$^) -o build/$(1)/tagheap.o))
	$$(Q)$(call knob,$(1),AR,ar) rcs $$@ $$(if $$(and $$($(1)_JOIN),$$(filter \
		%/libtagheap.a,$$@)),build/$(1)/tagheap.o,$$(filter %.o,$$^))

# The library once more, in one file, with nothing that is its own alone.
build/$(1)/open/libtagheap.a: build/$(1)/open/tagheap.o
build/$(1)/open/tagheap.o: $(DIST) build/$(1)/flags
	$$(call say,CC,$(1),'$$< (open)')
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$($(1)_FLAGS) $$($(1)_SUBJECT) -DTH_INTERNAL= -c $$< -o $$@

build/$(1)/heaplab: $(call objects,$(1),$(CLI_SRC)) $$($(1)_LIBS) build/$(1)/lists
build/$(1)/labconvert: $(call objects,$(1),$(RECORD_SRC)) $$($(1)_LIBS) build/$(1)/lists
build/$(1)/heaplab build/$(1)/labconvert:
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) $$(filter %.o,$$^) \
		$$(if $$(filter %/heaplab,$$@),$$(call whole,$$(filter %.a,$$^)),$$(filter %.a,$$^)) -o $$@

build/$(1)/tests/%: build/$(1)/obj/tests/%.o $$($(1)_DRIVERS) build/$(1)/libtests.a $$($(1)_LIBS) \
		$$($(1)_OPEN)
	$$(call say,LD,$(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) \
		$$(filter-out $$($(1)_OPEN:%=build/$(1)/libtagheap.a),$$(filter %.o %.a,$$^)) \
		$(if $(filter cmocka,$($(1)_DRIVER)),-lcmocka) -o $$@

# What needs the library alone.
$$($(1)_MISUSES): build/$(1)/misuse/%: build/$(1)/obj/tests/misuse/%.o
$$($(1)_EXAMPLES): build/$(1)/examples/%: build/$(1)/obj/examples/%.o
$$($(1)_MISUSES) $$($(1)_EXAMPLES): build/$(1)/libtagheap.a $$($(1)_LINKED_O)
	$$(call say,LD,$(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) $$(filter %.o,$$^) $$(filter %.a,$$^) -o $$@

# It shows the library to plug-ins, as heaplab does.
$$($(1)_BENCH): $(call objects,$(1),$(BENCH_SRC)) $$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) $$(filter %.o %/libheaplab.a,$$^) \
		$$(call whole,$$(filter %/libtagheap.a,$$^)) -o $$@

build/$(1)/replay_%: build/$(1)/obj/fuzz/targets/%.o build/$(1)/obj/fuzz/engines/replay.o \
		$(call objects,$(1),$(ENGINE_SRC)) $$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) $$(filter %.o %.a,$$^) -o $$@

build/$(1)/fuzz_%: build/$(1)/obj/fuzz/targets/%.o $(call objects,$(1),$(ENGINE_SRC) \
		$($(1)_SHIM)) $$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_FUZZER) $$(filter %.o %.a,$$^) -o $$@

# The same without our mutator, to measure what it is worth.
build/$(1)/plain_%: build/$(1)/obj/fuzz/targets/%.o $(call objects,$(1),$(ENGINE_SRC)) \
		$$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_FUZZER) $$(filter %.o %.a,$$^) -o $$@

# A preload library, never instrumented: it lives in other people's programs.
build/$(1)/liblabrecord.so: fuzz/record/recorder.c build/$(1)/flags
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $(STD) $(WARNINGS) $(INCLUDES) -O2 -g $(filter -m32,$($(1)_CFLAGS)) -fPIC \
		-shared -pthread -MMD -MP -MF build/$(1)/recorder.d $$< -ldl -o $$@

-include $$($(1)_OBJECTS:.o=.d) build/$(1)/recorder.d

.PHONY: build-$(1) objects-$(1) run-$(1)
build-$(1): $$($(1)_PROGRAMS) $$($(1)_FUZZERS) $$($(1)_CONVERT) $$($(1)_RECORDER)
objects-$(1): $$($(1)_OBJECTS)
ifneq ($(filter $(or $($(1)_MACHINES),$(MACHINE)),$(MACHINE)),)
run-$(1): $$($(1)_PROGRAMS)
	$$(Q)$$(call run_suites,$(1))
else
run-$(1):
	@echo '$(1): skipped: needs a machine of the kind $($(1)_MACHINES), this is $(MACHINE)'
endif
endef

# $(call run_suites,VARIANT)
run_suites = $($(1)_ENV) scripts/run-suites $(1) $($(1)_RUN) \
	$(if $($(1)_WRAP),--wrap '$($(1)_WRAP)') $($(1)_SUITES)

$(foreach v,$(VARIANTS),$(eval $(call variant,$(v))))

# The library as two files.
DIST_HEADERS := $(filter include/% src/%,$(HEADERS))
build/dist/lists: FORCE
	$(call stamp,'$(TAGHEAP_SRC) $(DIST_HEADERS)')
$(DIST) &: build/dist/lists scripts/dist $(wildcard scripts/dist_lib/*) $(TAGHEAP_SRC) \
		$(DIST_HEADERS) | bootstrap-dist
	$(call say,JOIN,dist,build/dist)
	$(Q)scripts/dist build/dist

# AFL++'s side of the mutator: afl-fuzz, which is not instrumented, loads it.
MUTATOR_SRC := $(call sources,fuzz/mutate) $(filter-out fuzz/script/file.c,$(call sources,fuzz/script))
build/afl/mutator.so: fuzz/engines/afl.c $(MUTATOR_SRC) $(wildcard fuzz/mutate/*.h fuzz/script/*.h) \
		build/afl/flags build/afl/lists
	$(call say,LD,afl,$@)
	$(Q)clang $(STD) $(WARNINGS) $(INCLUDES) -O2 -g -fPIC -shared $(filter %.c,$^) -o $@

.PHONY: FORCE
FORCE:

GROUPS     := all dist headers format peers $(sort $(foreach v,$(VARIANTS),$($(v)_NEEDS)))
BOOTSTRAPS := $(GROUPS:%=bootstrap-%)
.PHONY: $(BOOTSTRAPS)
$(BOOTSTRAPS): bootstrap-%:
	@scripts/bootstrap $*

##@ Start here
.PHONY: help
## help: prints this list
help:
	@awk '/^##@ / { printf "\n%s\n", substr($$0, 5); next } \
	      /^## / { split(substr($$0, 4), part, ": "); \
	               printf "  make %-18s %s\n", part[1], substr($$0, length(part[1]) + 6) }' Makefile
	@printf '\n  %s\n  %s\n' 'Options: V=1 (whole commands), FUZZ_TIME=8h, ENGINE=libfuzzer|afl|both, CRASH=file,' \
		'         FINDINGS=folder, KNOWN=file, EXTRA_CFLAGS=...'

.PHONY: record-tools
## record-tools: builds what scripts/record needs, and heaplab, which plays its scripts
record-tools: $(debug_CONVERT) $(debug_RECORDER) build/debug/heaplab

.PHONY: test fuzz check
## test: builds the debug variant, runs all suites, replays the corpus
test: run-debug

## fuzz: fuzzes every target on all cores for FUZZ_TIME (10m), or your allocator (SUBJECT_SRC=mine.c)
fuzz: export FUZZ_TIME := $(FUZZ_TIME)
fuzz: export ENGINE := $(ENGINE)
fuzz: export KNOWN := $(KNOWN)
ifeq ($(SUBJECT_SRC),)
fuzz: fuzz-programs corpus $(if $(filter afl both,$(ENGINE)),afl-programs)
	@scripts/fuzz --time="$$FUZZ_TIME"
else
fuzz: fuzz-plugin corpus-subjects
	@scripts/fuzz --time="$$FUZZ_TIME" plugin
endif

## check: all that CI runs (.ci/run)
check:
	@.ci/run

##@ The same suites in other builds
.PHONY: release-test m32-test asan-test lsan-test ubsan-test msan-test valgrind-test clang-test scripts-test
## release-test: guards and assertions compiled out
release-test: run-release

## m32-test: 32-bit build
m32-test: run-m32

## asan-test: AddressSanitizer and LeakSanitizer
asan-test: run-asan

## lsan-test: LeakSanitizer alone
lsan-test: run-lsan

## ubsan-test: UndefinedBehaviorSanitizer, each finding fatal
ubsan-test: run-ubsan

## msan-test: MemorySanitizer with origins
msan-test: run-msan

## valgrind-test: Valgrind's memcheck, no suppressions
valgrind-test: run-valgrind

## clang-test: the debug variant, compiled by clang
clang-test: run-clang

## scripts-test: the tests of scripts/fuzz, scripts/record and the other scripts
scripts-test: build-debug fuzz-programs build/worst/heaplab build/release/heaplab \
		| bootstrap-afl bootstrap-cov bootstrap-headers bootstrap-musl bootstrap-tcc
	@mkdir -p build/scripts
	$(Q)scripts/run-suites scripts --timeout 600 $(sort $(wildcard tests/scripts/test_*.py))

.PHONY: tools-test
## tools-test: the benchmarks' budgets, and what Valgrind's tools report
TOOLS_PROGRAMS := build/release/bench build/release/examples/connection_arenas \
	$(valgrind_EXAMPLES) $(valgrind_MISUSES)
run_tools := scripts/run-suites tools --timeout 600 $(sort $(wildcard tests/tools/test_*.py))
tools-test: $(TOOLS_PROGRAMS) | bootstrap-valgrind
	@mkdir -p build/tools
	$(Q)$(run_tools)

.PHONY: optimizations-test compilers-test big-endian-test cortex-m
## optimizations-test: the library optimized as a whole (-O3 -flto), and everything for size (-Os)
optimizations-test: run-lto run-small

## compilers-test: what tcc, and gcc with another C library (musl), can build
compilers-test: run-tcc run-musl

## big-endian-test: the suites on a big-endian machine (s390x), which qemu emulates
big-endian-test: run-s390x

## cortex-m: the heap's suites on a Cortex-M3, which qemu emulates, and what it takes there
cortex-m: run-cortex $(DIST)
	@scripts/cortex-sizes

##@ Fuzzing
.PHONY: fuzz-programs fuzz-plugin afl-programs
fuzz-programs: $(fuzz_FUZZERS) $(fuzz_REPLAYS) $(fuzz_HEAPLAB)

# The target `subjects` with a plug-in linked in, which is all that it plays then, and the plug-in as
# a shared object for heaplab. Our warnings are not for other people's code; what is said for it
# (SUBJECT_FLAGS) comes last. heaplab, which loads it, is C: it lacks what vptr needs.
PLUGIN_OBJECTS = build/fuzz/obj/fuzz/targets/subjects.o $(call objects,fuzz,$(ENGINE_SRC))
PLUGIN_FLAGS   = -Iinclude -Ifuzz $(fuzz_CFLAGS) -fno-sanitize=vptr $(EXTRA_CFLAGS)
fuzz-plugin: export SUBJECT_SRC := $(SUBJECT_SRC)
fuzz-plugin: export SUBJECT_FLAGS := $(SUBJECT_FLAGS)
fuzz-plugin: $(PLUGIN_OBJECTS) build/fuzz/obj/fuzz/engines/replay.o \
		$(call objects,fuzz,$(fuzz_SHIM)) $(fuzz_LIBS) $(fuzz_HEAPLAB)
	@scripts/plugin "$$SUBJECT_SRC" \
		'$(fuzz_CC)' '$(fuzz_CXX)' '$(PLUGIN_FLAGS)' build/fuzz/plugin \
		'-shared $(fuzz_LDFLAGS)' build/fuzz/plugin.so \
		'$(fuzz_FUZZER) $(PLUGIN_OBJECTS) $(call objects,fuzz,$(fuzz_SHIM)) $(fuzz_LIBS)' \
		build/fuzz/fuzz_plugin \
		'$(fuzz_LDFLAGS) $(PLUGIN_OBJECTS) build/fuzz/obj/fuzz/engines/replay.o $(fuzz_LIBS)' \
		build/fuzz/replay_plugin
afl-programs: $(afl_FUZZERS) build/afl/mutator.so

.PHONY: attack explore sweep
## attack: prints which guard level notices which attack, and when
attack: build/debug/heaplab
	@scripts/attack build/debug/heaplab

## sweep: fails the n-th allocation, request, move of every seed script (SWEEP_TIME=60 s)
sweep: build/debug/heaplab
	$(Q)build/debug/heaplab sweep --seconds $(SWEEP_TIME) \
		$(call corpus_texts,heap)

# The other layouts have smaller heaps: nothing but headers and limits is different there.
EXPLORE_LAYOUTS = for heap in 'lean --dwords 22' 'wide --dwords 43'; do \
	build/explore/heaplab explore -f -o build/explore/violation.txt --layout $$heap; done

## explore: every operation in every state of a small heap (EXPLORE='--dwords 40' ...)
explore: build/explore/heaplab
	$(Q)build/explore/heaplab explore -f -o build/explore/violation.txt $(EXPLORE)
	$(Q)$(if $(EXPLORE),:,$(EXPLORE_LAYOUTS))

.PHONY: fuzz-canary triage regress minimize bench-heaplab corpus coverage coverage-heap peers
## fuzz-canary: the fuzz job on a build with one planted bug: must end with a finding
fuzz-canary: | bootstrap-fuzz
	@scripts/fuzz --canary

## triage: groups the findings (or those in FINDINGS=folder), one line for each group
triage: export FINDINGS := $(FINDINGS)
triage: fuzz-programs
	@scripts/triage $${FINDINGS:+-- "$$FINDINGS"}

## regress: adopts CRASH=file as a regression case
regress: export CRASH := $(CRASH)
regress: fuzz-programs
	@scripts/regress -- "$$CRASH"

# What the fuzzing job has kept is bytes, whatever it looks like.
minimize_form = $(if $(findstring findings/plugin-,$(1)),--numbered --subject build/fuzz/plugin.so,$(if \
	$(findstring findings/subjects-,$(1)),--numbered,$(if $(findstring findings/,$(1)),--bytes)))

## minimize: shrinks CRASH=file (a failing script) to OUT (default: CRASH.min.txt)
minimize: export CRASH := $(CRASH)
minimize: export OUT := $(OUT)
minimize: build/fuzz/heaplab
	@$(fuzz_ENV) build/fuzz/heaplab minimize $(call minimize_form,$(CRASH)) \
		-o "$${OUT:-$$CRASH.min.txt}" -- "$$CRASH"

## corpus: assembles the text corpora to build/corpus/TARGET/
corpus: $(TARGETS:%=corpus-%)

## coverage: all of src/ is covered (branches, MC/DC) by suites and corpus
coverage: build-cov
	@scripts/coverage gate -- $(call run_suites,cov)

## coverage-heap: what of src/heap the corpus covers without any suite
coverage-heap: $(cov_REPLAYS) $(cov_HEAPLAB) build/cov/libtagheap.a corpus
	@scripts/coverage corpus

## bench-heaplab: checked operations per second in the fuzz build
bench-heaplab: build/fuzz/heaplab
	$(Q)$(fuzz_ENV) build/fuzz/heaplab bench

## peers: plays the corpora and random scripts on mimalloc, jemalloc, malloc (PEERS_TIME=60 s each)
peers: build/debug/heaplab | bootstrap-peers
	@for peer in malloc mimalloc jemalloc; do \
		echo "$$peer:"; \
		build/debug/heaplab run --subject $$peer $(call corpus_texts,heap) \
			$(call corpus_texts,subjects) || [[ $$? == 1 ]]; \
		build/debug/heaplab random --subject $$peer --seed 1 --keep-going \
			--seconds $(PEERS_TIME) || [[ $$? == 1 ]]; \
	done

.PHONY: bench bench-docs bench-alloc bench-peers bugs
# What cannot be installed is left out.
BENCH_PROGRAMS := build/release/bench build/guarded/bench
bench-peers: | bootstrap-valgrind
	@scripts/bootstrap bench || echo 'bench: without what is missing' >&2

## bench: what the heap costs beside glibc, mimalloc ..., and your allocator (SUBJECT_SRC=mine.c)
bench: export SUBJECT_SRC := $(SUBJECT_SRC)
bench: export SUBJECT_FLAGS := $(SUBJECT_FLAGS)
bench: $(BENCH_PROGRAMS) | bench-peers
ifneq ($(SUBJECT_SRC),)
	@scripts/plugin --for-bench "$$SUBJECT_SRC" '$(release_CC)' g++ \
		'-Iinclude -Ifuzz $(release_CFLAGS) $(EXTRA_CFLAGS)' build/release/plugin \
		-shared build/release/plugin.so
endif
	@scripts/bench $(if $(SUBJECT_SRC),--plugin build/release/plugin.so) $(BENCH)

## bench-docs: the same, and renews figures and plots in docs/
bench-docs: $(BENCH_PROGRAMS) | bench-peers
	@scripts/bench --publish $(BENCH)

## bench-alloc: what the other allocators, their peers, and layouts of data cost; budgets hold
bench-alloc: $(BENCH_PROGRAMS) | bench-peers
	@scripts/bench allocators $(BENCH)

## bugs: which oracle finds which planted bug, how fast (BUGS='--only GLOB' ...)
bugs: | bootstrap-all
	@scripts/bugs $(BUGS)

.PHONY: worst worst-cortex
## worst: searches for the dearest call of each kind, holds it against its bound (WORST='--sizes 2K')
worst: build/worst/heaplab build/release/heaplab
	@scripts/worst $(WORST)

## worst-cortex: the same, counted on a Cortex-M3, which qemu emulates
worst-cortex: build/worst/heaplab build/cortex/cost
	@TH_ICOUNT=8 scripts/worst --count 'scripts/run-cortex build/cortex/cost' --samples 0 \
		--sizes 2K,8K,32K,128K --bounds bench/worst-cortex.tsv -o build/worst-cortex $(WORST)

build/cortex/cost: build/cortex/obj/sanitize/cortex_count.o $(cortex_LINKED_O) $(cortex_LIBS) \
		build/cortex/lists
	$(call say,LD,cortex,$@)
	$(Q)$(cortex_CC) $(cortex_LDFLAGS) $(filter %.o %.a,$^) -o $@

.PHONY: mutator-bench
## mutator-bench: how soon planted bugs are found with the mutator, and without (MUTATOR='--seeds 1')
mutator-bench: | bootstrap-fuzz
	@scripts/mutator-bench $(MUTATOR)

##@ Checks
.PHONY: scenarios properties workflow-demo warnings headers freestanding format-check
## scenarios: every requirement of a finished area has a test that passed
SCENARIO_SUITES := $(sort debug $(shell sed -n 's/^[^#\t]*\t\([a-z0-9-]*\):.*/\1/p' \
	tests/scenarios.tsv 2> /dev/null))
scenarios: $(SCENARIO_SUITES:%=build/%/results.tsv)
	@scripts/scenarios

## properties: each property that the runner checks fails for a mistake planted for it
properties: | bootstrap-fuzz
	@scripts/properties

## workflow-demo: a planted bug from its finding to its regression case (docs/workflow.md)
workflow-demo: | bootstrap-fuzz
	@scripts/workflow-demo

## warnings: every file compiles without a warning, by gcc and by clang, guards on and off
STRICT := debug release native clang clang-release
warnings: $(STRICT:%=objects-%)
	@echo '$(words $(debug_OBJECTS)) files without warnings, in each of: $(STRICT)'

## headers: every header compiles alone, the public ones as C++ too
headers: | bootstrap-headers
	@scripts/check-headers

## freestanding: src/base, src/heap and src/alloc need no C library, in 64 and 32 bits
freestanding: | bootstrap-m32
	@scripts/check-freestanding

FORMATTED = $(sort $(shell find include src fuzz tests bench examples sanitize -name '*.[ch]' -o \
	-name '*.cpp' 2> /dev/null))
## format-check: every file is formatted as .clang-format says
format-check: | bootstrap-format
	@clang-format --dry-run -Werror $(FORMATTED)
	@echo '$(words $(FORMATTED)) files formatted'

.PHONY: memcheck cachegrind callgrind massif
## memcheck: runs an example, or PROFILE='program argument ...', under that tool of Valgrind's
## cachegrind: the same: cache misses and mispredicted branches, by function
## callgrind: the same: instructions, by function and caller
## massif: the same: memory of malloc over time
memcheck: build/valgrind/examples/connection_arenas
cachegrind callgrind massif: build/release/examples/connection_arenas
memcheck cachegrind callgrind massif: | bootstrap-valgrind
	@scripts/profile $@ $(or $(PROFILE),$<)

.PHONY: examples
## examples: builds and runs the examples, which check themselves (docs/examples.md)
examples: $(debug_EXAMPLES)
	@for example in $^; do "$$example"; done

##@ Other
.PHONY: format lib dist build bootstrap clean
## format: formats every file in place
format: | bootstrap-format
	@clang-format -i $(FORMATTED)

## lib: build/lib/libtagheap.a, as you want it: CC, CFLAGS, CPPFLAGS and AR are yours
lib: build/lib/libtagheap.a

## dist: the library as two files, build/dist/tagheap.c and tagheap.h
dist: $(DIST)
	@wc -l $^ | sed 's/^ */  /'

## build: the debug library, heaplab and everything else, without running it
build: build-debug

## bootstrap: installs all packages that any target needs
bootstrap: bootstrap-all

## clean: removes build/ (never needed between variants)
clean:
	rm -rf build

# ---- corpora ---------------------------------------------------------------------------------

# The inputs of a target, as bytes, in build/corpus/TARGET/SET-NAME. Scripts for the heap and for
# subjects are text and are assembled; what the other targets read is kept as it is.
ASSEMBLED := heap subjects

define assembly
build/corpus/$(1)/$(2)-%.bin: corpus/$(1)/$(2)/%.txt build/debug/heaplab
	@mkdir -p $$(@D); rm -f $$@
	$$(Q)build/debug/heaplab asm --text $$< -o $$@
endef
$(foreach t,$(ASSEMBLED),$(foreach s,$(CORPUS_SETS),$(eval $(call assembly,$(t),$(s)))))

# $(call inputs,TARGET)
inputs = $(foreach f,$(call corpus_texts,$(1)),build/corpus/$(1)/$(subst /,-,$(f:corpus/$(1)/%.txt=%)).bin)

# Inputs whose source is gone go, too.
define remove_stale
	@mkdir -p $(1)
	@for file in $(1)/*; do \
		case ' $(2) ' in *" $$file "*) ;; *) rm -f "$$file" ;; esac; \
	done
endef

.PHONY: $(TARGETS:%=corpus-%)
define assembled
corpus-$(1): $(call inputs,$(1))
	$$(call remove_stale,build/corpus/$(1),$(call inputs,$(1)))
endef
$(foreach t,$(ASSEMBLED),$(eval $(call assembled,$(t))))

# The classic facade plays the heap's scripts.
corpus-classic: corpus-heap
	@rm -rf build/corpus/classic
	@cp -r build/corpus/heap build/corpus/classic

$(patsubst %,corpus-%,$(filter-out $(ASSEMBLED) classic,$(TARGETS))): corpus-%:
	@rm -rf build/corpus/$*
	@mkdir -p build/corpus/$*
	@for file in $(call corpus_files,$*); do \
		cp "$$file" "build/corpus/$*/$$(basename "$$(dirname "$$file")")-$$(basename "$$file")"; \
	done

# The results of suites, for `make scenarios`. Failures are scenarios' to report.
$(VARIANTS:%=build/%/results.tsv): build/%/results.tsv:
	$(Q)$(call run_suites,$*) --report-only
$(foreach v,$(VARIANTS),$(eval build/$(v)/results.tsv: $($(v)_PROGRAMS)))
build/tools/results.tsv: $(TOOLS_PROGRAMS) | bootstrap-valgrind
	@mkdir -p build/tools
	$(Q)$(run_tools) --report-only
