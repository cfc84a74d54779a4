/* SPDX-License-Identifier: MIT */
/* A plug-in in C++ for test_plugin.py: cells of one size with tags, which compaction puts together.
 * It gives a cell for 0 bytes, too. Compiled with -DWRONG=1 it moves a cell and leaves its tag. */
#include <cstdlib>
#include <cstring>

#include "subjects/subject.h"

#ifndef WRONG
#define WRONG 0
#endif

namespace {

constexpr size_t cell_bytes = 64, cells_max = 40;
constexpr uint32_t tag_max = 0x7FFF, no_tag = tag_max + 1;

struct cells {
    th_allocator backing;
    unsigned char *memory;
    uint32_t tags[cells_max];

    size_t index_of(const void *pointer) const {
        return static_cast<size_t>(static_cast<const unsigned char *>(pointer) - memory) /
               cell_bytes;
    }
};

void *alloc_tagged(void *self, size_t bytes, size_t alignment, uint32_t tag, bool zeroed) {
    auto *c = static_cast<cells *>(self);
    for (size_t i = 0; bytes <= cell_bytes && alignment <= cell_bytes && tag <= tag_max; i++) {
        if (i == cells_max) {
            return nullptr;
        }
        if (c->tags[i] == no_tag) {
            c->tags[i] = tag;
            void *cell = c->memory + i * cell_bytes;
            return zeroed ? std::memset(cell, 0, cell_bytes) : cell;
        }
    }
    return nullptr;
}

void *cells_alloc(void *self, size_t bytes, size_t alignment) {
    return alloc_tagged(self, bytes, alignment, 0, false);
}

uint64_t free_one(void *self, void *pointer) {
    auto *c = static_cast<cells *>(self);
    if (pointer == nullptr) {
        return 0;
    }
    c->tags[c->index_of(pointer)] = no_tag;
    return 1;
}

void cells_free(void *self, void *pointer) {
    (void)free_one(self, pointer);
}

uint64_t free_tags(void *self, uint32_t low, uint32_t high) {
    auto *c = static_cast<cells *>(self);
    uint64_t freed = 0;
    for (uint32_t &tag : c->tags) {
        if (tag != no_tag && tag >= low && tag <= high) {
            tag = no_tag;
            freed++;
        }
    }
    return freed;
}

/* The highest cells go to the lowest places. */
uint64_t compact(void *self, size_t bytes, lab_may_move may_move, void *context) {
    auto *c = static_cast<cells *>(self);
    uint64_t moved = 0;
    for (size_t from = cells_max; from-- > 0;) {
        size_t to = 0;
        while (to < from && c->tags[to] != no_tag) {
            to++;
        }
        if (c->tags[from] == no_tag || to == from) {
            continue;
        }
        if (moved > 0 && bytes < cell_bytes) {
            break;
        }
        unsigned char *cell = c->memory + from * cell_bytes;
        if (may_move(context, cell, c->memory + to * cell_bytes, cell_bytes)) {
            std::memcpy(c->memory + to * cell_bytes, cell, cell_bytes);
            c->tags[to] = WRONG ? 0 : c->tags[from];
            c->tags[from] = no_tag;
            bytes -= bytes < cell_bytes ? bytes : cell_bytes;
            moved++;
        }
    }
    return moved;
}

uint32_t tag_of(const void *self, const void *pointer) {
    auto *c = static_cast<const cells *>(self);
    return c->tags[c->index_of(pointer)];
}

const th_allocator_table table = {cells_alloc, cells_free, nullptr, nullptr,
                                  nullptr,     nullptr,    nullptr, nullptr};
const lab_tagging tagging = {alloc_tagged, free_tags, compact, tag_of};

bool create(const lab_setup *setup, lab_instance *instance) {
    auto *c = static_cast<cells *>(std::calloc(1, sizeof(cells)));
    c->backing = setup->backing;
    c->memory = static_cast<unsigned char *>(
        th_allocator_alloc_aligned(c->backing, cell_bytes * cells_max, cell_bytes));
    if (c->memory == nullptr) {
        std::free(c);
        return false;
    }
    for (uint32_t &tag : c->tags) {
        tag = no_tag;
    }
    instance->state = c;
    instance->allocator = {&table, c};
    instance->bytes_max = instance->alignment_max = cell_bytes;
    instance->blocks_guaranteed = cells_max;
    instance->tag_max = tag_max;
    return true;
}

void destroy(void *self) {
    auto *c = static_cast<cells *>(self);
    th_allocator_free(c->backing, c->memory);
    std::free(c);
}

lab_subject make_subject() {
    lab_subject subject = {};
    subject.version = LAB_SUBJECT_VERSION;
    subject.name = "tagged-cells";
    subject.purpose = "for tests";
    subject.flags = LAB_SUBJECT_FREES | LAB_SUBJECT_ZERO_GIVES | LAB_SUBJECT_NULL;
    subject.create = create;
    subject.destroy = destroy;
    subject.tags = &tagging;
    subject.free_block = free_one;
    subject.freed = LAB_FREED_ONE;
    return subject;
}

} // namespace

const lab_subject lab_subject_export = make_subject();
