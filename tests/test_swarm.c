/* SPDX-License-Identifier: MIT */
/* Swarm profiles: they follow from seed and epoch, differ, and are the ones that the mutator uses.
 */
#include "mutate/mutate.h"
#include "suite.h"

#include <string.h>

static void swarm_follows_from_seed_and_epoch(void) {
    unsigned different = 0, plain = 0, without_free = 0;
    lab_swarm usual, swarm, again;
    lab_swarm_make(&usual, 1, 0);
    for (uint64_t epoch = 0; epoch < 400; epoch++) {
        memset(&swarm, 0, sizeof swarm);
        memset(&again, 0xFF, sizeof again);
        lab_swarm_make(&swarm, 1, epoch);
        lab_swarm_make(&again, 1, epoch);
        CHECK(memcmp(swarm.kinds, again.kinds, sizeof swarm.kinds) == 0);
        lab_swarm_make(&again, 2, epoch);
        different += memcmp(swarm.kinds, again.kinds, sizeof swarm.kinds) != 0;
        without_free += swarm.kinds[LAB_OP_FREE] == 0;
        plain += swarm.kinds[LAB_OP_INIT] != 0 && swarm.kinds[LAB_OP_FREE] != 0;
        CHECK(swarm.kinds[LAB_OP_ALLOC] > 0 && swarm.mutations[LAB_MUTATION_INSERT] > 0);
        CHECK(swarm.slots > 0);
    }
    CHECK(different > 300);
    CHECK(without_free > 30 && plain > 100);
}

static void mutator_says_its_profile(void) {
    lab_mutator *mutator = lab_mutator_new(77, LAB_MUTATE_SCRIPT, NULL);
    uint8_t bytes[256];
    uint64_t seed = 0, epoch = 1;
    lab_swarm swarm;
    (void)lab_mutator_swarm(mutator, &seed, &epoch);
    CHECK(seed == 77 && epoch == 0);
    for (unsigned i = 0; i < 3 * LAB_SWARM_EPOCH + 1; i++) {
        (void)lab_mutate(mutator, bytes, 0, sizeof bytes, i);
    }
    const lab_swarm *used = lab_mutator_swarm(mutator, &seed, &epoch);
    CHECK_EQ(epoch, 3);
    lab_swarm_make(&swarm, seed, epoch);
    CHECK(memcmp(swarm.kinds, used->kinds, sizeof swarm.kinds) == 0);
    CHECK(memcmp(swarm.mutations, used->mutations, sizeof swarm.mutations) == 0);
    lab_mutator_destroy(mutator);
}

TH_SUITE("swarm", TEST(swarm_follows_from_seed_and_epoch), TEST(mutator_says_its_profile))
