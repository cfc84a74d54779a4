/* SPDX-License-Identifier: MIT */
/* Requests that must be refused, each with its own words. What the wrappers of the library refuse
 * by themselves never reaches a subject; what a subject has of its own does. */
#include <inttypes.h>

#include "runner/referee.h"

/* Nothing is due for a request that must be refused; it gave something. */
static bool accepts(lab_referee *r, const char *request, size_t a, size_t b) {
    return lab_objects(r, LAB_PROPERTY_RESULT, "accepted", "%s, with %zu and %zu", request, a, b);
}

static bool refuses_alone(lab_referee *r, size_t bytes, size_t alignment) {
    return lab_referee_spares(r, bytes, alignment) ||
           th_allocator_alloc_aligned(r->instance.allocator, bytes, alignment) == NULL ||
           accepts(r, "alloc_aligned(bytes, alignment)", bytes, alignment);
}

/* A product that no array may have. The library multiplies itself; a subject that has its own
 * arrays does that, too, if it may be asked. */
static bool refuses_array(lab_referee *r, size_t count, size_t size) {
    if (th_allocator_alloc_array(r->instance.allocator, count, size) != NULL) {
        return accepts(r, "alloc_array(count, size)", count, size);
    }
    return r->subject->alloc_array == NULL ||
           lab_referee_spares(r, SIZE_MAX, TH_ALLOCATOR_ALIGNMENT) ||
           lab_witness_alloc_array(&r->witness, count, size) == NULL ||
           accepts(r, "the subject's alloc_array(count, size)", count, size);
}

/* A product that is a few bytes modulo 2^64, or in 32 bits modulo 2^32: `size` is a power of two.
 */
static bool refuses_wrapped_arrays(lab_referee *r, uint32_t value) {
    size_t size = (size_t)2 << value % 16;
    size_t wraps = SIZE_MAX / size + 1;
    size_t count = wraps + 1 + value / 16 % 8;
    return refuses_array(r, count, size) && refuses_array(r, size, count) &&
           refuses_array(r, wraps, size) && refuses_array(r, SIZE_MAX, SIZE_MAX);
}

static bool refuses_null(lab_referee *r, size_t bytes) {
    th_allocator allocator = r->instance.allocator;
    if (th_allocator_duplicate(allocator, NULL, 8) != NULL) {
        return accepts(r, "duplicate(NULL, bytes)", 8, 0);
    }
    if (th_allocator_resize_in_place(allocator, NULL, bytes)) {
        return accepts(r, "resize_in_place(NULL, bytes)", bytes, 0);
    }
    if (th_allocator_usable_size(allocator, NULL) != 0) {
        return accepts(r, "usable_size(NULL)", th_allocator_usable_size(allocator, NULL), 0);
    }
    return !th_allocator_owns(allocator, NULL) || accepts(r, "owns(NULL)", 0, 0);
}

bool lab_referee_refusals(lab_referee *r, const lab_op *op) {
    size_t bytes = lab_size_bytes(op->size);
    size_t huge = (size_t)1 << (sizeof huge * 8 - 1);
    th_allocator_free(r->instance.allocator, NULL);
    return refuses_alone(r, 0, TH_ALLOCATOR_ALIGNMENT) &&
           refuses_alone(r, (size_t)PTRDIFF_MAX + 1, TH_ALLOCATOR_ALIGNMENT) &&
           refuses_alone(r, SIZE_MAX, TH_ALLOCATOR_ALIGNMENT) && refuses_alone(r, 8, 0) &&
           refuses_alone(r, 8, 12) && refuses_alone(r, 8, huge) &&
           refuses_array(r, SIZE_MAX / 2, 3) && refuses_array(r, bytes, SIZE_MAX) &&
           refuses_wrapped_arrays(r, op->size.value) && refuses_null(r, bytes);
}
