# SPDX-License-Identifier: MIT
# How one variant is built: the template that the Makefile fills in for each file of sanitize/, with
# what the file says. In it, $$(x) is known when a rule is read or run, $(1) is the variant's name.
define variant
$(1)_FLAGS := $(STD) $(call knob,$(1),WARNINGS,$(WARNINGS)) $(INCLUDES) \
	$($(1)_GUARD:%=-DTH_GUARD=%) $($(1)_ASSERTS:%=-DTH_ASSERTS=%) $($(1)_CFLAGS) $(EXTRA_CFLAGS)
$(1)_DEPENDS := $(call knob,$(1),DEPS,-MMD -MP)
$(1)_DRIVERS  := $(call objects,$(1),tests/driver_common.c tests/driver_$($(1)_DRIVER).c)
$(1)_LINKED_O := $(call objects,$(1),$($(1)_LINKED))
$(1)_LIBS     := build/$(1)/libheaplab.a build/$(1)/libtagheap-study.a build/$(1)/libtagheap.a $$($(1)_LINKED_O)
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
$(1)_PARTS    := $(call objects,$(1),$(PROGRAM_SRC))
$(1)_PROGRAMS := $$($(1)_SUITES) $$($(1)_MISUSES) $$($(1)_EXAMPLES) $$($(1)_REPLAYS) \
	$$($(1)_HEAPLAB)
$(1)_OBJECTS  := $(call objects,$(1),$(call library,$(1)) $(STUDY_SRC) $(LAB_SRC) $(CLI_SRC) $(ENGINE_SRC) \
	$(SHIM_SRC) $(TESTS_SRC) $(RECORD_SRC) fuzz/engines/replay.c $(TARGETS:%=fuzz/targets/%.c) \
	$(SUITES:%=tests/%.c) $(MISUSES:%=tests/misuse/%.c) $(EXAMPLES:%=examples/%.c) \
	$(PLUGINS:%=examples/%.c) $(BENCH_SRC) $(KILL_SRC)) $$($(1)_PARTS) $$($(1)_DRIVERS) $$($(1)_LINKED_O)

build/$(1)/flags: FORCE | $($(1)_NEEDS:%=bootstrap-%)
	$$(call stamp,"$$$$($($(1)_CC) --version | head -n 1)" $(call knob,$(1),AR,ar) \
		$$(call quoted,$$($(1)_FLAGS)) $$(call quoted,$$($(1)_LDFLAGS)) \
		$$(call quoted,$$($(1)_SUBJECT)) $$(call quoted,$$($(1)_ORACLE)) $($(1)_TESTS))
build/$(1)/lists: FORCE
	$$(call stamp,'$(TAGHEAP_SRC)' '$(STUDY_SRC)' '$(LAB_SRC)' '$(CLI_SRC)' '$(ENGINE_SRC)' '$(TESTS_SRC)' \
		'$(RECORD_SRC)' '$(BENCH_SRC)' '$(KILL_SRC)')

