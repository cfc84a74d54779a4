/* SPDX-License-Identifier: MIT */
#include "runner/runner.h"

void lab_run_counts_add(lab_run_counts *to, const lab_run_counts *from) {
    to->ops += from->ops;
    to->acted += from->acted;
    to->checked += from->checked;
    to->whole += from->whole;
    to->checkers += from->checkers;
    to->failed_allocs += from->failed_allocs;
    to->moves += from->moves;
    to->vetoes += from->vetoes;
    for (unsigned i = 0; i < LAB_OP_COUNT; i++) {
        to->by_kind[i] += from->by_kind[i];
    }
}
