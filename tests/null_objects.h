/* SPDX-License-Identifier: MIT */
/* How NULL and zeroed objects are answered, for the suites that try all nouns. */
#ifndef TESTS_NULL_OBJECTS_H
#define TESTS_NULL_OBJECTS_H

#include "suite.h"
#include "tagheap/allocator.h"

/* What belongs to nobody. */
extern unsigned char elsewhere[64];

/* One that a checker has not written yet; and one in which it has found nothing. */
th_fault any_fault(void);
void expect_no_fault(const th_fault *fault);

/* Of an allocator that has no memory. */
void expect_nothing_of(th_allocator allocator);

/* What every noun has. */
#define EXPECT_NOTHING(noun, object)                                                               \
    do {                                                                                           \
        th_fault fault = any_fault();                                                              \
        CHECK_EQ(th_##noun##_check(object, &fault), TH_ERR_NULL);                                  \
        expect_no_fault(&fault);                                                                   \
        CHECK_EQ(th_##noun##_check(object, NULL), TH_ERR_NULL);                                    \
        (void)th_##noun##_get_stats(object);                                                       \
        th_##noun##_clean_up(object);                                                              \
    } while (false)

/* `body` with `object` NULL, and once more with one that is zeroed. What an allocation of a zeroed
 * one has counted as failed is all that changes in it. */
#define TWICE(noun, body)                                                                          \
    do {                                                                                           \
        static const th_##noun zeroed;                                                             \
        th_##noun one = zeroed;                                                                    \
        th_##noun *objects[] = {NULL, &one};                                                       \
        for (size_t i = 0; i < 2; i++) {                                                           \
            th_##noun *object = objects[i];                                                        \
            body                                                                                   \
        }                                                                                          \
    } while (false)

#endif
