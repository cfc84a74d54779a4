/* SPDX-License-Identifier: MIT */
/* Every order of whole operations. The next one in lexical order is made from the last as the next
 * permutation of a sequence with repetitions: Dijkstra, A Discipline of Programming, chapter 13. */
#include <stdlib.h>

#include "actors/actors.h"

static size_t operations_of(const lab_actors *actors) {
    size_t count = 0;
    for (uint32_t i = 0; i < actors->count; i++) {
        count += actors->scripts[i]->count;
    }
    return count;
}

/* n over k, for k from 0 up, stays a whole number. */
uint64_t lab_actors_orders(const lab_actors *actors) {
    uint64_t orders = 1;
    uint64_t placed = 0;
    for (uint32_t i = 0; i < actors->count; i++) {
        for (uint64_t k = 1; k <= actors->scripts[i]->count; k++) {
            placed++;
            uint64_t product;
            if (__builtin_mul_overflow(orders, placed, &product)) {
                return UINT64_MAX;
            }
            orders = product / k;
        }
    }
    return orders;
}

/* False: it was the last. */
static bool next_order(uint8_t *order, size_t count) {
    size_t at = count;
    while (at > 1 && order[at - 2] >= order[at - 1]) {
        at--;
    }
    if (at <= 1) {
        return false;
    }
    size_t low = at - 2;
    size_t high = count - 1;
    while (order[high] <= order[low]) {
        high--;
    }
    uint8_t kept = order[low];
    order[low] = order[high];
    order[high] = kept;
    for (size_t i = at - 1, j = count - 1; i < j; i++, j--) {
        kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    return true;
}

/* The script that the order is; its operations are there already. */
static void merge(const lab_actors *actors, const uint8_t *order, lab_script *script) {
    size_t taken[LAB_ACTORS_MAX] = {0};
    for (size_t i = 0; i < script->count; i++) {
        script->ops[i] = actors->scripts[order[i]]->ops[taken[order[i]]++];
    }
}

bool lab_actors_interleave(const lab_actors *actors, lab_player *player,
                           const lab_run_options *options,
                           bool (*going)(void *context, uint64_t orders), void *context,
                           lab_interleaving *result) {
    size_t count = operations_of(actors);
    lab_script script = {.config = actors->scripts[0]->config};
    *result = (lab_interleaving){.order = calloc(count + 1, 1)};
    if (result->order == NULL || !lab_script_reserve(&script, count)) {
        lab_script_clean_up(&script);
        return false;
    }
    for (uint32_t actor = 0; actor < actors->count; actor++) {
        for (size_t i = 0; i < actors->scripts[actor]->count; i++) {
            result->order[script.count++] = (uint8_t)actor;
        }
    }
    bool passed = true;
    do {
        if (going != NULL && !going(context, result->orders)) {
            break;
        }
        merge(actors, result->order, &script);
        passed = lab_player_play(player, &script, options, &result->failure, NULL);
        result->orders++;
        result->operations += count;
    } while (passed && next_order(result->order, count));
    if (passed) {
        lab_script_clean_up(&script);
    } else {
        result->script = script;
    }
    return true;
}

void lab_interleaving_clean_up(lab_interleaving *result) {
    free(result->order);
    lab_script_clean_up(&result->script);
    *result = (lab_interleaving){0};
}
