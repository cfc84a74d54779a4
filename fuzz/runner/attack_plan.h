/* SPDX-License-Identifier: MIT */
/* What an attack on the heap does, as data: where the damage is, which calls meet it, and what they
 * must report. All of it follows from the model. The runner makes the calls (attack.c), the
 * exporter writes them down as C (export/attack.c). */
#ifndef LAB_RUNNER_ATTACK_PLAN_H
#define LAB_RUNNER_ATTACK_PLAN_H

#include "model/exact.h"
#include "runner/rules.h"
#include "script/script.h"
#include "tagheap/heap.h"

/* The functions that an attack calls. A call is refused if it returns NULL or 0, moves no block. */
typedef enum lab_attack_function {
    LAB_CALL_FREE,
    LAB_CALL_RESIZE, /* to `bytes` */
    LAB_CALL_TRIM,
    LAB_CALL_USABLE_SIZE,
    LAB_CALL_REQUESTED_SIZE,
    LAB_CALL_ALLOC,     /* `bytes`, of tag `low` */
    LAB_CALL_FREE_TAGS, /* low..high */
    LAB_CALL_COMPACT,   /* with a veto for every block */
    LAB_CALL_COPY       /* of the heap to where its next copy goes; the copy is ended at once */
} lab_attack_function;

typedef struct lab_attack_call {
    lab_attack_function function;
    const char *detail; /* part of a failure's signature */
    size_t bytes;       /* bytes */
    uint32_t low, high; /* tags */
    uint32_t inside;    /* in bytes from the plan's pointer: what is freed, resized ... */
    bool may_pass;      /* false: it must be refused, and the fault be raised */
    bool takes_note;    /* a refused call counts a failure or leaves its cursor: that is undone */
} lab_attack_call;

typedef enum lab_damage {
    LAB_DAMAGE_NONE,
    LAB_DAMAGE_DWORD,  /* of the region: `place` in dwords from its start */
    LAB_DAMAGE_COUNTER /* of the control structure: `place` in LAB_ATTACK_COUNTERS */
} lab_damage;

/* The counters that an attack damages. X(field of th_heap) */
#define LAB_ATTACK_COUNTERS(X)                                                                     \
    X(head_blocks)                                                                                 \
    X(tail_blocks)                                                                                 \
    X(free_blocks) X(head_dwords) X(tail_dwords) X(high_water_dwords)

#define LAB_ATTACK_CALLS_MAX 16
#define LAB_ATTACK_MOVES_MAX 5

typedef struct lab_attack_plan {
    bool possible; /* false: there is nothing to attack here, or nothing that would notice */

    /* What is damaged: bits of one dword, from its first byte in memory on. */
    lab_damage damage;
    uint32_t place, mask;

    /* What must be reported. */
    th_fault_kind kind;
    uint32_t block; /* LAB_EXACT_NONE: any */
    uint32_t byte;  /* from the start of the region; LAB_EXACT_NONE: any */
    bool found;     /* must the checker find it? */

    /* The calls while the damage is there, in order. Their pointer lies that many bytes from the
     * start of the region, modulo 2^32, as it may lie below. */
    uint32_t pointer;
    lab_attack_call calls[LAB_ATTACK_CALLS_MAX];
    size_t calls_count;

    /* After the repair: blocks whose move must be refused if the same damage is made while the move
     * callback is asked about them. */
    uint32_t moves[LAB_ATTACK_MOVES_MAX];
    size_t moves_count;
} lab_attack_plan;

/* The heap that is attacked. */
typedef struct lab_attack_target {
    const lab_exact *model;
    const lab_heap_history *history;
    int guard;      /* the heap's level */
    bool indexed;   /* does it have an index? */
    uint32_t block; /* of the attacked slot */
} lab_attack_target;

/* O(blocks). `op` is an attack. */
lab_attack_plan lab_attack_plan_of(const lab_attack_target *target, const lab_op *op);

#endif
