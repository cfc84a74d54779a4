/* SPDX-License-Identifier: MIT */
/* Histories: what threads called, what came back, and when; and a checker that says whether they
 * are linearizable: whether each call may have had its whole effect at one moment between its
 * invocation and its return, as a sequential model allows (Herlihy and Wing, TOPLAS 12(3), 1990).
 *
 *   actor 0   |--- alloc -> 0 ---|        |-- free 0 --|
 *   actor 1          |--- alloc -> NULL ---|
 *              time ->                                        a pool of one: yes, NULL after 0
 *
 * The search is that of Wing and Gong (JPDC 17, 1993), with what Lowe added (Concurrency and
 * Computation 29(4), 2017): configurations (the calls that were placed, and the state they lead to)
 * that have failed are remembered, and each object's calls are searched alone. */
#ifndef LAB_HISTORY_HISTORY_H
#define LAB_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAB_CALL_ARGUMENTS = 4 };

/* One call. Stamps are from one clock of all threads; a call that returned before another one was
 * invoked has a smaller `returned` than that one's `invoked`. */
typedef struct lab_call_record {
    uint64_t invoked;
    uint64_t returned; /* > invoked */
    uint64_t arguments[LAB_CALL_ARGUMENTS];
    uint64_t result;
    uint32_t actor;
    uint32_t object;
    uint32_t kind; /* what the model knows it by */
} lab_call_record;

typedef struct lab_history {
    lab_call_record *calls; /* calls[0 .. count-1], in any order; owned */
    size_t count;
    size_t capacity;
} lab_history;

/* A zeroed lab_history is empty. False: no memory, and nothing was added. */
bool lab_history_add(lab_history *history, const lab_call_record *call);
void lab_history_clean_up(lab_history *history);

/* What the calls mean when nothing is concurrent. */
typedef struct lab_sequential {
    size_t state_bytes;
    size_t key_bytes; /* of a state: its first bytes, in which two states that behave alike are
                         alike, and two that do not are not */
    /* *state is zeroed before. */
    void (*start)(const void *context, void *state);
    /* Plays the call. False: it does not come to this result here; *state may be anything then. */
    bool (*step)(const void *context, void *state, const lab_call_record *call);
    /* For a person: the call, in a few words. */
    void (*print)(const lab_call_record *call, char *text, size_t bytes);
    const void *context;
} lab_sequential;

typedef enum lab_linear {
    LAB_LINEAR,
    LAB_NOT_LINEAR,
    LAB_LINEAR_UNKNOWN, /* more configurations than `most`: nothing is said */
    LAB_LINEAR_MEMORY   /* no memory */
} lab_linear;

typedef struct lab_linear_result {
    lab_linear answer;
    uint64_t configurations; /* that were looked at, of all objects */
    uint64_t known;          /* of them, that had failed before */
    uint32_t objects;
    size_t placed;         /* if not linear: the most calls of the object that could be placed */
    lab_call_record stuck; /* and the first that had to be placed next, and could not */
} lab_linear_result;

/* Searches each object's calls for an order. Records of calls that do not return after they are
 * invoked are not linear. Time and memory: up to exponential in the number of calls that overlap.
 */
lab_linear_result lab_history_check(const lab_history *history, const lab_sequential *model,
                                    uint64_t most);

/* The calls by time, one line each; the one that is `stuck` (or NULL) marked. */
void lab_history_print(const lab_history *history, const lab_sequential *model,
                       const lab_call_record *stuck);

#endif
