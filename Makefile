# SPDX-License-Identifier: MIT
# Everything is built in build/VARIANT/, so no variant ever needs `make clean`. What is particular
# to a variant stands in sanitize/VARIANT.mk; how things are built stands in scripts/variant.mk
# once. Each variant says:
#   VARIANT_CC, _CFLAGS, _LDFLAGS   compiler and flags beyond the common ones
#   VARIANT_AR                      what makes its archives (ar, if absent)
#   VARIANT_WARNINGS                its warnings, which are errors (WARNINGS, if absent)
#   VARIANT_DEPS                    makes the compiler write what a source includes (-MMD -MP, if
#                                   absent); if it is empty, everything depends on every header
#   VARIANT_JOIN                    how the library's objects are linked to one, if they are, before
#                                   they go into its archive
#   VARIANT_WHOLE                   if anything, its library is compiled from the two files of
#                                   `make dist`, but for the classic facade, so that its memory only
#                                   comes with those who use it. Suites, which look into it, are
#                                   linked with one in which they can
#                                   (build/VARIANT/open/libtagheap.a)
#   VARIANT_GUARD, _ASSERTS         the library's knobs TH_GUARD and TH_ASSERTS
#   VARIANT_DRIVER                  what runs the suites: cmocka or plain
#   VARIANT_NEEDS                   the group of packages that scripts/bootstrap looks after
#   VARIANT_RUN, _WRAP, _ENV        how scripts/run-suites runs them: its options, the command in
#                                   front of each program, and the environment
#   VARIANT_FUZZER, _SHIM           how a fuzz target is linked with the engine, and what else of
#                                   fuzz/engines it takes (fuzz, afl and oss only)
#   VARIANT_LINK                    by which command, if not CC
#   VARIANT_WITHOUT                 patterns of sources that are left out
#   VARIANT_LINKED                  sources of its own, linked into every program
#   VARIANT_SUBJECT, _ORACLE        further flags for what works on numbers only (SUBJECTS), and for
#                                   what checks and feeds it (ORACLES)
#   VARIANT_TESTS                   further flags for suites, though not for tests/misuse: where
#                                   the library is what matters, -O0 compiles in half the time
#   VARIANT_MACHINES                where it works (everywhere, if absent)
# and `## VARIANT-test: ...`, if it belongs into `make help`.
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
LAYOUT       ?=
SERVE        ?=
EXPLORE      ?=
SWEEP_TIME   ?= 60
ROUNDS       ?= 500
RELACY       ?=
INTERLEAVE   ?=
SYNTH_TIME   ?= 10m
WORST        ?=
PEERS_TIME   ?= 60
SUBJECT_SRC  ?=
SUBJECT_FLAGS ?=
BUGS         ?=
SEEDS        ?=
MUTATOR      ?=
MUTANTS      ?=
FILES        ?=
SINCE        ?=
BENCH        ?=
KILL         ?=
PROFILE      ?=
PROVE        ?=
EXTRA_CFLAGS ?=

# Where `make install` puts things, in the words of the GNU Coding Standards; PREFIX is prefix, too.
PREFIX      ?= /usr/local
prefix       = $(PREFIX)
exec_prefix  = $(prefix)
bindir       = $(exec_prefix)/bin
libdir       = $(exec_prefix)/lib
includedir   = $(prefix)/include
datarootdir  = $(prefix)/share
mandir       = $(datarootdir)/man
docdir       = $(datarootdir)/doc/tagheap
DESTDIR     ?=
HEAPLAB     ?= build/tool/heaplab

STD      := -std=c11
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wcast-align -Werror
INCLUDES := -Iinclude -Isrc -Ifuzz -Itests

# A word for the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'

-include scripts/settings.mk # not there where the library alone is

# ---- what there is ---------------------------------------------------------------------------

