/* SPDX-License-Identifier: MIT */
/* Policies: one way to say "this allocator, falling back to that one, with this reserve and this
 * quota, tracked and guarded". The parts are built in the caller's th_policy, one around the other,
 * and used as one allocator:
 *
 *   request -> layers, the last one first -> quota -> reserve -> base, else fallback
 *
 *   const th_policy_config config = {
 *       .base = th_arena_allocator(&arena), .fallback = th_system_allocator(),
 *       .reserve_bytes = 4096,
 *       .quota = &(th_quota_config){.bytes_max = 1 << 20, .blocks_max = TH_QUOTA_UNLIMITED}};
 *
 * A policy is enforced by being the only allocator that a component gets, and queried: which parts
 * it has, what they have counted.
 *
 * Ownership: the caller owns the th_policy, which must not be moved and must outlive its blocks,
 * and what the config names; the quota's config and the layers are copied.
 * Thread rule: one policy, one thread at a time.
 * Complexity: that of its parts.
 * Guards: those of its parts, all with the guarding given here. */
#ifndef TAGHEAP_POLICY_H
#define TAGHEAP_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "tagheap/allocator.h"
#include "tagheap/fallback.h"
#include "tagheap/guarding.h"
#include "tagheap/quota.h"
#include "tagheap/reserve.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A part of the caller's own around all others: a tracker, a guard. `wrap` starts it around `inner`
 * and returns it (zeroed: it could not be started); `end`, which may be NULL, ends it. */
typedef struct th_policy_layer {
    const char *name; /* a static string */
    th_allocator (*wrap)(void *context, th_allocator inner);
    void (*end)(void *context);
    void *context;
} th_policy_layer;

#define TH_POLICY_LAYERS_MAX TH_SIZE_C(4)

typedef struct th_policy_config {
    th_allocator base;
    th_allocator fallback;         /* zeroed: none */
    size_t reserve_bytes;          /* 0: none */
    const th_quota_config *quota;  /* its backing and guarding are filled in. NULL: none */
    const th_policy_layer *layers; /* the innermost first; NULL: none */
    size_t layers_count;
    th_guarding guarding;
} th_policy_config;

/* The parts that a policy may have; a set of them is their sum. */
enum { TH_POLICY_FALLBACK = 1, TH_POLICY_RESERVE = 2, TH_POLICY_QUOTA = 4, TH_POLICY_LAYERS = 8 };

/* Its fields are the library's own. */
typedef struct th_policy {
    th_allocator top; /* zeroed: not started */
    th_fallback fallback;
    th_reserve reserve;
    th_quota quota;
    th_policy_layer layers[TH_POLICY_LAYERS_MAX];
    size_t layers_count;
    unsigned parts;
} th_policy;

/* Builds it. Fails, with everything that was started ended again and *policy zeroed, iff policy or
 * config is NULL (TH_ERR_NULL: nothing is touched), there are more than TH_POLICY_LAYERS_MAX layers
 * (TH_ERR_TOO_LARGE), one could not be started (TH_ERR_EXHAUSTED), base is zeroed or a layer has no
 * name or wrap (TH_ERR_CONFIG), or the init of a part fails (its status). */
th_status th_policy_init(th_policy *policy, const th_policy_config *config);

/* Ends the parts, the outermost first; *policy is zeroed. NULL is allowed. */
void th_policy_clean_up(th_policy *policy);

/* All parts as one allocator, valid until the policy ends; zeroed for NULL and a zeroed policy. */
th_allocator th_policy_allocator(const th_policy *policy);

/* The parts that it has, TH_POLICY_*; 0 for NULL and a zeroed policy. */
unsigned th_policy_parts(const th_policy *policy);

/* Its quota and its reserve, to be asked and changed; NULL iff it has none. */
th_quota *th_policy_get_quota(th_policy *policy);
th_reserve *th_policy_get_reserve(th_policy *policy);

/* Writes the parts, the outermost first, into line[0 .. capacity-1], with a NUL at the end
 * (capacity >= 1): "tracked > quota > reserve > base | fallback". Returns its length; what does not
 * fit is left out. 0 for NULL. */
size_t th_policy_describe(const th_policy *policy, char *line, size_t capacity);

typedef struct th_policy_stats {
    size_t used_bytes; /* these and the refusals: of the quota */
    size_t high_water_bytes;
    size_t reserve_bytes;     /* set aside now */
    uint64_t refusals;        /* for the limits' sake */
    uint64_t openings;        /* of the reserve */
    uint64_t fallback_allocs; /* blocks that the fallback made */
} th_policy_stats;

/* Of parts that it does not have, everything is 0. */
th_policy_stats th_policy_get_stats(const th_policy *policy);

/* Proves all parts. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or
 * TH_OK; TH_ERR_NULL for NULL and a zeroed policy. */
th_status th_policy_check(const th_policy *policy, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
