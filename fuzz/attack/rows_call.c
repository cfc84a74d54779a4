/* SPDX-License-Identifier: MIT */
/* Attacks that are calls: with pointers that are no payload, and from inside callbacks. */
#include <string.h>

#include "attack/rows.h"

/* ---- pointers ----------------------------------------------------------------------------- */

static unsigned char *payload(const lab_scene *s, unsigned holding) {
    return s->holdings[holding].at;
}

/* Freed, and its memory now part of a block that begins elsewhere: a large one from FIRST up, or
 * several small ones. */
static unsigned char *reused(lab_scene *s, unsigned i) {
    unsigned char *b = s->freed[0].at;
    if (i == 0) {
        lab_scene_give(s, payload(s, LAB_A));
        (void)lab_scene_take(s, 100, 0x1010, 4);
    } else {
        (void)lab_scene_take(s, 8, 0x1010, 16);
        lab_scene_give(s, payload(s, LAB_A));
        (void)lab_scene_take(s, 36, 0x1011, 4);
    }
    return b;
}

/* Into the middle of d, which has been filled with a copy of c's header. */
static unsigned char *forged(lab_scene *s) {
    unsigned char image[LAB_SCENE_BYTES];
    uint32_t header = 4 * s->header;
    unsigned char *d = payload(s, LAB_D);
    lab_scene_image(s, image);
    memcpy(d, image + lab_scene_byte(s, payload(s, LAB_C)) - header, header);
    memset(s->hit + lab_scene_byte(s, d), 1, header);
    return d + header;
}

static unsigned char *foreign(lab_scene *s, unsigned i) {
    static const int32_t distance[] = {-16, -4096, LAB_SCENE_BYTES, LAB_SCENE_BYTES + 16, 1 << 20};
    enum { DISTANCES = sizeof distance / sizeof distance[0] };
    static unsigned char elsewhere[32];
    if (i < DISTANCES) {
        return (unsigned char *)((uintptr_t)s->region + (uintptr_t)(intptr_t)distance[i]);
    }
    return i == DISTANCES       ? s->copy + LAB_SCENE_EDGE
           : i == DISTANCES + 1 ? elsewhere + 16
                                : (unsigned char *)s;
}

static unsigned count_of(unsigned class) {
    static const unsigned counts[] = {3, 2, 2, 1, 3, 16, 1, 9, 12, 8};
    return counts[class];
}

/* The i-th pointer of a class. */
static unsigned char *pointer_of(lab_scene *s, unsigned class, unsigned i) {
    unsigned char *at = payload(s, LAB_D);
    switch (class) {
    case LAB_POINTER_FREED:
        return s->freed[i].at;
    case LAB_POINTER_MERGED: /* with the block below; with both */
        at = payload(s, i == 0 ? LAB_C : LAB_E);
        if (i != 0) {
            lab_scene_give(s, payload(s, LAB_D));
        }
        lab_scene_give(s, at);
        return at;
    case LAB_POINTER_REUSED:
        return reused(s, i);
    case LAB_POINTER_RESIZED:
        at = payload(s, LAB_A);
        (void)th_heap_realloc(&s->heap, at, 200);
        s->holdings[LAB_A].live = false;
        return at;
    case LAB_POINTER_MOVED:
        at = payload(s, LAB_C + i);
        lab_scene_compact(s, false);
        return at;
    case LAB_POINTER_INTERIOR:
        return at + 4 * i;
    case LAB_POINTER_FORGED:
        return forged(s);
    case LAB_POINTER_HEADER:
        return i < LAB_NAMED ? payload(s, i) - 4 * s->header
                             : s->freed[i - LAB_NAMED].at - 4 * s->header;
    case LAB_POINTER_MISALIGNED:
        return i < 3   ? at + 1 + i
               : i < 6 ? s->freed[0].at + i - 2
               : i < 9 ? s->region + i - 6
                       : s->region + LAB_SCENE_BYTES - 1 - (i - 9);
    default:
        return foreign(s, i);
    }
}

/* What a call on this pointer must say, by the ground truth alone. */
static bool expect(lab_scene *s, const unsigned char *pointer) {
    const lab_scene_block *block;
    uint32_t byte = lab_scene_byte(s, pointer);
    uint32_t first = 4 * s->header;
    if (byte >= LAB_SCENE_BYTES) {
        s->kinds = 1u << TH_FAULT_FOREIGN;
        return true;
    }
    if (byte < first || byte >= LAB_SCENE_BYTES - first || byte % (4u * s->heap.unit_dwords) != 0) {
        s->kinds = 1u << TH_FAULT_MISALIGNED;
        return true;
    }
    (void)lab_scene_zone(s, byte, &block);
    s->kinds = block->free ? 1u << TH_FAULT_DOUBLE_FREE : 1u << TH_FAULT_NOT_A_BLOCK;
    s->block = block->offset;
    return block->free || byte != 4 * (block->offset + s->header);
}

enum { OTHER_CALLS = 6 };

static bool refuses(lab_scene *s, void *pointer, unsigned call) {
    switch (call) {
    case 0:
        return th_heap_realloc(&s->heap, pointer, 0) == NULL;
    case 1:
        return th_heap_realloc(&s->heap, pointer, 8) == NULL;
    case 2:
        return th_heap_realloc(&s->heap, pointer, 300) == NULL;
    case 3:
        return th_heap_trim(&s->heap, pointer) == 0;
    case 4:
        return th_heap_requested_size(&s->heap, pointer) == 0;
    case 5:
        return th_heap_usable_size(&s->heap, pointer) == 0;
    default:
        return th_heap_free(&s->heap, pointer) == 0;
    }
}

