/* SPDX-License-Identifier: MIT */
/* What actors share: made from a config as a script's, with a mutex where it needs one. */
#include "actors/shared.h"

#include <stdlib.h>

#include "subjects/subjects.h"

static bool start_heap(lab_shared *s, const lab_config *config) {
    s->bytes = (size_t)config->dwords * 4;
    s->memory = aligned_alloc(LAB_SHARED_ALIGNMENT,
                              s->bytes + LAB_SHARED_ALIGNMENT - s->bytes % LAB_SHARED_ALIGNMENT);
    if (s->memory == NULL || th_mutex_init(&s->mutex) != TH_OK) {
        return false;
    }
    const th_heap_config wanted = {.alignment = config->alignment,
                                   .guarding.level = config->guard,
                                   .layout = TH_HEAP_LAYOUT_CLASSIC,
                                   .index = lab_config_has_index(config) ? TH_HEAP_INDEX_AUTO
                                                                         : TH_HEAP_INDEX_NONE,
                                   .lock = th_mutex_lock(&s->mutex)};
    if (th_heap_init(&s->heap, s->memory, s->bytes, &wanted) != TH_OK) {
        return false;
    }
    s->is_heap = true;
    s->start = (lab_heap_start){.base = (uintptr_t)s->memory,
                                .bytes = th_heap_get_stats(&s->heap).region_bytes,
                                .alignment = config->alignment,
                                .layout = LAB_EXACT_CLASSIC};
    return true;
}

static bool start_subject(lab_shared *s, const lab_config *config) {
    const lab_setup setup = {.backing = th_system_allocator(),
                             .bytes = (size_t)config->dwords * 4,
                             .alignment = config->alignment,
                             .variant = config->skew,
                             .guard = config->guard};
    return s->subject->create(&setup, &s->instance);
}

lab_shared *lab_shared_new(const lab_config *config, const char **why) {
    lab_shared *s = calloc(1, sizeof *s);
    *why = "no memory";
    if (s == NULL) {
        return NULL;
    }
    s->config = *config;
    s->subject = lab_subject_at(config->subject);
    if (config->subject != LAB_SUBJECT_HEAP &&
        (s->subject == NULL || (s->subject->flags & LAB_SUBJECT_ANY_THREADS) == 0)) {
        *why = "the subject is not for several threads (heap, locked and malloc are)";
    } else if (config->slots > LAB_BLOCKS_MAX) {
        *why = "actors share up to 64 slots (slots=64)";
    } else if (s->subject != NULL ? start_subject(s, config) : start_heap(s, config)) {
        s->is_started = true;
        return s;
    } else {
        *why = "it cannot be made from this config";
    }
    lab_shared_destroy(s);
    return NULL;
}

void lab_shared_destroy(lab_shared *s) {
    if (s == NULL) {
        return;
    }
    if (s->subject != NULL && s->is_started) {
        s->subject->destroy(s->instance.state);
    }
    if (s->is_heap) {
        th_heap_clean_up(&s->heap);
    }
    th_mutex_clean_up(&s->mutex);
    free(s->memory);
    free(s);
}

th_heap *lab_shared_heap(lab_shared *shared) {
    return shared->is_heap ? &shared->heap : NULL;
}

lab_sequential lab_actors_model(const lab_shared *shared) {
    return shared->is_heap ? lab_sequential_heap(&shared->start) : lab_sequential_blocks();
}
