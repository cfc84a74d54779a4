/* SPDX-License-Identifier: MIT */
/* The system's malloc, through the library's adapter. */
#include "subjects/subjects.h"

static bool create(const lab_setup *setup, lab_instance *instance) {
    (void)setup;
    instance->allocator = th_system_allocator();
    instance->bytes_max = (size_t)1 << 18;
    instance->alignment_max = 4096;
    return true;
}

static void destroy(void *state) {
    (void)state;
}

const lab_subject lab_subject_malloc = {
    .version = LAB_SUBJECT_VERSION,
    .name = "malloc",
    .purpose = "the system's malloc, as a peer",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_OWN_MEMORY | LAB_SUBJECT_ANY_THREADS,
    .create = create,
    .destroy = destroy,
};
