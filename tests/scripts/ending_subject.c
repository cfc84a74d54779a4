/* SPDX-License-Identifier: MIT */
/* A plug-in that ends in the way that the environment variable MISTAKE names, when its second block
 * is asked for. tests/scripts/test_signatures.py holds what is said of that in one place against
 * what is said in others. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "subjects/subject.h"

enum { BLOCKS = 1024, BYTES_MAX = 100, ALIGNMENT_MAX = 16 };

typedef struct ending {
    th_allocator backing;
    unsigned calls;
    void *blocks[BLOCKS]; /* those that are live */
} ending;

static volatile int least = -2147483647 - 1, most = 2147483647, one = 1;

static void overflow(size_t size) {
    volatile char *block = malloc(size);
    block[size] = 1;
    free((void *)(uintptr_t)block);
}

__attribute__((noinline)) static void end_as(const char *name) {
    volatile int sum = 0;
    if (strcmp(name, "null") == 0) {
        *(volatile int *)(uintptr_t)(sum + 8) = 1;
    } else if (strcmp(name, "assert") == 0) {
        assert(sum == 1);
    } else if (strcmp(name, "panic") == 0) {
        (void)fputs("tagheap: canary smashed: block 4 tag 0x1001 byte 34 expected 0xc5\n", stderr);
        abort();
    } else if (strcmp(name, "overflow") == 0) {
        overflow(10);
    } else if (strcmp(name, "below") == 0) {
        sum = least - one;
    } else if (strcmp(name, "above") == 0) {
        sum = most - -one;
    } else if (strcmp(name, "exit") == 0) {
        exit(3);
    }
}

static void *ending_alloc(void *self, size_t bytes, size_t alignment) {
    ending *m = self;
    const char *name = getenv("MISTAKE");
    unsigned i = 0;
    while (i < BLOCKS && m->blocks[i] != NULL) {
        i++;
    }
    if (i == BLOCKS || bytes == 0 || bytes > BYTES_MAX || alignment > ALIGNMENT_MAX ||
        (alignment & (alignment - 1)) != 0) {
        return NULL;
    }
    bool errs = ++m->calls == 2 && name != NULL;
    if (errs) {
        end_as(name);
    }
    m->blocks[i] = th_allocator_alloc_aligned(m->backing, bytes + errs, alignment);
    bool shifts = errs && m->blocks[i] != NULL && strcmp(name, "property") == 0;
    return (char *)m->blocks[i] + shifts;
}

static void ending_free(void *self, void *pointer) {
    ending *m = self;
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (m->blocks[i] == pointer) {
            m->blocks[i] = NULL;
            th_allocator_free(m->backing, pointer);
        }
    }
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = ending_alloc, .free = ending_free};
    ending *m = calloc(1, sizeof *m);
    if (m != NULL) {
        m->backing = setup->backing;
        *instance = (lab_instance){.state = m,
                                   .allocator = {&table, m},
                                   .bytes_max = BYTES_MAX,
                                   .alignment_max = ALIGNMENT_MAX};
    }
    return m != NULL;
}

static void destroy(void *state) {
    ending *m = state;
    for (unsigned i = 0; i < BLOCKS; i++) {
        th_allocator_free(m->backing, m->blocks[i]);
    }
    free(m);
}

const lab_subject lab_subject_export = {.version = LAB_SUBJECT_VERSION,
                                        .name = "ending",
                                        .purpose = "ends in many ways",
                                        .flags = 0,
                                        .create = create,
                                        .destroy = destroy};
