/* SPDX-License-Identifier: MIT */
/* Requests that must be refused, each with its own words. What the wrappers of the library refuse
 * by themselves never reaches a subject; what a subject has of its own does. */
#include <inttypes.h>

#include "contract/state.h"

/* What a resize of NULL asks for. */
enum { NULL_RESIZED_BYTES = 24 };

/* Nothing is due for a request that must be refused; it gave something. */
static bool accepts(lab_contract_runner *r, const char *request, size_t a, size_t b) {
    return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "accepted", "%s, with %zu and %zu",
                                    request, a, b);
}

static bool refuses_alone(lab_contract_runner *r, size_t bytes, size_t alignment) {
    return lab_contract_runner_skips(r, bytes, alignment) ||
           th_allocator_alloc_aligned(r->instance.allocator, bytes, alignment) == NULL ||
           accepts(r, "alloc_aligned(bytes, alignment)", bytes, alignment);
}

/* A product that no array may have. The library multiplies itself; a subject that has its own
 * arrays does that, too, if it may be asked. */
static bool refuses_array(lab_contract_runner *r, size_t count, size_t size) {
    if (th_allocator_alloc_array(r->instance.allocator, count, size) != NULL) {
        return accepts(r, "alloc_array(count, size)", count, size);
    }
    return r->subject->alloc_array == NULL ||
           lab_contract_runner_skips(r, SIZE_MAX, TH_ALLOCATOR_ALIGNMENT) ||
           lab_observer_alloc_array(&r->observer, count, size) == NULL ||
           accepts(r, "the subject's alloc_array(count, size)", count, size);
}

/* A product that is a few bytes modulo 2^64, or in 32 bits modulo 2^32: `size` is a power of two.
 */
static bool refuses_wrapped_arrays(lab_contract_runner *r, uint32_t value) {
    size_t size = (size_t)2 << value % 16;
    size_t wraps = SIZE_MAX / size + 1;
    size_t count = wraps + 1 + value / 16 % 8;
    return refuses_array(r, count, size) && refuses_array(r, size, count) &&
           refuses_array(r, wraps, size) && refuses_array(r, SIZE_MAX, SIZE_MAX);
}

static bool refuses_null(lab_contract_runner *r, size_t bytes) {
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

/* What a subject says of NULL itself: to free it is nothing, to resize it makes a block. */
static bool takes_null(lab_contract_runner *r) {
    th_allocator allocator = r->instance.allocator;
    bool says = lab_contract_runner_has(r, LAB_SUBJECT_NULL);
    size_t alignment = r->script->config.alignment;
    if (says || r->subject->free_block != NULL) {
        allocator.table->free(allocator.self, NULL);
    }
    if (r->subject->free_block != NULL && r->observer.freed != 0) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_RESULT, "freed",
                                        "a free of NULL returned %" PRIu64, r->observer.freed);
    }
    if (!says || allocator.table->realloc == NULL ||
        lab_contract_runner_skips(r, NULL_RESIZED_BYTES, alignment)) {
        return true;
    }
    unsigned char *at =
        allocator.table->realloc(allocator.self, NULL, 0, NULL_RESIZED_BYTES, alignment);
    lab_given given;
    if (at == NULL) {
        return lab_contract_runner_refused(r, NULL_RESIZED_BYTES, alignment);
    }
    if (!lab_contract_runner_given(r, at, NULL_RESIZED_BYTES, alignment, LAB_NO_SLOT, &given)) {
        return false;
    }
    r->model.touched = true;
    r->model.mixed = true;
    th_allocator_free(allocator, at);
    return true;
}

bool lab_contract_runner_refusals(lab_contract_runner *r, const lab_op *op) {
    size_t bytes = lab_size_bytes(op->size);
    size_t huge = (size_t)1 << (sizeof huge * 8 - 1);
    th_allocator_free(r->instance.allocator, NULL);
    return takes_null(r) && refuses_alone(r, 0, TH_ALLOCATOR_ALIGNMENT) &&
           refuses_alone(r, (size_t)PTRDIFF_MAX + 1, TH_ALLOCATOR_ALIGNMENT) &&
           refuses_alone(r, SIZE_MAX, TH_ALLOCATOR_ALIGNMENT) && refuses_alone(r, 8, 0) &&
           refuses_alone(r, 8, 12) && refuses_alone(r, 8, huge) &&
           refuses_array(r, SIZE_MAX / 2, 3) && refuses_array(r, bytes, SIZE_MAX) &&
           refuses_wrapped_arrays(r, op->size.value) && refuses_null(r, bytes);
}
