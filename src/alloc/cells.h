/* SPDX-License-Identifier: MIT */
/* Rows of equal cells: what pools and slabs have in common. A cell is an object and what alignment
 * adds to it. A free cell is closed; its first word links it to the next free one, and what is
 * after that is poison at guard level 2.
 *
 *   live   [ requested bytes: open ][ canary at level 1: closed ]
 *   free   [ link ][ poison at level 2 ]                            all closed
 *
 * The looks (th_cell_verify_*, th_cells_find) raise nothing: they describe in *fault what they
 * find, and the caller reports it, or hands it on. */
#ifndef TH_ALLOC_CELLS_H
#define TH_ALLOC_CELLS_H

#include "alloc/guarding.h"
#include "base/align.h"
#include "base/compiler.h"

typedef struct th_cells {
    unsigned char *start;
    size_t stride;
    size_t alignment;
    size_t used; /* cells [0, used) have been handed out at least once */
} th_cells;

#define TH_CELL_LINK_BYTES sizeof(void *)

/* The bytes between the last cell and what an allocator keeps after it, and between what it keeps
 * in front of the first cell and that: closed, so that ASan and memcheck see an overflow. */
#define TH_CELL_WALL_BYTES ((size_t)16)

/* A cell's link, wherever it is kept. Objects have other types: it aliases all of them. */
typedef void *TH_MAY_ALIAS th_cell_link;

TH_TRACK_BLIND_INLINE void *th_cell_link_load(const void *place) {
    void *next;
    th_track_blind_begin();
    next = *(const th_cell_link *)place;
    th_track_trust(&next, sizeof next);
    th_track_blind_end();
    return next;
}

TH_TRACK_BLIND_INLINE void th_cell_link_store(void *place, void *next) {
    th_track_blind_begin();
    *(th_cell_link *)place = next;
    th_track_blind_end();
}

/* What objects of this size may need, if nothing more is known: the largest power of two that
 * divides it, at most 16. */
static inline size_t th_cell_natural_alignment(size_t bytes) {
    size_t lowest = bytes & (0 - bytes);
    return lowest < 16 ? lowest : 16;
}

/* How objects of so many bytes lie in cells, each of which has room for `least` bytes at least and
 * is aligned as that is; alignment 0: the natural one. Fails iff there are no bytes
 * (TH_ERR_CONFIG), the alignment is no power of two (TH_ERR_ALIGNMENT), or one of them is more than
 * bytes_max (TH_ERR_TOO_LARGE). */
static inline th_status th_cell_lay_out(size_t bytes, size_t alignment, size_t least,
                                        size_t bytes_max, size_t *cell_alignment, size_t *stride) {
    if (bytes == 0) {
        return TH_ERR_CONFIG;
    }
    if (alignment == 0) {
        alignment = th_cell_natural_alignment(bytes);
    }
    if (!th_is_power_of_two(alignment)) {
        return TH_ERR_ALIGNMENT;
    }
    alignment = alignment < least ? least : alignment;
    if (bytes > bytes_max || alignment > bytes_max) {
        return TH_ERR_TOO_LARGE;
    }
    *cell_alignment = alignment;
    *stride = th_size_round_up(bytes < least ? least : bytes, alignment);
    return TH_OK;
}

static inline unsigned char *th_cell_at(const th_cells *cells, size_t index) {
    return cells->start + index * cells->stride;
}

/* Which cell starts at `pointer`, an address of the row? TH_ERR_CORRUPT: none that was ever handed
 * out, as th_cells_not_a_cell says. */
th_status th_cells_find(const th_cells *cells, const void *pointer, size_t *index, th_fault *fault);

/* No cell that was ever handed out starts at `pointer`, an address of the row: `block` in the fault
 * is the cell around it, `expected` that cell's offset. */
th_status th_cells_not_a_cell(const th_cells *cells, const void *pointer, th_fault *fault);

/* The cell is free, and somebody wants to free it. */
th_status th_cells_double_free(const th_cells *cells, size_t index, th_fault *fault);

/* A pointer that belongs to no row: `found` is its low 32 bits. */
th_status th_cells_foreign(const void *pointer, th_fault *fault);

/* The cell's link, `next`, leads to no free cell. */
th_status th_cells_bad_link(const th_cells *cells, size_t index, const void *next, th_fault *fault);

/* The bytes [from, to) of a live cell must be canary. */
static inline th_status th_cell_verify_canary(const th_cells *cells, size_t index, size_t from,
                                              size_t to, th_fault *fault) {
    if (from == to) {
        return TH_OK;
    }
    return th_guarding_find_canary((uintptr_t)cells->start, th_cell_at(cells, index) + from,
                                   to - from, index, fault);
}

/* The cell from its byte `from` on must be poison. */
th_status th_cell_verify_poison(const th_cells *cells, size_t index, size_t from, th_fault *fault);

/* What follows the first `bytes` bytes of a live cell, which are not all: canary, at level 1, up
 * to `to`; closed. */
void th_cell_close_rest(const th_cells *cells, size_t index, size_t bytes, size_t to, int level);

/* The cell becomes live: its first `bytes` bytes are open, with no contents, or (kept) with those
 * that they have; the rest is closed. */
static inline void th_cell_open(const th_cells *cells, size_t index, size_t bytes, size_t to,
                                bool kept, int level) {
    if (kept) {
        th_track_release(th_cell_at(cells, index), bytes);
    } else {
        th_track_open(th_cell_at(cells, index), bytes);
    }
    if (bytes < cells->stride) {
        th_cell_close_rest(cells, index, bytes, to, level);
    }
}

/* A live cell's open bytes become `bytes` instead of old_bytes. */
static inline void th_cell_reopen(const th_cells *cells, size_t index, size_t old_bytes,
                                  size_t bytes, size_t to, int level) {
    if (bytes > old_bytes) {
        th_track_open(th_cell_at(cells, index) + old_bytes, bytes - old_bytes);
    }
    if (bytes < cells->stride) {
        th_cell_close_rest(cells, index, bytes, to, level);
    }
}

/* The cell becomes free: closed, and at level 2 poisoned from its byte `from` on. */
static inline void th_cell_close(const th_cells *cells, size_t index, size_t from, int level) {
    unsigned char *cell = th_cell_at(cells, index);
    if (level >= 2 && from < cells->stride) {
        th_pattern_fill(cell + from, TH_POISON_BYTE, cells->stride - from);
    }
    th_track_close(cell, cells->stride);
}

#endif
