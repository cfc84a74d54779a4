/* SPDX-License-Identifier: MIT */
/* The functions of a companion's th_allocator_table that are its own calls and nothing else, named
 * th_<noun>_thunk_<call>. alloc and realloc are each companion's own.
 * Each macro is used like a declaration, with a semicolon. */
#ifndef TH_ALLOC_THUNKS_H
#define TH_ALLOC_THUNKS_H

#include "tagheap/allocator.h"

/* NULL has no memory, and neither has a zeroed allocator. */
static inline th_allocator th_allocator_of(const th_allocator_table *table, void *self) {
    th_allocator none = {0};
    return self != NULL ? (th_allocator){.table = table, .self = self} : none;
}

#define TH_THUNK_RESET(noun)                                                                       \
    static th_status th_##noun##_thunk_reset(void *self) {                                         \
        return th_##noun##_reset(self);                                                            \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define TH_THUNK_CHECK(noun)                                                                       \
    static th_status th_##noun##_thunk_check(const void *self, th_fault *fault) {                  \
        return th_##noun##_check(self, fault);                                                     \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define TH_THUNKS(noun)                                                                            \
    static void th_##noun##_thunk_free(void *self, void *pointer) {                                \
        th_##noun##_free(self, pointer);                                                           \
    }                                                                                              \
    static bool th_##noun##_thunk_owns(const void *self, const void *pointer) {                    \
        return th_##noun##_owns(self, pointer);                                                    \
    }                                                                                              \
    TH_THUNK_RESET(noun);                                                                          \
    TH_THUNK_CHECK(noun)

#define TH_THUNK_RESIZE_IN_PLACE(noun)                                                             \
    static bool th_##noun##_thunk_resize_in_place(void *self, void *pointer, size_t bytes) {       \
        return th_##noun##_resize_in_place(self, pointer, bytes);                                  \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define TH_THUNK_USABLE_SIZE(noun)                                                                 \
    static size_t th_##noun##_thunk_usable_size(const void *self, const void *pointer) {           \
        return th_##noun##_usable_size(self, pointer);                                             \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

/* Their part of the table. */
#define TH_THUNKS_OF(noun)                                                                         \
    .free = th_##noun##_thunk_free, .reset = th_##noun##_thunk_reset,                              \
    .owns = th_##noun##_thunk_owns, .check = th_##noun##_thunk_check

#endif
