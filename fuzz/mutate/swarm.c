/* SPDX-License-Identifier: MIT */
#include "mutate/swarm.h"

#include <string.h>

#include "mutate/random.h"

static const char *const mutation_names[LAB_MUTATION_COUNT] = {
    [LAB_MUTATION_RENEW] = "renew",     [LAB_MUTATION_INSERT] = "insert",
    [LAB_MUTATION_DELETE] = "delete",   [LAB_MUTATION_DUPLICATE] = "duplicate",
    [LAB_MUTATION_MOVE] = "move",       [LAB_MUTATION_SWAP] = "swap",
    [LAB_MUTATION_OPERAND] = "operand", [LAB_MUTATION_KIND] = "kind",
    [LAB_MUTATION_RELEASE] = "release", [LAB_MUTATION_CONFIG] = "config",
    [LAB_MUTATION_CROSS] = "cross",     [LAB_MUTATION_BYTES] = "bytes"};

static const char *const source_names[LAB_SOURCE_COUNT] = {
    [LAB_SOURCE_TINY] = "tiny",   [LAB_SOURCE_SMALL] = "small",  [LAB_SOURCE_LIVE] = "live",
    [LAB_SOURCE_FREED] = "freed", [LAB_SOURCE_ROOM] = "room",    [LAB_SOURCE_SHARE] = "share",
    [LAB_SOURCE_POWER] = "power", [LAB_SOURCE_ABSURD] = "absurd"};

static const lab_swarm ordinary = {
    .mutations = {[LAB_MUTATION_RENEW] = 48,
                  [LAB_MUTATION_INSERT] = 40,
                  [LAB_MUTATION_DELETE] = 12,
                  [LAB_MUTATION_DUPLICATE] = 8,
                  [LAB_MUTATION_MOVE] = 8,
                  [LAB_MUTATION_SWAP] = 8,
                  [LAB_MUTATION_OPERAND] = 24,
                  [LAB_MUTATION_KIND] = 8,
                  [LAB_MUTATION_RELEASE] = 12,
                  [LAB_MUTATION_CONFIG] = 12,
                  [LAB_MUTATION_CROSS] = 0, /* needs another script: engines ask for it */
                  [LAB_MUTATION_BYTES] = 8},
    .kinds =
        {
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, bytes, weight, ...)  \
    [LAB_OP_##KIND] = (weight),
#include "script/ops.def"
        },
    .sources = {[LAB_SOURCE_TINY] = 24,
                [LAB_SOURCE_SMALL] = 32,
                [LAB_SOURCE_LIVE] = 16,
                [LAB_SOURCE_FREED] = 24,
                [LAB_SOURCE_ROOM] = 16,
                [LAB_SOURCE_SHARE] = 16,
                [LAB_SOURCE_POWER] = 8,
                [LAB_SOURCE_ABSURD] = 4},
    .attacks =
        {
#define LAB_ATTACK(KIND, name, weight, ...) [LAB_ATTACK_##KIND] = (weight),
#include "script/attacks.def"
        },
    .guards = {4, 4, 4, 8},
    .tails = 3,
    .slots = 16,
    .dense = 5};

const char *lab_mutation_name(lab_mutation mutation) {
    return mutation_names[mutation];
}

/* Each weight: dropped, or a quarter, or as it is, or four times as much. One that must stay is
 * never dropped. */
static void vary(lab_random *random, uint16_t *weights, uint32_t count, uint32_t stays) {
    for (uint32_t i = 0; i < count; i++) {
        switch (lab_random_below(random, 8)) {
        case 0:
        case 1:
            weights[i] = i == stays ? weights[i] : 0;
            break;
        case 2:
            weights[i] = (uint16_t)((weights[i] + 3) / 4);
            break;
        case 3:
        case 4:
            weights[i] = (uint16_t)(weights[i] * 4);
            break;
        default:
            break;
        }
    }
}

void lab_swarm_make(lab_swarm *swarm, uint64_t seed, uint64_t epoch) {
    static const uint8_t slots[] = {3, 4, 6, 8, 12, 16, 24, 64};
    lab_random random = {lab_random_mix(seed) ^ lab_random_mix(~epoch)};
    *swarm = ordinary;
    if (lab_random_once_in(&random, 4)) {
        return;
    }
    vary(&random, swarm->mutations, LAB_MUTATION_COUNT, LAB_MUTATION_INSERT);
    vary(&random, swarm->kinds, LAB_OP_COUNT, LAB_OP_ALLOC);
    vary(&random, swarm->sources, LAB_SOURCE_COUNT, LAB_SOURCE_SMALL);
    vary(&random, swarm->attacks, LAB_ATTACK_COUNT, lab_random_below(&random, LAB_ATTACK_COUNT));
    vary(&random, swarm->guards, 4, lab_random_below(&random, 4));
    swarm->tails = (uint8_t)lab_random_below(&random, 9);
    swarm->slots = slots[lab_random_below(&random, sizeof slots)];
    swarm->dense = (uint8_t)lab_random_below(&random, 9);
}

static void print_weight(const char *name, unsigned weight, FILE *out) {
    (void)fprintf(out, " %s=%u", name, weight);
}

static void print_kinds(const lab_swarm *swarm, FILE *out) {
    (void)fputs("operations:", out);
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        print_weight(lab_op_rules[kind].name, swarm->kinds[kind], out);
    }
    (void)fputc('\n', out);
}

static void print_attacks(const lab_swarm *swarm, FILE *out) {
    (void)fputs("attacks:", out);
    for (unsigned attack = 0; attack < LAB_ATTACK_COUNT; attack++) {
        print_weight(lab_attack_rules[attack].name, swarm->attacks[attack], out);
    }
    (void)fputc('\n', out);
}

void lab_swarm_print(const lab_swarm *swarm, FILE *out) {
    (void)fputs("mutations:", out);
    for (unsigned i = 0; i < LAB_MUTATION_COUNT; i++) {
        print_weight(mutation_names[i], swarm->mutations[i], out);
    }
    (void)fputc('\n', out);
    print_kinds(swarm, out);
    (void)fputs("sizes:", out);
    for (unsigned i = 0; i < LAB_SOURCE_COUNT; i++) {
        print_weight(source_names[i], swarm->sources[i], out);
    }
    (void)fputc('\n', out);
    print_attacks(swarm, out);
    (void)fprintf(out, "guards: 0=%u 1=%u 2=%u 3=%u\n", swarm->guards[0], swarm->guards[1],
                  swarm->guards[2], swarm->guards[3]);
    (void)fprintf(out, "shares: tails=%u/8 small-regions=%u/8 slots=%u\n", swarm->tails,
                  swarm->dense, swarm->slots);
}
