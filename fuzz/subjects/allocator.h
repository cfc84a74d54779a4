/* SPDX-License-Identifier: MIT */
/* An allocator of the library by its own calls, all alike. Each has one descriptor, which stands
 * with its subject; the subject, the table of bad input (tests/bad_input.h) and the benchmarks
 * (bench/sources.c) go by it. How one is started is their own business. */
#ifndef LAB_SUBJECTS_ALLOCATOR_H
#define LAB_SUBJECTS_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "script/script.h"
#include "tagheap/allocator.h"

/* A call that the allocator does not have is NULL. */
typedef struct lab_allocator {
    void (*clean_up)(void *self);
    void *(*alloc)(void *self, size_t bytes); /* of objects of one size, whatever `bytes` are */
    void *(*alloc_aligned)(void *self, size_t bytes, size_t alignment);
    bool (*resize)(void *self, void *block, size_t bytes); /* in place, if it has that */
    void (*free)(void *self, void *block);
    size_t (*live)(const void *self); /* bytes or blocks in use */
    th_status (*check)(const void *self, th_fault *fault);
    th_allocator (*interface)(void *self);
} lab_allocator;

/* The calls, made of the noun's: static functions, one allocator to a file. Each macro is used like
 * a declaration, with a semicolon. `field` is what statistics say of it in use. */
#define LAB_CALLS_OF_ALL(noun, field)                                                              \
    static size_t call_live(const void *self) {                                                    \
        return (size_t)th_##noun##_get_stats(self).field;                                          \
    }                                                                                              \
    static th_status call_check(const void *self, th_fault *fault) {                               \
        return th_##noun##_check(self, fault);                                                     \
    }                                                                                              \
    static th_allocator call_interface(void *self) {                                               \
        return th_##noun##_allocator(self);                                                        \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define LAB_CALLS_CLEAN_UP(noun)                                                                   \
    static void call_clean_up(void *self) {                                                        \
        th_##noun##_clean_up(self);                                                                \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define LAB_CALLS_OF_SIZES(noun)                                                                   \
    static void *call_alloc(void *self, size_t bytes) {                                            \
        return th_##noun##_alloc(self, bytes);                                                     \
    }                                                                                              \
    static void *call_alloc_aligned(void *self, size_t bytes, size_t alignment) {                  \
        return th_##noun##_alloc_aligned(self, bytes, alignment);                                  \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define LAB_CALLS_OF_OBJECTS(noun)                                                                 \
    static void *call_alloc(void *self, size_t bytes) {                                            \
        (void)bytes;                                                                               \
        return th_##noun##_alloc(self);                                                            \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define LAB_CALLS_RESIZE(noun)                                                                     \
    static bool call_resize(void *self, void *block, size_t bytes) {                               \
        return th_##noun##_resize_in_place(self, block, bytes);                                    \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

#define LAB_CALLS_FREE(noun)                                                                       \
    static void call_free(void *self, void *block) {                                               \
        th_##noun##_free(self, block);                                                             \
    }                                                                                              \
    _Static_assert(sizeof(th_##noun) > 0, "complete")

/* The descriptor's part that every allocator has. */
#define LAB_ALLOCATOR_OF_ALL                                                                       \
    .clean_up = call_clean_up, .alloc = call_alloc, .live = call_live, .check = call_check,        \
    .interface = call_interface

/* All of it, for an allocator that has all calls. */
#define LAB_ALLOCATOR(noun, field)                                                                 \
    LAB_CALLS_OF_ALL(noun, field);                                                                 \
    LAB_CALLS_CLEAN_UP(noun);                                                                      \
    LAB_CALLS_OF_SIZES(noun);                                                                      \
    LAB_CALLS_RESIZE(noun);                                                                        \
    LAB_CALLS_FREE(noun);                                                                          \
    const lab_allocator lab_allocator_##noun = {LAB_ALLOCATOR_OF_ALL,                              \
                                                .alloc_aligned = call_alloc_aligned,               \
                                                .resize = call_resize, .free = call_free}

/* Those that exist: not each subject is an allocator of its own. */
#define LAB_ALLOCATOR_DECLARE(subject, name, family)                                               \
    extern const lab_allocator lab_allocator_##subject;
LAB_SUBJECTS(LAB_ALLOCATOR_DECLARE)

#endif
