/* SPDX-License-Identifier: MIT */
/* What all of a run needs: failures, places of blocks. */
#include "runner/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "program/forget.h"

bool lab_fail(lab_runner *r, lab_property property, const char *detail, const char *format, ...) {
    lab_failure *failure = r->failure;
    if (failure->property != LAB_PROPERTY_NONE) {
        return false;
    }
    failure->property = property;
    failure->op = r->index;
    failure->detail = detail;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return false;
}

bool lab_expect(lab_runner *r, lab_property property, const char *detail, uint64_t expected,
                uint64_t found) {
    if (expected == found) {
        return true;
    }
    return lab_fail(r, property, detail, "%s: expected %llu, found %llu", detail,
                    (unsigned long long)expected, (unsigned long long)found);
}

unsigned char *lab_payload(const lab_runner *r, uint32_t block) {
    return block == LAB_EXACT_NONE ? NULL : r->base + 4 * (size_t)(block + r->model.header);
}

ptrdiff_t lab_place_of(const lab_runner *r, const void *address) {
    return (ptrdiff_t)((uintptr_t)address - (uintptr_t)r->base);
}

uint32_t lab_block_of(const lab_runner *r, const void *payload) {
    if (payload == NULL) {
        return LAB_EXACT_NONE;
    }
    uintptr_t distance = (uintptr_t)payload - (uintptr_t)r->base;
    if (distance % 4 != 0 || distance / 4 < r->model.header || distance / 4 >= r->model.dwords) {
        return LAB_BLOCK_FOREIGN;
    }
    return (uint32_t)(distance / 4) - r->model.header;
}

bool lab_expect_block(lab_runner *r, uint32_t expected, const void *payload) {
    uint32_t found = lab_block_of(r, payload);
    if (expected == found) {
        return true;
    }
    if (expected == LAB_EXACT_NONE) {
        return lab_fail(r, LAB_PROPERTY_RESULT, "not-null",
                        "expected NULL, found byte %td from the region's start",
                        lab_place_of(r, payload));
    }
    if (found == LAB_EXACT_NONE) {
        return lab_fail(r, LAB_PROPERTY_RESULT, "null", "expected block %u, found NULL", expected);
    }
    if (found == LAB_BLOCK_FOREIGN) {
        return lab_fail(r, LAB_PROPERTY_RESULT, "block",
                        "expected block %u, found byte %td from the region's start, which is no "
                        "payload",
                        expected, lab_place_of(r, payload));
    }
    return lab_fail(r, LAB_PROPERTY_RESULT, "block", "expected block %u, found block %u", expected,
                    found);
}

void lab_forget(th_heap *heap) {
    forget(heap);
}
