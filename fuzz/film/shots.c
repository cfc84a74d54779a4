/* SPDX-License-Identifier: MIT */
#include "film/shots.h"

enum { DWORD_BYTES = 4 };

/* Its owner is its site: the runner gives 1 + the slot. */
static lab_film_block block_of(const th_heap *heap, const th_heap_block *b, uint32_t header) {
    bool vacant = b->tag == heap->tag_free;
    bool wide = heap->tag_free == TH_TAG_WIDE_FREE;
    uint32_t tail = wide ? TH_TAG_WIDE_TAIL_MIN : TH_TAG_TAIL_MIN;
    return (lab_film_block){
        .at = (uint64_t)b->offset * DWORD_BYTES,
        .bytes = header + (uint64_t)b->size_dwords * DWORD_BYTES,
        .requested = b->requested_bytes,
        .kind = vacant           ? LAB_FILM_FREE
                : b->tag >= tail ? LAB_FILM_TAIL
                                 : LAB_FILM_HEAD,
        .tag = b->tag,
        .owner = b->site,
    };
}

static uint32_t header_bytes(const th_heap *heap, const th_heap_block *first) {
    size_t header = (size_t)((unsigned char *)first->payload - heap->base);
    return (uint32_t)(header - (size_t)first->offset * DWORD_BYTES);
}

static void add_expected(lab_film_writer *w, const lab_exact *model) {
    for (uint32_t i = 0; i < model->count; i++) {
        const lab_extent *e = &model->extents[i];
        bool vacant = lab_exact_is_free(model, e);
        lab_film_block block = {
            .at = (uint64_t)e->offset * DWORD_BYTES,
            .bytes = ((uint64_t)model->header + e->size) * DWORD_BYTES,
            .requested = e->requested,
            .kind = vacant                        ? LAB_FILM_EXPECTED_FREE
                    : lab_exact_is_tail(model, e) ? LAB_FILM_EXPECTED_TAIL
                                                  : LAB_FILM_EXPECTED_HEAD,
            .tag = e->tag,
            .owner = model->keeps ? e->site : 0,
        };
        lab_film_add(w, &block);
    }
}

void lab_film_shoot_heap(lab_film_writer *w, const th_heap *heap, const lab_exact *model) {
    uint64_t figures[LAB_FILM_FIGURES] = {0};
    th_heap_block b;
    bool more = th_heap_first(heap, &b);
    uint32_t header = more ? header_bytes(heap, &b) : 0;
    if (!w->begun) {
        lab_film_begin(w, header, (uint64_t)heap->dwords * DWORD_BYTES);
    }
    for (; more; more = th_heap_next(heap, &b)) {
        lab_film_block block = block_of(heap, &b, header);
        lab_film_add(w, &block);
        figures[LAB_FILM_REQUESTED] += block.requested;
        if (block.kind != LAB_FILM_FREE) {
            figures[LAB_FILM_USED] += block.bytes;
        } else if (b.next_offset != 0) {
            uint64_t bytes = (uint64_t)b.size_dwords * DWORD_BYTES;
            figures[LAB_FILM_UNUSED] += bytes;
            if (bytes > figures[LAB_FILM_LARGEST]) {
                figures[LAB_FILM_LARGEST] = bytes;
            }
        }
    }
    if (model != NULL) {
        add_expected(w, model);
    }
    lab_film_frame(w, figures);
}

void lab_film_shoot_subject(lab_film_writer *w, const lab_contract_runner *runner) {
    const lab_contract *contract = lab_contract_runner_contract(runner);
    const lab_contract_runner_view view = lab_contract_runner_look(runner);
    const lab_backing *backing = view.backing;
    uintptr_t start = (uintptr_t)backing->region + backing->start;
    uint64_t figures[LAB_FILM_FIGURES] = {
        [LAB_FILM_REQUESTED] = contract->live_bytes, [LAB_FILM_USED] = backing->live};
    if (!w->begun) {
        lab_film_begin(w, 0, 0);
    }
    for (size_t i = 0; i < backing->count; i++) {
        const lab_backing_block *b = &backing->blocks[i];
        lab_film_block block = {
            .at = (uintptr_t)b->at - start, .bytes = b->bytes, .kind = LAB_FILM_MEMORY};
        lab_film_add(w, &block);
    }
    for (uint32_t i = 0; i < contract->slots_used; i++) {
        const lab_contract_block *b = &contract->slots[i];
        bool inside = b->at != NULL && lab_backing_contains(backing, b->at, 1);
        lab_film_block block = {
            .at = inside ? (uintptr_t)b->at - start : (uintptr_t)b->at,
            .bytes = b->extent > b->bytes ? b->extent : b->bytes,
            .requested = b->bytes,
            .kind = inside ? LAB_FILM_BLOCK : LAB_FILM_ELSEWHERE,
            .tag = b->tag,
            .owner = i + 1,
        };
        if (b->at != NULL) {
            lab_film_add(w, &block);
        }
    }
    lab_film_frame(w, figures);
}
