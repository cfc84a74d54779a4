/* SPDX-License-Identifier: MIT */
/* Swarm testing: what random scripts are made of changes all the time, because a bug may need a lot
 * of one thing, and another one the absence of it (Groce et al., "Swarm Testing", 2012). A profile
 * weighs everything that the mutator chooses between. It follows from a seed and from the number
 * of its epoch, so a run can be told and had again: `heaplab swarm SEED EPOCH` prints it. */
#ifndef LAB_MUTATE_SWARM_H
#define LAB_MUTATE_SWARM_H

#include <stdint.h>
#include <stdio.h>

#include "script/script.h"

/* What a mutation does to a script. */
typedef enum lab_mutation {
    LAB_MUTATION_RENEW,     /* a new script, made from nothing */
    LAB_MUTATION_INSERT,    /* new operations, at a random place or at the end */
    LAB_MUTATION_DELETE,    /* a range of operations goes */
    LAB_MUTATION_DUPLICATE, /* a range of operations is there once more, elsewhere */
    LAB_MUTATION_MOVE,      /* a range of operations goes elsewhere */
    LAB_MUTATION_SWAP,      /* two operations change places */
    LAB_MUTATION_OPERAND,   /* one field of one operation */
    LAB_MUTATION_KIND,      /* one operation becomes one of another kind, on the same slot */
    LAB_MUTATION_RELEASE,   /* frees of blocks that are live, at a random place or at the end */
    LAB_MUTATION_CONFIG,    /* one key of the configuration */
    LAB_MUTATION_CROSS,     /* operations of another script: in between, instead or after */
    LAB_MUTATION_BYTES,     /* the engine's own mutation of the bytes */
    LAB_MUTATION_COUNT
} lab_mutation;

/* The word for it: "insert". */
const char *lab_mutation_name(lab_mutation mutation);

/* Where a size comes from. */
typedef enum lab_size_source {
    LAB_SOURCE_TINY,   /* up to 16 bytes */
    LAB_SOURCE_SMALL,  /* up to 255 bytes */
    LAB_SOURCE_LIVE,   /* near a live block's size */
    LAB_SOURCE_FREED,  /* near the size of a block that was freed */
    LAB_SOURCE_ROOM,   /* near what is left, or all that there is */
    LAB_SOURCE_SHARE,  /* up to a quarter of the region */
    LAB_SOURCE_POWER,  /* near a power of two */
    LAB_SOURCE_ABSURD, /* 0, or more than there can be; what is small in 16, 31, 32 ... bits */
    LAB_SOURCE_COUNT
} lab_size_source;

typedef struct lab_swarm {
    uint16_t mutations[LAB_MUTATION_COUNT];
    uint16_t kinds[LAB_OP_COUNT];
    uint16_t sources[LAB_SOURCE_COUNT];
    uint16_t attacks[LAB_ATTACK_COUNT];
    uint16_t guards[4];
    uint8_t tails; /* 0 .. 8: of eight tags so many are TAIL tags */
    uint8_t slots; /* new operations use slots below this */
    uint8_t dense; /* 0 .. 8: of eight regions so many are small */
} lab_swarm;

/* Mutations in one epoch. */
#define LAB_SWARM_EPOCH 256u

/* The profile of an epoch. In one epoch of four everything has its ordinary weight. */
void lab_swarm_make(lab_swarm *swarm, uint64_t seed, uint64_t epoch);

/* Prints it, one line for each group of weights. */
void lab_swarm_print(const lab_swarm *swarm, FILE *out);

#endif