sources = $(sort $(wildcard $(1:%=%/*.c)))

TAGHEAP_SRC := $(call sources,src/base src/os src/heap src/alloc src/resource)
STUDY_SRC   := $(call sources,src/study)
LAB_SRC     := $(call sources,fuzz/script fuzz/model fuzz/result fuzz/runner fuzz/contract fuzz/bare fuzz/player \
	fuzz/fragmentation fuzz/subjects fuzz/explore \
	fuzz/film fuzz/shrink fuzz/export fuzz/attack fuzz/synthesis fuzz/sweep fuzz/mutate fuzz/worst fuzz/resources \
	fuzz/history fuzz/actors)
PROGRAM_SRC := $(call sources,fuzz/program)
PROGRAM_TEXT := build/embed/program.c
LAB_SRC     += $(if $(PROGRAM_SRC),$(PROGRAM_TEXT))
PAGE_FILES  := $(sort $(wildcard fuzz/film/page/*))
PAGE_TEXT   := build/embed/page.c
LAB_SRC     += $(if $(PAGE_FILES),$(PAGE_TEXT))
DIST        := build/dist/tagheap.c build/dist/tagheap.h
CLASSIC_SRC := $(filter %/classic.c,$(TAGHEAP_SRC))
ORACLES     := fuzz/model/% fuzz/runner/% fuzz/result/% fuzz/contract/% fuzz/bare/% fuzz/player/% fuzz/fragmentation/% \
	fuzz/mutate/% fuzz/targets/% fuzz/resources/% fuzz/synthesis/% fuzz/history/% fuzz/actors/%
SUBJECTS    := src/% build/dist/% fuzz/script/codec.c fuzz/script/script.c
CLI_SRC     := $(call sources,fuzz/cli)
SHIM_SRC    := fuzz/engines/libfuzzer.c fuzz/engines/afl.c
ENGINE_SRC  := $(filter-out fuzz/engines/replay.c $(SHIM_SRC),$(call sources,fuzz/engines))
TARGETS     := $(notdir $(basename $(call sources,fuzz/targets)))
BENCH_SRC   := $(call sources,bench)
KILL_SRC    := $(call sources,fuzz/kill)
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
library = $(if $($(1)_WHOLE),$(filter %.c,$(DIST)) $(CLASSIC_SRC),$(TAGHEAP_SRC))

# $(call kept,VARIANT,SOURCES): those that it does not leave out.
kept = $(filter-out $($(1)_WITHOUT),$(2))

# $(call knob,VARIANT,NAME,DEFAULT): what the variant says of it, which may be nothing.
knob = $(if $(filter undefined,$(origin $(1)_$(2))),$(3),$($(1)_$(2)))

# $(call stamp,TEXT): rewrites the target only if the text is another one than before.
stamp = @mkdir -p $(@D); printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@

include scripts/variant.mk

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

# The text of what exported programs consist of.
PROGRAM_FILES := $(PROGRAM_SRC) $(filter fuzz/program/%,$(HEADERS))
build/embed/lists: FORCE
	$(call stamp,'$(PROGRAM_FILES)' '$(PAGE_FILES)')
$(PROGRAM_TEXT): build/embed/lists scripts/embed $(PROGRAM_FILES)
	$(call say,TEXT,embed,$@)
	$(Q)scripts/embed $(PROGRAM_FILES) > $@

# And that of the pages that heaplab writes.
$(PAGE_TEXT): build/embed/lists scripts/embed $(PAGE_FILES)
	$(call say,TEXT,embed,$@)
	$(Q)scripts/embed --page $(PAGE_FILES) > $@

# The library to be shared. Nothing but what the public headers declare is visible in one file, and
# its own calls stay inside.
build/lib/libtagheap.so: $(DIST) build/lib/flags scripts/install $(wildcard scripts/install_lib/*)
	$(call say,LD,lib,$@)
	$(Q)$(lib_CC) $(lib_FLAGS) -fPIC $(lib_LDFLAGS) -shared -Wl,-Bsymbolic \
		-Wl,-soname,$$(scripts/install --soname) $< -o $@

# The manual pages; heaplab's is written by itself.
MANUAL := scripts/manual $(wildcard scripts/manual_lib/*) $(filter include/%,$(HEADERS))
build/man/tagheap.3: $(MANUAL) | bootstrap-dist
	$(call say,MAN,lib,$(@D))
	$(Q)rm -f $(@D)/*.3
	$(Q)scripts/manual $(@D)
build/man/heaplab.1: $(MANUAL) $(HEAPLAB) | build/man/tagheap.3
	$(call say,MAN,tool,$@)
	$(Q)scripts/manual --heaplab $(HEAPLAB) $(@D)

INSTALLED_LIB := build/lib/libtagheap.a build/lib/libtagheap-study.a build/lib/libtagheap.so build/man/tagheap.3

# AFL++'s side of the mutator: afl-fuzz, which is not instrumented, loads it.
MUTATOR_SRC := $(call sources,fuzz/mutate) $(filter-out fuzz/script/file.c,$(call sources,fuzz/script))
build/afl/mutator.so: fuzz/engines/afl.c $(MUTATOR_SRC) $(wildcard fuzz/mutate/*.h fuzz/script/*.h fuzz/script/*.def) \
		build/afl/flags build/afl/lists
	$(call say,LD,afl,$@)
	$(Q)clang $(STD) $(WARNINGS) $(INCLUDES) -O2 -g -fPIC -shared $(filter %.c,$^) -o $@

.PHONY: FORCE
FORCE:

GROUPS     := $(sort all bugs dist headers install install-check format mutants oss-fuzz-check peers prove relacy report scripts traces track trials types wad \
	$(foreach v,$(VARIANTS),$($(v)_NEEDS)))
BOOTSTRAPS := $(GROUPS:%=bootstrap-%)
.PHONY: $(BOOTSTRAPS)
$(BOOTSTRAPS): bootstrap-%:
	@scripts/bootstrap $*

##@ Start here
.PHONY: help
## help: prints this list
help:
	@scripts/help Makefile $(VARIANTS:%=sanitize/%.mk)

# The tracker for other people's programs. It shows nothing of the library in it, so that a program
# may use another one.
TRACK_SRC := $(filter-out fuzz/track/labtrack.c,$(call sources,fuzz/track)) fuzz/preload/preload.c \
	$(filter-out %_write.c,$(wildcard src/resource/tracker*.c)) src/alloc/allocator.c \
	src/alloc/guarding.c $(call sources,src/base) src/os/port.c
TRACK_HEADERS := $(filter include/% src/% fuzz/track/% fuzz/preload/%,$(HEADERS))
build/debug/liblabtrack.so: $(TRACK_SRC) $(TRACK_HEADERS) build/debug/flags | bootstrap-track
	$(call say,LD,debug,$@)
	$(Q)$(debug_CC) $(STD) $(WARNINGS) $(INCLUDES) -O2 -g -fPIC -fvisibility=hidden -shared -pthread \
		$(filter %.c,$^) -ldl -lunwind -o $@
build/debug/labtrack: fuzz/track/labtrack.c $(TRACK_HEADERS) build/debug/libtagheap.a
	$(call say,LD,debug,$@)
	$(Q)$(debug_CC) $(STD) $(WARNINGS) $(INCLUDES) -O1 -g $(filter %.c %.a,$^) -o $@

.PHONY: track-tools
## track-tools: builds what scripts/track needs
track-tools: build/debug/liblabtrack.so build/debug/labtrack

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
fuzz: export LAYOUT := $(LAYOUT)
fuzz: export SERVE := $(SERVE)
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
# VARIANT-test of those whose file says so (sanitize/VARIANT.mk), and:
.PHONY: scripts-test scripts-programs
# What the tests of the scripts call.
scripts-programs: build-debug build/debug/bench build/debug/killtest build/interleave/interleave \
		track-tools fuzz-programs build/worst/heaplab build/release/heaplab $(INSTALLED_LIB)

SCRIPT_TESTS  := $(sort $(wildcard tests/scripts/test_*.py))
LONGEST_FIRST := $(foreach t,dist builds fuzz surroundings plugin to_c engines,$(filter %/test_$(t).py,$(SCRIPT_TESTS)))
LONGEST_FIRST += $(filter-out $(LONGEST_FIRST),$(SCRIPT_TESTS))
## scripts-test: the tests of scripts/fuzz, scripts/record and the other scripts
scripts-test: scripts-programs | bootstrap-scripts
	@mkdir -p build/scripts
	$(Q)scripts/run-suites scripts --timeout 600 $(LONGEST_FIRST)

.PHONY: report-test
## report-test: a real browser opens the report and heaplab's pages (installs chromium)
report-test: fuzz-programs corpus | bootstrap-report
	@mkdir -p build/browser
	$(Q)scripts/run-suites browser --timeout 600 $(sort $(wildcard tests/browser/test_*.py))

.PHONY: tools-test
## tools-test: the benchmarks' budgets, and what Valgrind's tools report
TOOLS_PROGRAMS := build/release/bench build/release/bench-threads build/relacy/check \
	build/interleave/interleave build/debug/killtest build/release/examples/connection_arenas \
	$(valgrind_EXAMPLES) $(valgrind_MISUSES)
run_tools := scripts/run-suites tools --timeout 600 $(sort $(wildcard tests/tools/test_*.py))
tools-test: $(TOOLS_PROGRAMS) | bootstrap-valgrind
	@mkdir -p build/tools
	$(Q)$(run_tools)

# helgrind and DRD follow pthreads: neither the atomic operations of test_spin, nor children of a fork.
THREAD_SUITES := locked mutex resource_pool_threads threads
THREAD_PROGRAMS := $(THREAD_SUITES:%=build/valgrind/tests/test_%)
.PHONY: helgrind-test drd-test tsan-threads
# All of them, and no more than they need.
TSAN_SUITES   := actors history concurrent_pool_threads fork kept spin thread_cache $(THREAD_SUITES)
TSAN_PROGRAMS := $(TSAN_SUITES:%=build/tsan/tests/test_%)
## tsan-threads: of tsan-test, the suites with threads
tsan-threads: $(TSAN_PROGRAMS)
	@mkdir -p build/tsan-threads
	$(Q)$(tsan_ENV) scripts/run-suites tsan-threads --timeout 900 --wrap '$(tsan_WRAP)' \
		$(TSAN_PROGRAMS)

## helgrind-test: the suites with threads under Valgrind's helgrind (of glibc one remark is suppressed)
## drd-test: the same under DRD
helgrind-test drd-test: %-test: $(THREAD_PROGRAMS) | bootstrap-valgrind
	@mkdir -p build/$*
	$(Q)scripts/run-suites $* --timeout 900 \
		--wrap 'valgrind --tool=$* $(shell grep -v '^\#' valgrind/threads.options)' $(THREAD_PROGRAMS)

# Actors' scripts: those of a set are NAME-ACTOR.txt.
ACTOR_SETS := $(sort $(foreach f,$(wildcard fuzz/actors/scripts/*.txt),$(firstword $(subst -, \
	,$(notdir $(basename $(f)))))))
## interleavings: actors' scripts in every order, and by threads (ROUNDS=500), checked as histories
interleavings: build/debug/heaplab
	@for set in $(ACTOR_SETS); do \
		echo "$$set:"; $< actors fuzz/actors/scripts/$$set-*.txt; \
		$< actors --threads $(ROUNDS) fuzz/actors/scripts/$$set-*.txt; done

.PHONY: interleavings optimizations-test compilers-test big-endian-test cortex-m
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

.PHONY: attack synthesis explore sweep
## attack: prints which guard level notices which attack, and when
attack: build/debug/heaplab
	@scripts/attack build/debug/heaplab

## synthesis: writes where bugs would write, looks for harm that no guard reports (SYNTH_TIME=10m)
synthesis: export SYNTH_TIME := $(SYNTH_TIME)
synthesis: build/guarded/heaplab
	@scripts/synthesis $<

## sweep: fails the n-th allocation, request, move of every seed script (SWEEP_TIME=60 s)
sweep: build/debug/heaplab
	$(Q)$< sweep --seconds $(SWEEP_TIME) $(call corpus_texts,heap)

## explore: every operation in every state of a small heap (EXPLORE='--dwords 40' ...)
explore: build/explore/heaplab
	$(Q)scripts/explore $< $(EXPLORE)

.PHONY: report
## report: makes the report of the latest fuzzing run again (build/report/index.html)
report: fuzz-programs
	@scripts/report

.PHONY: relacy
## relacy: lock-free code under relacy's full search, 2 and 3 threads (RELACY=--quick)
relacy: build/relacy/check
	$(Q)$< $(RELACY)

# The macros of src/base/atomic.h are relacy's here, so its folder comes first.
build/relacy/check: sanitize/relacy/check.cpp sanitize/relacy/base/atomic.h \
		$(filter src/alloc/% src/base/% include/%,$(HEADERS)) | bootstrap-relacy
	$(call say,C++,relacy,$@)
	$(Q)mkdir -p $(@D)
	$(Q)g++ -std=c++17 -O2 -g -Wall -Wextra -Wshadow -Werror -Isanitize/relacy $(INCLUDES) $< -o $@

.PHONY: interleave
## interleave: programs of 2 and 3 actors in every interleaving of their steps (INTERLEAVE=--quick)
interleave: build/interleave/interleave
	$(Q)$< $(INTERLEAVE)

# The debug variant's library takes a step before each atomic operation.
INTERLEAVE_O := $(call objects,debug,$(call sources,fuzz/interleave) fuzz/cli/progress.c)
$(INTERLEAVE_O): $(HEADERS)
build/interleave/interleave: $(INTERLEAVE_O) build/debug/libtagheap.a
	$(call say,LD,debug,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(debug_CC) $(debug_LDFLAGS) $^ -o $@

.PHONY: fuzz-canary triage regress minimize bench-heaplab corpus coverage coverage-heap peers oss-fuzz-check
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

## minimize: shrinks CRASH=file (a failing script) to OUT (default: CRASH.min.txt)
minimize: export CRASH := $(CRASH)
minimize: export OUT := $(OUT)
minimize: build/fuzz/heaplab
	@$(fuzz_ENV) scripts/minimize $< "$$CRASH" "$${OUT:-$$CRASH.min.txt}"

## corpus: assembles the text corpora to build/corpus/TARGET/
corpus: $(TARGETS:%=corpus-%)

## oss-fuzz-check: builds for OSS-Fuzz and ClusterFuzzLite in a bare Debian, as root (OSS_FUZZ='--only NAME')
oss-fuzz-check: | bootstrap-oss-fuzz-check
	@scripts/oss-fuzz-check $(OSS_FUZZ)

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
	@scripts/peers $< $(PEERS_TIME) $(call corpus_texts,heap) $(call corpus_texts,subjects)

.PHONY: bench bench-docs bench-alloc bench-peers bugs
# What cannot be installed is left out.
BENCH_PROGRAMS := build/release/bench build/guarded/bench
bench-peers: | bootstrap-valgrind
	@scripts/bootstrap bench || echo 'bench: without what is missing' >&2

## bench: what the heap costs beside glibc, mimalloc ..., and your allocator (SUBJECT_SRC=mine.c)
bench: export SUBJECT_SRC := $(SUBJECT_SRC)
bench: export SUBJECT_FLAGS := $(SUBJECT_FLAGS)
bench: $(BENCH_PROGRAMS) $(if $(BENCH)$(SUBJECT_SRC),,build/release/bench-threads) | bench-peers
ifneq ($(SUBJECT_SRC),)
	@scripts/plugin --for-bench "$$SUBJECT_SRC" '$(release_CC)' g++ \
		'-Iinclude -Ifuzz $(release_CFLAGS) $(EXTRA_CFLAGS)' build/release/plugin \
		-shared build/release/plugin.so
endif
	@scripts/bench $(if $(SUBJECT_SRC),--plugin build/release/plugin.so) $(BENCH)
	@$(if $(BENCH)$(SUBJECT_SRC),:,scripts/bench-threads)

## bench-docs: the same, and renews figures and plots in docs/
bench-docs: $(BENCH_PROGRAMS) | bench-peers
	@scripts/bench --publish $(BENCH)

## bench-alloc: what the other allocators, their peers, and layouts of data cost; budgets hold
bench-alloc: $(BENCH_PROGRAMS) | bench-peers
	@scripts/bench allocators $(BENCH)

.PHONY: bench-threads
## bench-threads: operations a second of 1, 2, 4, 8 threads beside glibc, mimalloc, jemalloc
bench-threads: build/release/bench-threads | bench-peers
	@scripts/bench-threads $(BENCH)

build/release/bench-threads: $(call objects,release,bench/threads/threads.c) build/release/libtagheap.a
	$(call say,LD,release,$@)
	$(Q)$(release_CC) $(release_LDFLAGS) -pthread $^ -o $@

## bugs: which oracle finds which planted bug, how fast (SEEDS=20: curves; BUGS='--only GLOB' ...)
bugs: export SEEDS := $(SEEDS)
bugs: | bootstrap-bugs $(if $(SEEDS),bootstrap-trials)
	@scripts/bugs $(if $(SEEDS),--seeds "$$SEEDS") $(BUGS)

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

.PHONY: mutants
## mutants: a mutant at every place of FILES (src), or of lines changed SINCE=rev; none may survive
mutants: export FILES := $(FILES)
mutants: export SINCE := $(SINCE)
mutants: build-debug build-asan corpus | bootstrap-mutants
	@scripts/mutants $(if $(SINCE),--since "$$SINCE") $(MUTANTS) -- $${FILES:-src}

.PHONY: prove
## prove: sequences of the heap's calls are sound for all sizes, tags and sites (PROVE='--only GLOB')
prove: | bootstrap-prove
	@scripts/prove $(PROVE)

.PHONY: kill-test
## kill-test: processes die in a shared heap, at each store and at random (KILL='--kills 1000' ...)
kill-test: build/guarded/killtest
	@$< $(KILL)

.PHONY: mutator-bench
## mutator-bench: how soon planted bugs are found with the mutator, and without (MUTATOR='--seeds 1')
mutator-bench: | bootstrap-trials
	@scripts/mutator-bench $(MUTATOR)

##@ Checks
.PHONY: scenarios properties workflow-demo warnings headers freestanding format-check types
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
STRICT  := debug release
CHECKED := clang clang-release
# At -O3 (native) all but the suites, which are compiled at -O2.
warnings: $(STRICT:%=objects-%) $(CHECKED:%=checked-%) \
		$(filter-out build/native/obj/tests/%,$(native_OBJECTS))
	@echo '$(words $(debug_OBJECTS)) files without warnings, in each of: $(STRICT) native $(CHECKED)'

## headers: every header compiles alone, the public ones as C++ too
headers: | bootstrap-headers
	@scripts/check-headers

## freestanding: the library, without src/os, needs no C library, in 64 and 32 bits
freestanding: | bootstrap-m32
	@scripts/check-freestanding $(FREESTANDING)

FORMATTED = $(sort $(shell find include src fuzz tests bench examples sanitize -name '*.[ch]' -o \
	-name '*.cpp' 2> /dev/null))
## format-check: every file is formatted as .clang-format says
format-check: | bootstrap-format
	@clang-format --dry-run -Werror $(FORMATTED)
	@echo '$(words $(FORMATTED)) files formatted'

## types: the scripts' types hold (scripts/mypy.ini)
types: | bootstrap-types
	@mypy --config-file scripts/mypy.ini $$(grep -ls '^#!/usr/bin/python3' scripts/*) scripts/*_lib

.PHONY: memcheck cachegrind callgrind massif
## memcheck: runs an example, or PROFILE='program argument ...', under that tool of Valgrind's
## cachegrind: the same: cache misses and mispredicted branches, by function
## callgrind: the same: instructions, by function and caller
## massif: the same: memory of malloc over time
memcheck: build/valgrind/examples/connection_arenas
cachegrind callgrind massif: build/release/examples/connection_arenas
memcheck cachegrind callgrind massif: | bootstrap-valgrind
	@scripts/profile $@ $(or $(PROFILE),$<)

.PHONY: examples wadcache cache-rates
## wadcache: a level's lumps go through cache and heap, which is drawn (WAD=file, else freedoom's)
wadcache: build/release/examples/wadcache | bootstrap-wad
	@scripts/wadcache $(if $(WAD),--wad $(call quoted,$(WAD)))
## cache-rates: LRU and SIEVE beside Belady's optimum, on what three real programs access
cache-rates: build/release/examples/cache_trace build/release/examples/wadcache | bootstrap-traces
	@scripts/cache-rates
## examples: builds and runs the examples, which check themselves (docs/examples.md)
examples: $(debug_EXAMPLES)
	@for example in $^; do "$$example"; done

##@ Other
.PHONY: format lib dist build bootstrap clean
## format: formats every file in place
format: | bootstrap-format
	@clang-format -i $(FORMATTED)

## lib: build/lib/libtagheap.a, as you want it: CC, CFLAGS, CPPFLAGS and AR are yours
lib: build/lib/libtagheap.a build/lib/libtagheap-study.a

## dist: the library as two files, build/dist/tagheap.c and tagheap.h
dist: $(DIST)
	@wc -l $^ | sed 's/^ */  /'

.PHONY: install install-lib uninstall install-check
## install: library, headers, pkg-config and CMake files, heaplab, manual (PREFIX=/usr/local DESTDIR=)
install: $(INSTALLED_LIB) $(HEAPLAB) build/man/heaplab.1
## install-lib: the same without heaplab
install-lib: $(INSTALLED_LIB)
install-lib: INSTALL_WHAT := --only library
## uninstall: removes what `make install` with the same PREFIX and DESTDIR puts in place
uninstall: INSTALL_WHAT := --uninstall
uninstall: | bootstrap-dist
INSTALL_FOLDERS := prefix bindir libdir includedir mandir docdir
install install-lib uninstall:
	@scripts/install $(INSTALL_WHAT) --destdir $(call quoted,$(DESTDIR)) \
		$(foreach name,$(INSTALL_FOLDERS),--$(name) $(call quoted,$($(name)))) \
		--library build/lib --manual build/man --heaplab $(HEAPLAB)

## install-check: installs into a Debian system made for it, and builds programs there (needs root)
install-check: | bootstrap-install-check
	@scripts/install-check

## build: the debug library, heaplab and everything else, without running it
build: build-debug

## bootstrap: installs all packages that any target needs
bootstrap: bootstrap-all

## clean: removes build/ (never needed between variants)
clean:
	rm -rf build

-include fuzz/corpus.mk # not there where the library alone is

# The results of suites, for `make scenarios`. Failures are scenarios' to report.
$(VARIANTS:%=build/%/results.tsv): build/%/results.tsv:
	$(Q)$(call run_suites,$*) --report-only
$(foreach v,$(VARIANTS),$(eval build/$(v)/results.tsv: $($(v)_PROGRAMS)))
build/tools/results.tsv: $(TOOLS_PROGRAMS) | bootstrap-valgrind
	@mkdir -p build/tools
	$(Q)$(run_tools) --report-only
