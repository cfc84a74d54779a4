/* SPDX-License-Identifier: MIT */
/* What a run consists of. Private to fuzz/runner/. */
#ifndef LAB_RUNNER_STATE_H
#define LAB_RUNNER_STATE_H

#include "model/exact.h"
#include "runner/rules.h"
#include "runner/runner.h"
#include "runner/snapshot.h"

#define LAB_EDGE_BYTES 64 /* on both sides of the region: must stay as they are */

struct lab_runner {
    unsigned char *arenas[2];
    unsigned arena;      /* which one the heap lives in */
    size_t region_bytes; /* as given to init */
    unsigned char *base;
    lab_index indexes[2]; /* for the heap in each arena */
    th_heap heap;
    lab_exact model;
    lab_slot *slots; /* 65,536; of these, [0, slots_used) may be live */
    uint32_t slots_used;

    const lab_script *script;
    const lab_op *op;
    size_t index;
    uint32_t seed; /* counts allocations: the next slot's contents */
    lab_failure *failure;
    lab_run_counts counts;

    lab_moves moves;   /* what the model's compaction asked */
    size_t moves_seen; /* what the heap's has asked so far */

    lab_low_memory low; /* the model's callback during the current operation */
    uint32_t low_calls; /* the heap's */

    lab_injection *inject; /* NULL: none */

    int lock_depth; /* lock hooks called minus unlock hooks called */

    bool expect_reentry; /* faults of that kind are what the script wants */
    uint32_t reentries;
    bool attacking; /* faults are what the script wants; the first since 0 is kept */
    uint32_t attack_faults;
    th_fault attack_fault;
    lab_heap_history history;
    lab_comparison comparison;
    lab_snapshot snapshot;
    bool unexplained; /* the last comparison by snapshot did not come to an end, or was not made */
    bool whole;       /* all blocks have been compared after this operation */
    bool faulted;     /* an unexpected fault; the first one is kept */
    th_fault fault;
};

/* Records a failure unless there is one already; always false, for `return lab_fail(...)`. */
bool lab_fail(lab_runner *r, lab_property property, const char *detail, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Fails unless the two values are equal. */
bool lab_expect(lab_runner *r, lab_property property, const char *detail, uint64_t expected,
                uint64_t found);

/* The payload of the block whose header is at `block`; NULL for LAB_EXACT_NONE. */
unsigned char *lab_payload(const lab_runner *r, uint32_t block);

/* A pointer of the heap's as a header offset: LAB_EXACT_NONE for NULL; an impossible offset for a
 * pointer that cannot be a payload. */
uint32_t lab_block_of(const lab_runner *r, const void *payload);

/* What lab_block_of says of an address that is no payload of the region. */
#define LAB_BLOCK_FOREIGN (LAB_EXACT_NONE - 1)

/* Where an address is, in bytes from the region's start: for messages. */
ptrdiff_t lab_place_of(const lab_runner *r, const void *address);

/* A fresh heap and model (start.c), as the script's configuration says. *accepted is false
 * where both refuse. False: a failure. */
bool lab_start(lab_runner *r, int guard, bool *accepted);

/* Ends the heap and clears what it has used of its region, so that no run sees what an earlier one
 * has left, and the same script gives the same result. Nothing is done for a zeroed heap. */
void lab_forget(th_heap *heap);

/* Prepares the edges of the region that lies in the arena as the heap's lies in its own. */
void lab_write_edges(const lab_runner *r, unsigned arena);

/* Plays one operation (ops.c). *acted is false if its slot was unsuitable. False: a failure. */
bool lab_perform(lab_runner *r, const lab_op *op, bool *acted);

/* Fails unless the heap's pointer is the payload of the block at `expected`. */
bool lab_expect_block(lab_runner *r, uint32_t expected, const void *payload);

/* Calls that must be refused (refusals.c). False: one was not. */
bool lab_refusals(lab_runner *r, const lab_op *op);

/* Attacks the heap (attack.c). False: it did not defend itself as it must. */
bool lab_attack_heap(lab_runner *r, const lab_op *op);

/* The checks of LAB_CHECKS_OF_OP and LAB_CHECKS_OF_STATE (compare.c). False: a failure. */
bool lab_check_fault(lab_runner *r);
bool lab_check_lock(lab_runner *r);
bool lab_check_blocks(lab_runner *r);
bool lab_check_stats(lab_runner *r);
bool lab_check_checker(lab_runner *r);
bool lab_check_edges(lab_runner *r);

/* The heap's callbacks and the model's (callbacks.c). */
bool lab_heap_may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes);
bool lab_model_may_move(void *context, uint32_t tag, uint32_t from, uint32_t to, uint32_t bytes);
bool lab_heap_low_memory(void *context, th_heap *heap, size_t bytes);
bool lab_model_low_memory(void *context, lab_exact *model, size_t bytes);
void lab_on_fault(void *context, const th_fault *fault);
void lab_lock(void *context);
void lab_unlock(void *context);

#endif
