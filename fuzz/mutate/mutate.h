/* SPDX-License-Identifier: MIT */
/* The mutator core: makes new inputs of old ones. It knows what a script is, so that each mutation
 * is a small change of meaning: an operation more, another size, a free of what is live. Engines
 * reach it through thin shims (fuzz/engines/libfuzzer.c, fuzz/engines/afl.c).
 *
 * The same mutator seed, the same calls before and the same seed of the call give the same
 * result. What is random is weighed by a swarm profile, another one every LAB_SWARM_EPOCH
 * mutations (mutate/swarm.h).
 *
 * Long scripts cost time, and most mistakes need few operations: what is new is short at first and
 * may be the longer the more mutations there have been. */
#ifndef LAB_MUTATE_MUTATE_H
#define LAB_MUTATE_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mutate/swarm.h"
#include "script/script.h"

/* What a target's inputs are. Each target says it: const lab_mutate_form lab_target_form. */
typedef enum lab_mutate_form {
    LAB_MUTATE_SCRIPT,   /* scripts as bytes: every result is canonical bytes */
    LAB_MUTATE_NUMBERED, /* the same with the subject's number in front */
    LAB_MUTATE_BYTES,    /* any bytes: half of the results are canonical bytes */
    LAB_MUTATE_TEXT      /* any text: half of the results are scripts, if the input is one */
} lab_mutate_form;

extern const lab_mutate_form lab_target_form;

/* An engine's own mutation, in place, of bytes that know nothing of scripts; returns the new size,
 * at most max_size. */
typedef size_t lab_mutate_bytes(uint8_t *bytes, size_t size, size_t max_size);

typedef struct lab_mutator lab_mutator;

/* `bytes` may be NULL: then the core's own byte mutation is used. NULL if there is no memory. */
lab_mutator *lab_mutator_new(uint64_t seed, lab_mutate_form form, lab_mutate_bytes *bytes);
void lab_mutator_destroy(lab_mutator *mutator);

/* Mutates the input in bytes[0 .. size-1] in place; returns its new size, at most max_size. 0: a
 * script does not fit into max_size (its header is longer), or there is no memory. */
size_t lab_mutate(lab_mutator *mutator, uint8_t *bytes, size_t size, size_t max_size,
                  uint64_t seed);

/* Writes a cross of the inputs a and b into out[0 .. max_size-1]; returns its size, 0 as above, or
 * if there is nothing to cross (one of them holds no operation, or is no script). */
size_t lab_mutate_cross(lab_mutator *mutator, const uint8_t *a, size_t a_size, const uint8_t *b,
                        size_t b_size, uint8_t *out, size_t max_size, uint64_t seed);

/* Applies one mutation to a valid script, which stays valid and has at most ops_max operations
 * afterwards if it had no more before. False: it is not possible there (nothing to delete, no
 * room, no memory), and nothing was changed. `other` is crossed in by LAB_MUTATION_CROSS and not
 * used (NULL) by the rest. LAB_MUTATION_BYTES does its work on the canonical bytes. */
bool lab_mutate_apply(lab_mutator *mutator, lab_mutation mutation, lab_script *script,
                      const lab_script *other, size_t ops_max);

/* What the last call applied, in that order, as words: "insert+operand". Valid until the next call
 * of any kind. */
const char *lab_mutator_describe(lab_mutator *mutator);

/* The profile in use, its seed and its epoch. */
const lab_swarm *lab_mutator_swarm(const lab_mutator *mutator, uint64_t *seed, uint64_t *epoch);

/* ---- trimming (trim.c) ---------------------------------------------------------------------- */

/* Makes an input shorter while its user says that it still does the same: ranges of operations are
 * left out, half of the script first, single operations last. */
typedef struct lab_trim {
    lab_script script;    /* the shortest that was accepted */
    lab_script candidate; /* without ops[at .. at+length-1] */
    size_t at, length;
    unsigned steps; /* candidates so far */
} lab_trim;

#define LAB_TRIM_STEPS_MAX 64u

/* A zeroed lab_trim may be started. False: nothing to trim, or no memory. */
bool lab_trim_start(lab_trim *trim, const uint8_t *bytes, size_t size);

/* The next candidate as canonical bytes; returns their size. 0: there are no more. */
size_t lab_trim_next(lab_trim *trim, uint8_t *bytes, size_t capacity);

/* Says whether the last candidate does the same. */
void lab_trim_answer(lab_trim *trim, bool same);

/* Are there no more candidates? */
bool lab_trim_is_done(const lab_trim *trim);

void lab_trim_clean_up(lab_trim *trim);

#endif
