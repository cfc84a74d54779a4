/* SPDX-License-Identifier: MIT */
/* A locked allocator over size classes: what several threads may use, played by one. */
#include <stdlib.h>

#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/classes.h"
#include "tagheap/locked.h"
#include "tagheap/mutex.h"

typedef struct state {
    th_classes classes;
    th_mutex mutex;
    th_locked locked;
} state;

static void destroy(void *self) {
    state *s = self;
    th_locked_clean_up(&s->locked);
    th_mutex_clean_up(&s->mutex);
    th_classes_clean_up(&s->classes);
    free(s);
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    const th_classes_config config = {
        .backing = setup->backing, .slab_bytes = 1024, .guarding = lab_ground_guarding(setup)};
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    if (th_classes_init(&s->classes, &config) != TH_OK || th_mutex_init(&s->mutex) != TH_OK) {
        destroy(s);
        return false;
    }
    const th_locked_config outside = {.backing = th_classes_allocator(&s->classes),
                                      .lock = th_mutex_lock(&s->mutex),
                                      .guarding = lab_ground_guarding(setup)};
    (void)th_locked_init(&s->locked, &outside);
    instance->state = s;
    instance->allocator = th_locked_allocator(&s->locked);
    return true;
}

const lab_subject lab_subject_locked = {
    .version = LAB_SUBJECT_VERSION,
    .name = "locked",
    .purpose = "size classes and a mutex",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_ANY_THREADS,
    .create = create,
    .destroy = destroy,
};
