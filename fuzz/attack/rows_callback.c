/* SPDX-License-Identifier: MIT */
/* Attacks of a move callback that writes where it must not, and then allows the move: what the move
 * would write over, it would heal in silence. */
#include "attack/rows.h"

/* One byte of what lies around the block that is asked about:
 *   [ far ][ target, free ][ block | canary ][ above ][ beyond ] */
typedef struct saboteur {
    lab_scene *scene;
    uint32_t from, bytes; /* of the part that is hit, from the start of the region */
    uint32_t byte;        /* of these */
    bool made;
} saboteur;

enum { BLOCKS = 3, SPAN = 64 };

static bool damage_and_allow(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    saboteur *k = context;
    (void)tag;
    (void)from;
    (void)to;
    (void)bytes;
    lab_scene_flip(k->scene, k->from + k->byte, (unsigned char)(1u << k->byte % 8));
    k->made = true;
    return true;
}

/* The block that a compaction asks about next: the lowest HEAD block above free memory. */
static unsigned next_to_move(const lab_scene *s) {
    unsigned i = 1;
    while (s->ground[i].free || !s->ground[i - 1].free) {
        i++;
    }
    return i;
}

/* Where the part of the marked scene is; false: there is none. */
static bool find_part(lab_scene *s, unsigned part, saboteur *k) {
    unsigned moving = next_to_move(s);
    const lab_scene_block *block = &s->ground[moving];
    uint32_t payload = 4 * (block->offset + s->header);
    k->bytes = 4 * s->header;
    switch (part) {
    case LAB_CALLBACK_HEADER:
        k->from = 4 * block->offset;
        break;
    case LAB_CALLBACK_CANARY:
        k->from = payload + block->requested;
        k->bytes = 4 * block->end - k->from;
        break;
    case LAB_CALLBACK_TARGET:
        k->from = 4 * block[-1].offset;
        break;
    case LAB_CALLBACK_MEMORY:
        k->from = 4 * (block[-1].offset + s->header);
        k->bytes = 4 * block[-1].end - k->from;
        break;
    case LAB_CALLBACK_ABOVE:
        k->from = 4 * block->end;
        break;
    case LAB_CALLBACK_BEYOND: /* is written if the block above is merged with what is vacated */
        k->from = 4 * block[1].end;
        return block[1].free;
    default:
        k->from = moving > 1 ? 4 * block[-2].offset : 0;
        return moving > 1;
    }
    s->victim =
        part == LAB_CALLBACK_HEADER || part == LAB_CALLBACK_CANARY ? s->region + payload : NULL;
    return true;
}

bool lab_attack_callback(lab_scene *s, unsigned position, unsigned part) {
    unsigned turn = position / SPAN;
    saboteur k = {.scene = s, .byte = position % SPAN};
    if (turn >= BLOCKS) {
        return false;
    }
    for (unsigned i = 0; i < turn; i++) {
        lab_scene_compact_step(s);
    }
    lab_scene_mark(s);
    const lab_scene_block *hit;
    bool there = find_part(s, part, &k) && k.byte < k.bytes;
    if (!there || (part == LAB_CALLBACK_MEMORY &&
                   lab_scene_zone(s, k.from + k.byte, &hit) != LAB_ZONE_POISON)) {
        s->skip = true;
        return true;
    }
    th_heap_compaction result = th_heap_compact_some(&s->heap, 1, damage_and_allow, &k);
    s->refused = result.blocks_moved == 0 && !result.done;
    return true;
}