build/$(1)/obj/%.o: %.c build/$(1)/flags $$(if $$($(1)_DEPENDS),,$(HEADERS))
	$$(call say,CC,$(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$($(1)_FLAGS) $$(if $$(filter $(SUBJECTS),$$<),$$($(1)_SUBJECT)) \
		$$(if $$(filter $(DIST),$$<),-DTH_CLASSIC=0) \
		$$(if $$(filter $(ORACLES),$$<),$$($(1)_ORACLE)) \
		$$(if $$(filter tests/test_% tests/%_fixture.c,$$<),$($(1)_TESTS)) $$($(1)_DEPENDS) -c $$< -o $$@

# What clang warns of, it knows before it generates code: to check alone is many times faster.
$(1)_CHECKED := $$($(1)_OBJECTS:build/$(1)/obj/%.o=build/$(1)/checked/%)
build/$(1)/checked/%: %.c build/$(1)/flags $(HEADERS) $(wildcard fuzz/*/*.def)
	$$(call say,CHECK,$(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$($(1)_FLAGS) $$(if $$(filter $(DIST),$$<),-DTH_CLASSIC=0) -fsyntax-only $$<
	$$(Q)touch $$@

build/$(1)/libtagheap.a: $(call objects,$(1),$(call library,$(1)))
build/$(1)/libtagheap-study.a: $(call objects,$(1),$(STUDY_SRC))
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
build/$(1)/open/libtagheap.a: build/$(1)/open/tagheap.o $(call objects,$(1),$(CLASSIC_SRC))
build/$(1)/open/tagheap.o: $(DIST) build/$(1)/flags
	$$(call say,CC,$(1),'$$< (open)')
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$($(1)_FLAGS) $$($(1)_SUBJECT) -DTH_INTERNAL= -DTH_CLASSIC=0 -c $$< -o $$@

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

# Processes that die in the shared heap.
build/$(1)/killtest: $(call objects,$(1),$(KILL_SRC)) build/$(1)/libtagheap.a $$($(1)_LINKED_O) \
		build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) $$(filter %.o %.a,$$^) -o $$@

# It shows the library to plug-ins, as heaplab does.
$$($(1)_BENCH): $(call objects,$(1),$(BENCH_SRC)) $$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) $$(filter %.o,$$^) $$(filter-out %/libtagheap.a,$$(filter %.a,$$^)) \
		$$(call whole,$$(filter %/libtagheap.a,$$^)) -o $$@

build/$(1)/replay_%: build/$(1)/obj/fuzz/targets/%.o build/$(1)/obj/fuzz/engines/replay.o \
		$(call objects,$(1),$(ENGINE_SRC)) $$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_LDFLAGS) $$(filter %.o %.a,$$^) -o $$@

build/$(1)/fuzz_%: build/$(1)/obj/fuzz/targets/%.o $(call objects,$(1),$(ENGINE_SRC) \
		$($(1)_SHIM)) $$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$(or $($(1)_LINK),$($(1)_CC)) $($(1)_FUZZER) $$(filter %.o %.a,$$^) -o $$@

# The same without our mutator, to measure what it is worth.
build/$(1)/plain_%: build/$(1)/obj/fuzz/targets/%.o $(call objects,$(1),$(ENGINE_SRC)) \
		$$($(1)_LIBS) build/$(1)/lists
	$$(call say,LD,$(1),$$@)
	$$(Q)$(or $($(1)_LINK),$($(1)_CC)) $($(1)_FUZZER) $$(filter %.o %.a,$$^) -o $$@

# A preload library, never instrumented: it lives in other people's programs.
build/$(1)/liblabrecord.so: fuzz/record/recorder.c fuzz/preload/preload.c \
		$(filter fuzz/record/% fuzz/preload/%,$(HEADERS)) build/$(1)/flags
	$$(call say,LD,$(1),$$@)
	$$(Q)$($(1)_CC) $(STD) $(WARNINGS) $(INCLUDES) -O2 -g $(filter -m32,$($(1)_CFLAGS)) -fPIC \
		-shared -pthread $$(filter %.c,$$^) -ldl -o $$@

-include $$($(1)_OBJECTS:.o=.d)

.PHONY: build-$(1) objects-$(1) checked-$(1) run-$(1) $(1)-test
$(1)-test: run-$(1)
build-$(1): $$($(1)_PROGRAMS) $$($(1)_PARTS) $$($(1)_FUZZERS) $$($(1)_CONVERT) $$($(1)_RECORDER)
objects-$(1): $$($(1)_OBJECTS)
checked-$(1): $$($(1)_CHECKED)
ifneq ($(filter $(or $($(1)_MACHINES),$(MACHINE)),$(MACHINE)),)
run-$(1): $$($(1)_PROGRAMS) $$($(1)_PARTS)
	$$(Q)$$(call run_suites,$(1))
else
run-$(1):
	@echo '$(1): skipped: needs a machine of the kind $($(1)_MACHINES), this is $(MACHINE)'
endif
endef
