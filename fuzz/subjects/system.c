/* SPDX-License-Identifier: MIT */
/* The system's malloc, through the library's adapter. */
#include <stdlib.h>

#include "subjects/subjects.h"

/* As much as the backing would give, which it does not use: else most of the time is spent in the
 * kernel, on pages for large blocks. */
#define BYTES_LEAST ((size_t)4 << 10)
#define BYTES_MOST  ((size_t)256 << 10)

static bool create(const lab_setup *setup, lab_instance *instance) {
    size_t bytes = setup->bytes > BYTES_LEAST ? setup->bytes : BYTES_LEAST;
    instance->allocator = th_system_allocator();
    instance->bytes_max = bytes < BYTES_MOST ? bytes : BYTES_MOST;
    instance->alignment_max = 4096;
    return true;
}

static void destroy(void *state) {
    (void)state;
}

static void *alloc_array(void *state, size_t count, size_t size) {
    (void)state;
    return count != 0 && size != 0 ? calloc(count, size) : NULL;
}

const lab_subject lab_subject_malloc = {
    .version = LAB_SUBJECT_VERSION,
    .name = "malloc",
    .purpose = "the system's malloc, as a peer",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_OWN_MEMORY | LAB_SUBJECT_ANY_THREADS,
    .create = create,
    .destroy = destroy,
    .alloc_array = alloc_array,
};
