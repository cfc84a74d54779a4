/* SPDX-License-Identifier: MIT */
#include "worst/search.h"

#include <stdlib.h>
#include <string.h>

#include "mutate/mutate.h"

enum {
    STRIDE_AFTER_MOVE = 7, /* what was best is there already; of all that combs vary by, some */
    OPS_BEYOND = 64,       /* that mutations may add */
    OPS_MUTATED_MAX = 4000 /* of longer scripts only the combs are changed: it takes too long */
};

typedef struct search {
    lab_search open; /* first */
    lab_search_heap heap;
    lab_random random;
    lab_mutator *mutator;
    lab_cost_player *player;
    unsigned stride;  /* one of so many combs made by hand is played */
    unsigned by_hand; /* combs of that number come next, of all kinds */
    lab_cost_kind kind;
    lab_script script;             /* the one that is played */
    lab_cost best[LAB_COST_KINDS]; /* in it */
} search;

lab_search *lab_search_new(const lab_search_heap *heap, uint64_t seed) {
    search *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->heap = *heap;
    s->stride = 1;
    s->random.state = seed;
    s->mutator = lab_mutator_new(seed, LAB_MUTATE_SCRIPT, NULL);
    s->player = lab_cost_player_new(heap->dwords, heap->index);
    if (s->mutator == NULL || s->player == NULL) {
        lab_search_destroy(&s->open);
        return NULL;
    }
    return &s->open;
}

void lab_search_destroy(lab_search *open) {
    search *s = (search *)open;
    if (s != NULL) {
        lab_mutator_destroy(s->mutator);
        lab_cost_player_destroy(s->player);
        lab_script_clean_up(&s->script);
        for (int kind = 0; kind < LAB_COST_KINDS; kind++) {
            for (int i = 0; i < LAB_SEARCH_KEPT; i++) {
                lab_script_clean_up(&open->kept[kind][i].script);
            }
        }
        free(s);
    }
}

/* ---- what is kept --------------------------------------------------------------------------- */

static void note(void *context, const lab_cost *cost) {
    search *s = context;
    if (cost->kind < LAB_COST_KINDS) {
        s->open.counted++;
        if (cost->count > s->best[cost->kind].count) {
            s->best[cost->kind] = *cost;
        }
    }
}

/* Puts what was played among the best of a kind, if it belongs there. */
static bool keep(search *s, const lab_cost *cost, const lab_comb *comb) {
    lab_found *kept = s->open.kept[cost->kind];
    int at = 0;
    while (at < LAB_SEARCH_KEPT && kept[at].cost.count > cost->count) {
        at++;
    }
    if (at == LAB_SEARCH_KEPT || kept[at].cost.count == cost->count) {
        return true;
    }
    lab_found last = kept[LAB_SEARCH_KEPT - 1]; /* its memory is used again */
    if (!lab_script_copy(&last.script, &s->script)) {
        return false;
    }
    last.script.count = cost->op + 1;
    last.cost = *cost;
    last.is_comb = comb != NULL;
    if (comb != NULL) {
        last.comb = *comb;
    }
    memmove(&kept[at + 1], &kept[at], (size_t)(LAB_SEARCH_KEPT - 1 - at) * sizeof *kept);
    kept[at] = last;
    return true;
}

static bool play(search *s) {
    const lab_cost_options options = {.how = LAB_COUNT_BLOCKS, .note = note, .context = s};
    memset(s->best, 0, sizeof s->best);
    s->open.played++;
    return lab_cost_play(s->player, &s->script, &options);
}

static bool play_and_keep(search *s, const lab_comb *comb) {
    bool done = play(s);
    for (int kind = 0; done && kind < LAB_COST_KINDS; kind++) {
        done = s->best[kind].count == 0 || keep(s, &s->best[kind], comb);
    }
    return done;
}

/* Mutations and foreign scripts may have it otherwise. */
static void set_heap(const search *s, lab_config *config) {
    config->dwords = s->heap.dwords;
    config->layout = (uint8_t)s->heap.layout;
}

bool lab_search_add(lab_search *open, const lab_script *script) {
    search *s = (search *)open;
    if (!lab_script_copy(&s->script, script)) {
        return false;
    }
    set_heap(s, &s->script.config);
    return play_and_keep(s, NULL);
}

/* ---- a step --------------------------------------------------------------------------------- */

static bool play_comb(search *s, const lab_comb *comb) {
    return lab_comb_script(comb, s->player, &s->script) && play_and_keep(s, comb);
}

/* Those of each kind in turn. */
bool lab_search_by_hand(lab_search *open, bool *more) {
    search *s = (search *)open;
    lab_comb comb;
    *more = lab_comb_made_by_hand(s->kind, s->by_hand, s->heap.dwords, &comb);
    comb.layout = (uint8_t)s->heap.layout;
    s->kind = (lab_cost_kind)(s->kind + 1);
    if (s->kind == LAB_COST_KINDS) {
        s->kind = LAB_COST_ALLOC;
        s->by_hand += s->stride;
    }
    return !*more || play_comb(s, &comb);
}

