# SPDX-License-Identifier: MIT
# What is wrong with settings of make is said here, before anything is installed or built.

ifneq ($(filter regress minimize,$(MAKECMDGOALS)),)
ifeq ($(CRASH),)
$(error $(filter regress minimize,$(MAKECMDGOALS)): which file? make $(firstword $(filter \
	regress minimize,$(MAKECMDGOALS))) CRASH=file)
endif
endif

# What is wrong with fuzzing's settings the scripts say that read them. (A machine without Python has
# them read by scripts/fuzz when all is there.)
fuzz_error = $(shell command -v python3 > /dev/null || exit 0; { scripts/fuzz --check \
	--time=$(call quoted,$(FUZZ_TIME)) --engine=$(call quoted,$(ENGINE)) \
	$(if $(KNOWN),--known=$(call quoted,$(KNOWN))) \
	$(if $(SYNC),--sync=$(call quoted,$(SYNC))) \
	$(if $(HOST_NAME),--host=$(call quoted,$(HOST_NAME))) \
	$(if $(LAYOUT),--layout=$(call quoted,$(LAYOUT))) \
	$(if $(SERVE),--serve=$(call quoted,$(SERVE))) $(if $(SUBJECT_SRC),plugin \
	&& SUBJECT_FLAGS=$(call quoted,$(SUBJECT_FLAGS)) scripts/plugin --check \
	$(call quoted,$(SUBJECT_SRC))); } 2>&1)
ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
settings_error := $(fuzz_error)
ifneq ($(settings_error),)
$(error $(settings_error))
endif
endif

# So is what is wrong with a plug-in to measure.
ifneq ($(and $(filter bench,$(MAKECMDGOALS)),$(SUBJECT_SRC)),)
settings_error := $(shell command -v python3 > /dev/null || exit 0; \
	SUBJECT_FLAGS=$(call quoted,$(SUBJECT_FLAGS)) scripts/plugin --for-bench --check \
	$(call quoted,$(SUBJECT_SRC)) 2>&1)
ifneq ($(settings_error),)
$(error $(settings_error))
endif
endif

# So is what is no number where a program that takes one would have to be built to say it.
numbers := $(subst interleavings,ROUNDS,$(subst sweep,SWEEP_TIME,$(subst peers,PEERS_TIME,\
	$(filter interleavings sweep peers,$(MAKECMDGOALS)))))
$(foreach n,$(numbers),$(if $(shell [[ $(call quoted,$($(n))) =~ ^([1-9][0-9]{0,5}|1000000)$$ ]] \
	&& echo yes),,$(error $(n)=$(call quoted,$($(n))): no number from 1 to 1000000)))
