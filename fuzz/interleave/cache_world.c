/* SPDX-License-Identifier: MIT */
/* Thread caches over a concurrent pool: each actor has a cache, and they send blocks to each other.
 */
#include <string.h>

#include "interleave/worlds.h"
#include "tagheap/concurrent_pool.h"
#include "tagheap/thread_cache.h"

enum { CAPACITY_MAX = 4, BLOCK_BYTES = 16, HEADER_BYTES = 16, HELD_MAX = 8, KEPT_MAX = 2 };

typedef struct hands {
    unsigned char *held[HELD_MAX]; /* oldest first */
    unsigned char count;
    unsigned char position; /* in its word */
    th_thread_cache *cache; /* NULL: it has left */
} hands;

/* Everything: it is hashed. */
static struct {
    _Alignas(64) unsigned char memory[512];
    th_concurrent_pool pool;
    th_thread_caches all;
    th_thread_cache caches[LAB_INTERLEAVED_MAX];
    unsigned char *mail; /* a block on its way, which any actor takes */
    hands of[LAB_INTERLEAVED_MAX];
} now;

static const lab_program *program;

static void on_fault(void *context, const th_fault *fault) {
    (void)context;
    (void)fault;
    lab_violate("a fault was raised");
}

static void start(void) {
    memset(&now, 0, sizeof now);
    const th_guarding guarding = {.level = program->guard, .on_fault = on_fault};
    const th_concurrent_pool_config pool = {.object_bytes = HEADER_BYTES + BLOCK_BYTES,
                                            .alignment = HEADER_BYTES,
                                            .memory = now.memory,
                                            .memory_bytes = sizeof now.memory,
                                            .capacity = program->capacity,
                                            .guarding = guarding};
    if (th_concurrent_pool_init(&now.pool, &pool) != TH_OK) {
        lab_violate("the pool does not start");
    }
    const th_thread_caches_config config = {.backing = th_concurrent_pool_allocator(&now.pool),
                                            .block_bytes = BLOCK_BYTES,
                                            .kept_max = KEPT_MAX,
                                            .caches = now.caches,
                                            .caches_count = program->actors,
                                            .guarding = guarding};
    if (th_thread_caches_init(&now.all, &config) != TH_OK) {
        lab_violate("the caches do not start");
    }
    for (unsigned a = 0; a < program->actors; a++) {
        now.of[a].cache = th_thread_cache_join(&now.all);
    }
}

static bool is_held(const unsigned char *block) {
    for (unsigned a = 0; a < program->actors; a++) {
        for (unsigned i = 0; i < now.of[a].count; i++) {
            if (now.of[a].held[i] == block) {
                return true;
            }
        }
    }
    return now.mail == block;
}

/* All its bytes are the same as the first, which is not 0. */
static bool is_as_written(const unsigned char *block) {
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        if (block[i] != block[0] || block[i] == 0) {
            return false;
        }
    }
    return true;
}

static void allocate(unsigned actor) {
    hands *own = &now.of[actor];
    unsigned char *block = th_thread_cache_alloc(own->cache, BLOCK_BYTES);
    if (block == NULL) {
        return; /* others may keep them all */
    }
    if (is_held(block)) {
        lab_violate("a block belongs to two at once");
    }
    memset(block, (int)(1 + actor), BLOCK_BYTES);
    own->held[own->count++] = block;
}

static unsigned char *drop(hands *own) {
    unsigned char *block = own->held[0];
    if (!is_as_written(block)) {
        lab_violate("somebody wrote to what is another's");
    }
    own->count--;
    memmove(own->held, own->held + 1, sizeof own->held - sizeof own->held[0]);
    own->held[HELD_MAX - 1] = NULL;
    return block;
}

/* What is in the mail and what it has had longest change places. */
static void exchange(hands *own) {
    unsigned char *block = own->count > 0 ? drop(own) : NULL;
    if (now.mail != NULL) {
        own->held[own->count++] = now.mail;
    }
    now.mail = block;
}

static bool act(unsigned actor) {
    hands *own = &now.of[actor];
    char letter = program->words[actor][own->position];
    if (letter == 'a') {
        allocate(actor);
    } else if (letter == 'f' && own->count > 0 && own->cache != NULL) {
        unsigned char *block = drop(own);
        th_thread_cache_free(own->cache, block);
    } else if (letter == 'x') {
        exchange(own);
    } else if (letter == 'j') { /* leaves, and is back; or had left */
        th_thread_cache *cache = own->cache;
        own->cache = NULL;
        th_thread_cache_leave(cache);
        own->cache = th_thread_cache_join(&now.all);
    } else if (letter == 'l') {
        th_thread_cache *cache = own->cache;
        own->cache = NULL;
        th_thread_cache_leave(cache);
    }
    if (letter == '\0') {
        return false;
    }
    own->position++;
    return true;
}

static void finish(void) {
    if (th_thread_caches_check(&now.all, NULL) != TH_OK) {
        lab_violate("the checker of the caches finds damage");
    }
    unsigned held = now.mail != NULL;
    for (unsigned a = 0; a < program->actors; a++) {
        held += now.of[a].count;
        for (unsigned i = 0; i < now.of[a].count; i++) {
            if (!is_as_written(now.of[a].held[i])) {
                lab_violate("somebody wrote to what is another's");
            }
        }
    }
    th_thread_caches_clean_up(&now.all);
    if (th_concurrent_pool_check(&now.pool, NULL) != TH_OK) {
        lab_violate("the checker of the pool finds damage");
    }
    if (th_concurrent_pool_get_stats(&now.pool).live != held) {
        lab_violate("a block is lost");
    }
}

lab_shared_world lab_cache_world(const lab_program *of) {
    program = of;
    return (lab_shared_world){of->actors, &now, sizeof now, start, act, finish};
}