/* ---- another size --------------------------------------------------------------------------- */

static bool play_found(search *s, lab_found *found) {
    if (found->is_comb) {
        found->comb.dwords = s->heap.dwords;
        return play_comb(s, &found->comb);
    }
    return lab_search_add(&s->open, &found->script);
}

bool lab_search_move(lab_search *open, uint32_t dwords) {
    search *s = (search *)open;
    lab_cost_player *player = lab_cost_player_new(dwords, s->heap.index);
    if (player == NULL) {
        return false;
    }
    lab_cost_player_destroy(s->player);
    s->player = player;
    s->heap.dwords = dwords;
    s->by_hand = 0;
    s->stride = STRIDE_AFTER_MOVE;
    s->kind = LAB_COST_ALLOC;
    lab_found before[LAB_COST_KINDS][LAB_SEARCH_KEPT];
    memcpy(before, open->kept, sizeof before);
    memset(open->kept, 0, sizeof open->kept);
    bool done = true;
    for (int kind = 0; kind < LAB_COST_KINDS; kind++) {
        for (int i = 0; i < LAB_SEARCH_KEPT; i++) {
            done = done && (before[kind][i].cost.count == 0 || play_found(s, &before[kind][i]));
            lab_script_clean_up(&before[kind][i].script);
        }
    }
    return done;
}

/* ---- combs --------------------------------------------------------------------------------- */

/* Between one and three changes. */
static bool step_comb(search *s, const lab_found *from) {
    lab_comb comb = from->comb;
    for (uint32_t n = lab_random_between(&s->random, 1, 3); n > 0; n--) {
        lab_comb_mutate(&comb, &s->random);
    }
    return play_comb(s, &comb);
}

static bool step_operations(search *s, const lab_found *from, const lab_found *other) {
    static const lab_mutation mutations[] = {
        LAB_MUTATION_INSERT,  LAB_MUTATION_DELETE, LAB_MUTATION_DUPLICATE, LAB_MUTATION_MOVE,
        LAB_MUTATION_OPERAND, LAB_MUTATION_KIND,   LAB_MUTATION_RELEASE,   LAB_MUTATION_CROSS};
    if (!lab_script_copy(&s->script, &from->script)) {
        return false;
    }
    for (uint32_t n = lab_random_between(&s->random, 1, 4); n > 0; n--) {
        uint32_t which = lab_random_below(&s->random, sizeof mutations / sizeof mutations[0]);
        (void)lab_mutate_apply(s->mutator, mutations[which], &s->script, &other->script,
                               from->script.count + OPS_BEYOND);
    }
    set_heap(s, &s->script.config);
    return play_and_keep(s, NULL);
}

static const lab_found *pick(search *s) {
    const lab_found *found;
    do {
        found = &s->open.kept[lab_random_below(&s->random, LAB_COST_KINDS)]
                             [lab_random_below(&s->random, LAB_SEARCH_KEPT)];
    } while (found->cost.count == 0);
    return found;
}

bool lab_search_step(lab_search *open) {
    search *s = (search *)open;
    const lab_found *from = pick(s);
    bool is_long = from->script.count > OPS_MUTATED_MAX;
    if (from->is_comb && (is_long || lab_random_once_in(&s->random, 2))) {
        return step_comb(s, from);
    }
    return step_operations(s, from, pick(s));
}

/* ---- shortening ----------------------------------------------------------------------------- */

bool lab_search_shorten(lab_search *open, lab_cost_kind kind) {
    search *s = (search *)open;
    lab_found *found = &open->kept[kind][0];
    size_t capacity = lab_script_encode(&found->script, NULL, 0);
    uint8_t *bytes = malloc(capacity);
    lab_trim trim = {0};
    bool done = bytes != NULL;
    if (done) {
        (void)lab_script_encode(&found->script, bytes, capacity);
    }
    if (done && lab_trim_start(&trim, bytes, capacity)) {
        for (size_t size = lab_trim_next(&trim, bytes, capacity); done && size > 0;
             size = lab_trim_next(&trim, bytes, capacity)) {
            done = lab_script_copy(&s->script, &trim.candidate) && play(s);
            const lab_cost *best = &s->best[kind];
            lab_trim_answer(&trim, done && best->count >= found->cost.count &&
                                       best->op + 1 == s->script.count);
        }
        if (done && trim.script.count < found->script.count) {
            done = lab_script_copy(&found->script, &trim.script);
            found->cost.op = trim.script.count - 1;
        }
    }
    lab_trim_clean_up(&trim);
    free(bytes);
    return done;
}
