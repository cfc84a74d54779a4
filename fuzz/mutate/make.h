/* SPDX-License-Identifier: MIT */
/* Makes the parts of scripts: configurations, operations and their operands, as a swarm profile
 * weighs them, with values that hit boundaries. */
#ifndef LAB_MUTATE_MAKE_H
#define LAB_MUTATE_MAKE_H

#include "mutate/live.h"
#include "mutate/random.h"
#include "mutate/swarm.h"
#include "script/script.h"

typedef struct lab_maker {
    lab_random random;
    lab_swarm swarm;
} lab_maker;

/* A whole configuration; and one with another value for one of its keys. Operations that are there
 * already must be fitted to a smaller number of slots (lab_make_fit). */
void lab_make_config(lab_maker *maker, lab_config *config);
void lab_make_config_key(lab_maker *maker, lab_config *config);

/* Names only slots that there are. */
void lab_make_fit(lab_script *script);

/* An operation for this place, and what it leaves live. */
lab_op lab_make_op(lab_maker *maker, lab_live *live, const lab_config *config);

/* An operation of this kind for this place. */
lab_op lab_make_kind(lab_maker *maker, lab_op_kind kind, const lab_live *live,
                     const lab_config *config);

/* Another value for one of the operation's fields; false: it has none. */
bool lab_make_operand(lab_maker *maker, lab_op *op, const lab_live *live, const lab_config *config);

#endif
