/* SPDX-License-Identifier: MIT */
#include "resources/play.h"

#include <stdio.h>
#include <stdlib.h>

unsigned lab_input_byte(lab_input *input) {
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

size_t lab_input_below(lab_input *input, size_t end) {
    size_t number = lab_input_byte(input);
    if (end > 256) {
        number = number << 8 | lab_input_byte(input);
    }
    return number % end;
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    lab_source *source = self;
    if (source->left == 0 || (source->bytes_max != 0 && bytes > source->bytes_max)) {
        source->refusals++;
        return NULL;
    }
    if (source->left != LAB_SOURCE_ANY) {
        source->left--;
    }
    size_t *block = NULL;
    size_t head = alignment > 2 * sizeof(size_t) ? alignment : 2 * sizeof(size_t);
    unsigned char *base = th_allocator_alloc_aligned(th_system_allocator(), head + bytes, head);
    if (base == NULL) {
        abort();
    }
    block = (size_t *)(void *)(base + head) - 2;
    block[0] = bytes;
    block[1] = head;
    source->live++;
    source->live_bytes += bytes;
    return base + head;
}

static void free_block(void *self, void *pointer) {
    lab_source *source = self;
    const size_t *block = (const size_t *)pointer - 2;
    source->live--;
    source->live_bytes -= block[0];
    th_allocator_free(th_system_allocator(), (unsigned char *)pointer - block[1]);
}

th_allocator lab_source_start(lab_source *source) {
    static const th_allocator_table table = {.alloc = alloc, .free = free_block};
    *source = (lab_source){.left = LAB_SOURCE_ANY};
    return (th_allocator){.table = &table, .self = source};
}

void lab_source_stop(const lab_source *source, const char *noun) {
    lab_require(source->live == 0 && source->live_bytes == 0, noun, "memory-lost");
}

void lab_require(bool holds, const char *noun, const char *detail) {
    if (!holds) {
        (void)fprintf(stderr, "FAILURE property=%s detail=%s\n", noun, detail);
        (void)fflush(stderr);
        abort();
    }
}

static void count(void *context, const th_fault *fault) {
    (void)fault;
    ++*(unsigned *)context;
}

th_guarding lab_count_faults(unsigned *faults) {
    *faults = 0;
    return (th_guarding){.level = 3, .on_fault = count, .fault_context = faults};
}
