/* SPDX-License-Identifier: MIT */
#include "alloc/cells.h"

static size_t offset_of(const th_cells *cells, const void *pointer) {
    return (size_t)((uintptr_t)pointer - (uintptr_t)cells->start);
}

th_status th_cells_find(const th_cells *cells, const void *pointer, size_t *index,
                        th_fault *fault) {
    size_t offset = offset_of(cells, pointer);
    size_t cell = offset / cells->stride;
    if (offset != cell * cells->stride || cell >= cells->used) {
        return th_cells_not_a_cell(cells, pointer, fault);
    }
    *index = cell;
    return TH_OK;
}

th_status th_cells_not_a_cell(const th_cells *cells, const void *pointer, th_fault *fault) {
    size_t offset = offset_of(cells, pointer);
    size_t cell = offset / cells->stride;
    bool aligned = th_is_aligned((uintptr_t)pointer, cells->alignment);
    return th_guarding_corrupt(fault, aligned ? TH_FAULT_NOT_A_BLOCK : TH_FAULT_MISALIGNED, cell,
                               offset, cell * cells->stride, offset);
}

th_status th_cells_double_free(const th_cells *cells, size_t index, th_fault *fault) {
    size_t offset = index * cells->stride;
    return th_guarding_corrupt(fault, TH_FAULT_DOUBLE_FREE, index, offset, offset, offset);
}

th_status th_cells_foreign(const void *pointer, th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_FOREIGN, SIZE_MAX, SIZE_MAX, 0,
                               (uint32_t)(uintptr_t)pointer);
}

th_status th_cells_bad_link(const th_cells *cells, size_t index, const void *next,
                            th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_CHAIN, index, index * cells->stride, 0,
                               (uint32_t)(uintptr_t)next);
}

th_status th_cell_verify_poison(const th_cells *cells, size_t index, size_t from, th_fault *fault) {
    uint32_t found = 0;
    size_t bytes = cells->stride - from;
    size_t bad = th_pattern_find(th_cell_at(cells, index) + from, TH_POISON_BYTE, bytes, &found);
    return bad == bytes
               ? TH_OK
               : th_guarding_corrupt(fault, TH_FAULT_POISON, index,
                                     index * cells->stride + from + bad, TH_POISON_BYTE, found);
}

void th_cell_close_rest(const th_cells *cells, size_t index, size_t bytes, size_t to, int level) {
    unsigned char *rest = th_cell_at(cells, index) + bytes;
    if (level >= 1) {
        th_guarding_write_canary((uintptr_t)cells->start, rest, to - bytes);
    }
    th_track_close(rest, cells->stride - bytes);
}
