/* SPDX-License-Identifier: MIT */
/* Linked into every program of the worst variant, whose library calls this in each basic block. */
#include <stdint.h>

#include "worst/count.h"

void __sanitizer_cov_trace_pc(void);

uint64_t lab_blocks_entered;

void __sanitizer_cov_trace_pc(void) {
    lab_blocks_entered++;
}
