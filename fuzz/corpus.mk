# SPDX-License-Identifier: MIT
# The inputs of a target, as bytes, in build/corpus/TARGET/SET-NAME. Scripts for the heap and for
# subjects are text and are assembled; what the other targets read is kept as it is.
ASSEMBLED := heap subjects
ASSEMBLER := build/debug/heaplab

define assembly
build/corpus/$(1)/$(2)-%.bin: corpus/$(1)/$(2)/%.txt $$(ASSEMBLER)
	@mkdir -p $$(@D); rm -f $$@
	$$(Q)$$(ASSEMBLER) asm --text $$< -o $$@
endef
$(foreach t,$(ASSEMBLED),$(foreach s,$(CORPUS_SETS),$(eval $(call assembly,$(t),$(s)))))

# $(call inputs,TARGET)
inputs = $(foreach f,$(call corpus_texts,$(1)),build/corpus/$(1)/$(subst /,-,$(f:corpus/$(1)/%.txt=%)).bin)

# Inputs whose source is gone go, too.
.PHONY: $(TARGETS:%=corpus-%)
define assembled
corpus-$(1): $(call inputs,$(1))
	@scripts/corpus-folder keep build/corpus/$(1) $(call inputs,$(1))
endef
$(foreach t,$(ASSEMBLED),$(eval $(call assembled,$(t))))

# The classic facade plays the heap's scripts.
corpus-classic: corpus-heap
	@rm -rf build/corpus/classic
	@cp -r build/corpus/heap build/corpus/classic

$(patsubst %,corpus-%,$(filter-out $(ASSEMBLED) classic,$(TARGETS))): corpus-%:
	@scripts/corpus-folder copy build/corpus/$* $(call corpus_files,$*)

# What scripts/oss-fuzz-build asks for.
.PHONY: oss-fuzz-programs
oss-fuzz-programs: $(oss_FUZZERS) corpus