bool lab_attack_pointer(lab_scene *s, unsigned position, unsigned class) {
    bool other = (class & LAB_OTHER_CALLS) != 0;
    unsigned calls = other ? OTHER_CALLS : 1;
    class &= LAB_OTHER_CALLS - 1u;
    if (position / calls >= count_of(class)) {
        return false;
    }
    unsigned char *pointer = pointer_of(s, class, position / calls);
    lab_scene_mark(s);
    if (!expect(s, pointer)) {
        s->skip = true; /* a payload by chance, at this alignment */
        return true;
    }
    s->refused = refuses(s, pointer, other ? position % calls : calls);
    return true;
}

/* ---- from inside callbacks ---------------------------------------------------------------- */

enum { INNER_CALLS = 13 };

/* Every call that would change the heap, or end it. */
static bool inner_refuses(lab_scene *s, unsigned call) {
    th_heap copy = {0};
    unsigned char *d = payload(s, LAB_D);
    switch (call) {
    case 7:
        return th_heap_alloc(&s->heap, 8, 0x1010) == NULL;
    case 8:
        return th_heap_alloc_aligned(&s->heap, 8, 64, 0x4010) == NULL;
    case 9:
        return th_heap_free_tags(&s->heap, 0, TH_TAG_WIDE_TAIL_MAX) == 0;
    case 10:
        return th_heap_compact(&s->heap, NULL, NULL).blocks_moved == 0 &&
               th_heap_compact_some(&s->heap, 1, NULL, NULL).blocks_moved == 0;
    case 11:
        return th_heap_copy(&s->heap, &copy, s->copy) == TH_ERR_BUSY;
    case 12:
        return th_heap_attach(&s->heap, s->region) == TH_ERR_BUSY;
    case 4:
        th_heap_detach(&s->heap);
        return true;
    case 5:
        th_heap_clean_up(&s->heap);
        return true;
    default:
        return refuses(s, d, call);
    }
}

typedef struct intruder {
    lab_scene *scene;
    unsigned call;
} intruder;

static bool call_inside_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    intruder *in = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    if (in->scene->faults == 0) {
        in->scene->refused = inner_refuses(in->scene, in->call);
    }
    return false;
}

bool lab_attack_reentry(lab_scene *s, unsigned position, unsigned detail) {
    (void)detail;
    if (position >= INNER_CALLS) {
        return false;
    }
    intruder in = {s, position};
    s->kinds = 1u << TH_FAULT_REENTRY;
    lab_scene_mark(s);
    (void)th_heap_compact(&s->heap, call_inside_move, &in);
    return true;
}

static bool run_out(lab_scene *s, th_heap_low_memory_fn callback, unsigned char *resized) {
    s->heap.config.low_memory = callback;
    s->heap.config.low_memory_context = s;
    void *none = resized != NULL ? th_heap_realloc(&s->heap, resized, LAB_SCENE_BYTES)
                                 : th_heap_alloc(&s->heap, LAB_SCENE_BYTES, 0x1010);
    s->heap.config.low_memory = NULL;
    s->may_change = true; /* the failed request counts, at least */
    return none == NULL;
}

static bool end_it(void *context, th_heap *heap, size_t bytes) {
    (void)context;
    (void)bytes;
    th_heap_clean_up(heap);
    return false;
}

static bool detach_it(void *context, th_heap *heap, size_t bytes) {
    (void)context;
    (void)bytes;
    th_heap_detach(heap);
    return false;
}

/* By an allocation, and by a growth. */
bool lab_attack_end_inside(lab_scene *s, unsigned position, unsigned detail) {
    (void)detail;
    s->kinds = 1u << TH_FAULT_REENTRY;
    lab_scene_mark(s);
    s->refused = run_out(s, position % 2 == 0 ? end_it : detach_it,
                         position / 2 == 0 ? NULL : payload(s, LAB_D));
    return position < 4;
}

static bool free_it(void *context, th_heap *heap, size_t bytes) {
    lab_scene *s = context;
    (void)heap;
    (void)bytes;
    lab_scene_give(s, payload(s, LAB_D));
    return true;
}

bool lab_attack_free_inside(lab_scene *s, unsigned position, unsigned detail) {
    (void)detail;
    if (position > 0) {
        return false;
    }
    s->kinds = 1u << TH_FAULT_DOUBLE_FREE;
    lab_scene_mark(s);
    s->refused = run_out(s, free_it, payload(s, LAB_D));
    return true;
}

static bool spoil_low_memory(void *context, th_heap *heap, size_t bytes) {
    (void)context;
    (void)bytes;
    heap->head_blocks ^= 1;
    return false;
}

static bool spoil_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    lab_scene *s = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    s->heap.head_blocks ^= 1;
    return false;
}

/* A counter, by a move callback, and by low-memory callbacks. */
bool lab_attack_control_inside(lab_scene *s, unsigned position, unsigned detail) {
    (void)detail;
    if (position > 2) {
        return false;
    }
    s->kinds = 1u << TH_FAULT_COUNT | 1u << TH_FAULT_CONTROL;
    lab_scene_mark(s);
    if (position == 0) {
        s->refused = !th_heap_compact_some(&s->heap, 1, spoil_move, s).done || s->heap.guard < 3;
    } else {
        s->refused = run_out(s, spoil_low_memory, position == 1 ? NULL : payload(s, LAB_D));
    }
    s->may_change = true;
    return true;
}
