/* SPDX-License-Identifier: MIT */
/* Allocators that limit and combine others: a quota over size classes, a fallback from a small heap
 * to size classes, and a policy over both, with a reserve and (bit 0 of the variant) layers. */
#include <stdlib.h>

#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/classes.h"
#include "tagheap/policy.h"

enum { WITH_LAYERS = 1, RESERVE_BYTES = 48 };

typedef struct state {
    th_policy policy;
    th_quota quota;
    th_fallback fallback;
    th_classes classes;
    lab_ground small; /* a heap with a third of the memory */
} state;

static void destroy(void *self) {
    state *s = self;
    th_policy_clean_up(&s->policy);
    th_quota_clean_up(&s->quota);
    th_fallback_clean_up(&s->fallback);
    th_classes_clean_up(&s->classes);
    lab_ground_end(&s->small);
    free(s);
}

/* The size classes, and the heap if it is wanted. NULL: there is no memory. */
static state *start(const lab_setup *setup, bool has_small) {
    const th_classes_config config = {
        .backing = setup->backing, .slab_bytes = 1024, .guarding = lab_ground_guarding(setup)};
    lab_setup third = *setup;
    third.bytes = setup->bytes / 3;
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    bool started = th_classes_init(&s->classes, &config) == TH_OK &&
                   (!has_small || lab_ground_start(&s->small, LAB_GROUND_HEAP, &third));
    if (!started) {
        destroy(s);
        return NULL;
    }
    return s;
}

static bool finish(state *s, lab_instance *instance, th_status status, th_allocator allocator) {
    if (status != TH_OK) {
        destroy(s);
        return false;
    }
    instance->state = s;
    instance->allocator = allocator;
    return true;
}

static th_quota_config limits(const lab_setup *setup) {
    return (th_quota_config){.bytes_max = setup->bytes,
                             .blocks_max = TH_QUOTA_UNLIMITED,
                             .bytes_soft = setup->bytes / 2,
                             .guarding = lab_ground_guarding(setup)};
}

/* ---- quota */

static bool create_quota(const lab_setup *setup, lab_instance *instance) {
    state *s = start(setup, false);
    if (s == NULL) {
        return false;
    }
    th_quota_config config = limits(setup);
    config.backing = th_classes_allocator(&s->classes);
    return finish(s, instance, th_quota_init(&s->quota, &config), th_quota_allocator(&s->quota));
}

static void measure_quota(const void *self, lab_figures *figures) {
    const state *s = self;
    th_quota_stats stats = th_quota_get_stats(&s->quota);
    *figures = (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_REQUESTED | LAB_FIGURE_PEAK,
                             .live = stats.blocks,
                             .requested = stats.used_bytes,
                             .used = stats.used_bytes,
                             .peak = stats.high_water_bytes};
}

/* ---- fallback */

static bool create_fallback(const lab_setup *setup, lab_instance *instance) {
    state *s = start(setup, true);
    if (s == NULL) {
        return false;
    }
    const th_fallback_config config = {.first = s->small.allocator,
                                       .second = th_classes_allocator(&s->classes),
                                       .guarding = lab_ground_guarding(setup)};
    return finish(s, instance, th_fallback_init(&s->fallback, &config),
                  th_fallback_allocator(&s->fallback));
}

/* ---- policy */

/* A layer that hands on what is asked. */
static th_allocator wrap(void *context, th_allocator inner) {
    (void)context;
    return inner;
}

static bool create_policy(const lab_setup *setup, lab_instance *instance) {
    static const th_policy_layer layers[] = {{"first", wrap, NULL, NULL},
                                             {"second", wrap, NULL, NULL}};
    state *s = start(setup, true);
    if (s == NULL) {
        return false;
    }
    const th_quota_config quota = limits(setup);
    const th_policy_config config = {.base = s->small.allocator,
                                     .fallback = th_classes_allocator(&s->classes),
                                     .reserve_bytes = RESERVE_BYTES,
                                     .quota = &quota,
                                     .layers = layers,
                                     .layers_count = setup->variant & WITH_LAYERS ? 2 : 0,
                                     .guarding = lab_ground_guarding(setup)};
    th_status status = th_policy_init(&s->policy, &config);
    return finish(s, instance, status, th_policy_allocator(&s->policy));
}

static void measure_policy(const void *self, lab_figures *figures) {
    const state *s = self;
    th_policy_stats stats = th_policy_get_stats(&s->policy);
    *figures = (lab_figures){.exact = LAB_FIGURE_REQUESTED | LAB_FIGURE_PEAK,
                             .requested = stats.used_bytes,
                             .used = stats.used_bytes,
                             .peak = stats.high_water_bytes};
}

const lab_subject lab_subject_quota = {
    .version = LAB_SUBJECT_VERSION,
    .name = "quota",
    .purpose = "a quota over size classes",
    .flags = LAB_SUBJECT_FREES,
    .create = create_quota,
    .destroy = destroy,
    .measure = measure_quota,
};

const lab_subject lab_subject_fallback = {
    .version = LAB_SUBJECT_VERSION,
    .name = "fallback",
    .purpose = "a small heap, and size classes when it is full",
    .flags = LAB_SUBJECT_FREES,
    .create = create_fallback,
    .destroy = destroy,
};

const lab_subject lab_subject_policy = {
    .version = LAB_SUBJECT_VERSION,
    .name = "policy",
    .purpose = "quota, reserve and fallback in one",
    .flags = LAB_SUBJECT_FREES,
    .create = create_policy,
    .destroy = destroy,
    .measure = measure_policy,
};
