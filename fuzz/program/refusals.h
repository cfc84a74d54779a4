/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_REFUSALS_H
#define LAB_PROGRAM_REFUSALS_H

#include "program/core.h"
#include "program/refused.h"

/* Makes calls that must be refused, or lie at the limits of what is accepted. `shift_fits`: the
 * heap can be copied to a place that is off by one unit of its alignment. */
void refuse_all(size_t bytes, bool shift_fits);

#endif
