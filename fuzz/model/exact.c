/* SPDX-License-Identifier: MIT */
/* The exact model: docs/heap.md on an array of extents. Names follow that page: f and e are the
 * ends of a free block, n is a place for a header in it, need is a payload in dwords.
 *
 * LAST is extents[count - 1], an extent with tag FREE and size 0. The array is reserved once, at
 * start, for the most blocks that the region can ever hold, so that no operation can run out of
 * memory half way. A change of the block list is one call of make_room, which says where it is and
 * shifts what lies above, and plain assignments; only lab_exact_free_tags rebuilds the list. */
#include "model/exact.h"

#include <assert.h>
#include <stdlib.h>

#define DWORD_BYTES        4u
#define SPLIT_PAYLOAD      4u /* SPLIT is a header and this */
#define REGION_DWORDS_MAX  0xFFFFFFFCu
#define ALIGNMENT_MAX      0x80000000u
#define EXTENT_COUNT_FRESH 2u

/* The table of layouts in docs/heap.md. */
static const struct {
    uint32_t header, payload_max, tag_free;
    bool keeps;
} layouts[] = {[LAB_EXACT_CLASSIC] = {6, 0x1FFFF, 0x7FFF, true},
               [LAB_EXACT_LEAN] = {2, 0x1FFFF, 0x7FFF, false},
               [LAB_EXACT_WIDE] = {7, 0xFFFFFFFC - 14, 0x7FFFFFFF, true}};

/* A fuzzing engine learns nothing from the model's branches that the heap's own do not tell it,
 * and would spend most of its time on counting them. PLAIN functions are the innermost loops; they
 * are compiled without checks, too, and stay inside extents[0 .. count-1] by their loop bounds. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#define PLAIN __attribute__((no_sanitize("address", "undefined"), no_builtin("memmove")))
#else
#define PLAIN
#endif

static uint32_t split_min(const lab_exact *m) {
    return m->header + SPLIT_PAYLOAD;
}

static uint32_t end_of(const lab_exact *m, uint32_t index) {
    return m->extents[index].offset + m->header + m->extents[index].size;
}

/* LAST is no neighbour to merge with or to grow into. */
static bool is_next_free(const lab_exact *m, uint32_t index) {
    return index + 2 < m->count && lab_exact_is_free(m, &m->extents[index + 1]);
}

/* A new one, for the list. */
static lab_extent free_extent(lab_exact *m, uint32_t f, uint32_t e) {
    uint32_t size = e - f - m->header;
    if (size >= m->largest_free) {
        m->largest_free = size;
        m->is_largest_there = true;
    }
    return (lab_extent){
        .offset = f, .size = size, .tag = m->tag_free, .alignment = m->unit * DWORD_BYTES};
}

/* need(bytes); 0 if it does not exist. */
static uint32_t need_of(const lab_exact *m, size_t bytes) {
    size_t dwords = bytes / DWORD_BYTES + (bytes % DWORD_BYTES != 0);
    if (dwords > m->payload_max) {
        return 0;
    }
    uint32_t need = ((uint32_t)dwords + m->unit - 1) & ~(m->unit - 1);
    return need <= m->payload_max ? need : 0;
}

/* How many dwords a payload lies above a multiple of the alignment if its header is at n. */
static uint32_t excess(const lab_exact *m, uint32_t n, uint32_t alignment) {
    uint64_t payload = m->base + (uint64_t)DWORD_BYTES * (n + m->header);
    return (uint32_t)(payload & (alignment - 1)) / DWORD_BYTES;
}

/* The index of the extent that contains the dword `offset`, which must be below N. */
static uint32_t locate(const lab_exact *m, uint32_t offset) {
    /* Most questions are about what has just changed. */
    uint32_t near = m->last_change;
    if (m->extents[near].offset == offset) {
        return near;
    }
    if (near + 1 < m->count && m->extents[near + 1].offset == offset) {
        return near + 1;
    }
    uint32_t low = 0;
    uint32_t count = m->count; /* it is one of extents[low .. low+count-1] */
    while (count > 1) {
        uint32_t half = count / 2;
        low += m->extents[low + half].offset <= offset ? half : 0;
        count -= half;
    }
    return low;
}

static uint32_t locate_live(const lab_exact *m, uint32_t block) {
    uint32_t index = locate(m, block);
    assert(m->extents[index].offset == block);
    assert(!lab_exact_is_free(m, &m->extents[index]));
    return index;
}

/* Moves count extents, up or down. This is memmove; but ASan's memmove goes byte by byte. */
static PLAIN void move_extents(lab_extent *to, const lab_extent *from, uint32_t count) {
    if (to < from) {
        for (uint32_t i = 0; i < count; i++) {
            to[i] = from[i];
        }
    } else {
        for (uint32_t i = count; i-- > 0;) {
            to[i] = from[i];
        }
    }
}

static void note_change(lab_exact *m, uint32_t low, uint32_t high) {
    m->changed_low = low < m->changed_low ? low : m->changed_low;
    m->changed_high = high > m->changed_high ? high : m->changed_high;
}

/* Makes the `before` extents at `at` `after` many, at least one of both; the caller fills them in,
 * all or those that change. */
static void make_room(lab_exact *m, uint32_t at, uint32_t before, uint32_t after) {
    assert(before > 0 && after > 0);
    assert(at + before <= m->count && m->count - before + after <= m->capacity);
    note_change(m, m->extents[at].offset, end_of(m, at + before - 1));
    m->last_change = at;
    for (uint32_t i = at; i < at + before; i++) {
        if (lab_exact_is_free(m, &m->extents[i]) && m->extents[i].size == m->largest_free) {
            m->is_largest_there = false;
        }
    }
    if (before == after) {
        return;
    }
    move_extents(&m->extents[at + after], &m->extents[at + before], m->count - at - before);
    m->count = m->count - before + after;
}

/* A live extent, whose size is known, was asked for with so many bytes. */
static void set_requested(const lab_exact *m, lab_extent *x, size_t bytes) {
    x->requested = m->keeps ? (uint32_t)bytes : DWORD_BYTES * x->size;
}

static uint32_t used_dwords(const lab_exact *m) {
    return m->sides[0].dwords + m->sides[1].dwords;
}

/* What live blocks take grows, or becomes less, on the side of the extent. */
static void add_used(lab_exact *m, const lab_extent *x, uint32_t blocks, uint32_t dwords) {
    lab_exact_side *side = &m->sides[lab_exact_is_tail(m, x)];
    side->blocks += blocks;
    side->dwords += dwords;
    uint32_t used = used_dwords(m);
    m->high_water = used > m->high_water ? used : m->high_water;
}

static void take_used(lab_exact *m, const lab_extent *x, uint32_t blocks, uint32_t dwords) {
    lab_exact_side *side = &m->sides[lab_exact_is_tail(m, x)];
    side->blocks -= blocks;
    side->dwords -= dwords;
}

/* ---- start -------------------------------------------------------------------------------- */

static void set_tags(lab_exact *model, uint32_t tag_free) {
    for (uint32_t i = 0; i < model->count; i++) {
        model->extents[i].tag = tag_free;
    }
    model->tag_free = tag_free;
    model->tag_tail = (tag_free + 1) / 2;
}

bool lab_exact_start(lab_exact *model, uint64_t base, size_t region_bytes, uint32_t alignment,
                     lab_exact_layout layout) {
    if (layout == LAB_EXACT_AUTO) {
        bool started = lab_exact_start(model, base, region_bytes, alignment, LAB_EXACT_CLASSIC) ||
                       lab_exact_start(model, base, region_bytes, alignment, LAB_EXACT_WIDE);
        if (started) {
            set_tags(model, layouts[LAB_EXACT_CLASSIC].tag_free);
        }
        return started;
    }
    if ((alignment != 4 && alignment != 8 && alignment != 16) || base % alignment != 0) {
        return false;
    }
    uint32_t unit = alignment / DWORD_BYTES;
    uint32_t header = (layouts[layout].header + unit - 1) / unit * unit;
    size_t dwords = region_bytes / DWORD_BYTES;
    if (dwords < 2 * header + SPLIT_PAYLOAD || region_bytes > PTRDIFF_MAX) {
        return false;
    }
    dwords =
        dwords > REGION_DWORDS_MAX && dwords - REGION_DWORDS_MAX <= 4 ? REGION_DWORDS_MAX : dwords;
    size_t payload = (dwords - 2 * header) / unit * unit;
    if (payload > layouts[layout].payload_max) {
        return false;
    }
    uint32_t last = header + (uint32_t)payload;

    /* Every block but LAST has a header and at least one unit of payload. */
    uint32_t capacity = last / (header + unit) + 1;
    lab_extent *extents = model->extents;
    if (capacity > model->capacity) {
        extents = realloc(extents, capacity * sizeof extents[0]);
        if (extents == NULL) {
            return false;
        }
    } else {
        capacity = model->capacity;
    }

    *model = (lab_exact){.extents = extents,
                         .count = EXTENT_COUNT_FRESH,
                         .capacity = capacity,
                         .unit = unit,
                         .header = header,
                         .dwords = last + header,
                         .changed_high = last + header,
                         .layout = layout,
                         .payload_max = layouts[layout].payload_max,
                         .keeps = layouts[layout].keeps,
                         .base = base & UINT32_MAX};
    extents[0] = free_extent(model, 0, last);
    extents[1] = free_extent(model, last, last + header);
    set_tags(model, layouts[layout].tag_free);
    return true;
}

void lab_exact_clean_up(lab_exact *model) {
    free(model->extents);
    *model = (lab_exact){0};
}

/* ---- placing ------------------------------------------------------------------------------ */

/* The smallest place in a free block that begins at f, if it were long enough. */
static uint32_t smallest_place(const lab_exact *m, uint32_t f, uint32_t alignment) {
    if (excess(m, f, alignment) == 0) {
        return f;
    }
    uint32_t n = f + split_min(m);
    uint32_t above = excess(m, n, alignment);
    return above == 0 ? n : n + (alignment / DWORD_BYTES - above);
}

/* The largest place in the free block [f, e), or LAB_EXACT_NONE. */
static uint32_t largest_place(const lab_exact *m, uint32_t f, uint32_t e, uint32_t need,
                              uint32_t alignment) {
    if ((uint64_t)m->header + need > e - f) {
        return LAB_EXACT_NONE;
    }
    uint32_t n = e - m->header - need;
    uint32_t above = excess(m, n, alignment);
    if (above > n - f) {
        return LAB_EXACT_NONE;
    }
    n -= above;
    if (n == f || n - f >= split_min(m)) {
        return n;
    }
    /* All places between here and f leave too small a gap as well. */
    return excess(m, f, alignment) == 0 ? f : LAB_EXACT_NONE;
}

/* Finds the place n in the free extent *index that a new block takes. */
static bool find_place(const lab_exact *m, const lab_extent *wanted, uint32_t need, uint32_t *index,
                       uint32_t *n) {
    if (lab_exact_is_head(m, wanted)) {
        for (uint32_t i = 0; i < m->count - 1 && !lab_exact_is_tail(m, &m->extents[i]); i++) {
            if (lab_exact_is_free(m, &m->extents[i])) {
                *index = i;
                *n = smallest_place(m, m->extents[i].offset, wanted->alignment);
                if ((uint64_t)*n + m->header + need <= end_of(m, i)) {
                    return true;
                }
            }
        }
    } else {
        for (uint32_t i = m->count - 1; i-- > 0 && !lab_exact_is_head(m, &m->extents[i]);) {
            if (lab_exact_is_free(m, &m->extents[i])) {
                *index = i;
                *n = largest_place(m, m->extents[i].offset, end_of(m, i), need, wanted->alignment);
                if (*n != LAB_EXACT_NONE) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Places a block with the tag, alignment and site of `wanted`; returns its header's offset, or
 * LAB_EXACT_NONE if there is no place. */
static uint32_t place(lab_exact *m, lab_extent wanted, size_t bytes) {
    uint32_t need = need_of(m, bytes);
    uint32_t i;
    uint32_t n;
    if (!find_place(m, &wanted, need, &i, &n)) {
        return LAB_EXACT_NONE;
    }
    uint32_t f = m->extents[i].offset;
    uint32_t e = end_of(m, i);
    uint32_t remainder = e - (n + m->header + need);
    bool has_gap = n > f;
    bool has_rest = remainder >= split_min(m);

    wanted.offset = n;
    wanted.size = has_rest ? need : need + remainder;
    set_requested(m, &wanted, bytes);
    make_room(m, i, 1, 1u + has_gap + has_rest);
    if (has_gap) {
        m->extents[i++] = free_extent(m, f, n);
    }
    m->extents[i] = wanted;
    if (has_rest) {
        m->extents[i + 1] = free_extent(m, e - remainder, e);
    }
    add_used(m, &wanted, 1, m->header + wanted.size);
    return n;
}

/* Is it worth trying again? */
static bool ask_low_memory(lab_exact *m, size_t bytes) {
    if (m->low_memory == NULL || m->in_low_memory) {
        return false;
    }
    m->in_low_memory = true;
    bool again = m->low_memory(m->low_memory_context, m, bytes);
    m->in_low_memory = false;
    return again;
}

uint32_t lab_exact_alloc(lab_exact *model, size_t alignment, size_t bytes, uint32_t tag,
                         uint32_t site) {
    if (tag >= model->tag_free || bytes == 0 || alignment == 0 ||
        (alignment & (alignment - 1)) != 0) {
        return LAB_EXACT_NONE;
    }
    if (alignment < model->unit * DWORD_BYTES) {
        alignment = model->unit * DWORD_BYTES;
    }
    do {
        if (need_of(model, bytes) != 0 && alignment <= ALIGNMENT_MAX) {
            lab_extent wanted = {.tag = tag, .alignment = (uint32_t)alignment, .site = site};
            uint32_t block = place(model, wanted, bytes);
            if (block != LAB_EXACT_NONE) {
                return block;
            }
        }
    } while (ask_low_memory(model, bytes));
    model->failed_allocs++;
    return LAB_EXACT_NONE;
}

/* ---- freeing ------------------------------------------------------------------------------ */

size_t lab_exact_free(lab_exact *model, uint32_t block) {
    if (block == LAB_EXACT_NONE) {
        return 0;
    }
    uint32_t i = locate_live(model, block);
    uint32_t size = model->extents[i].size;
    take_used(model, &model->extents[i], 1, model->header + size);
    uint32_t first = i > 0 && lab_exact_is_free(model, &model->extents[i - 1]) ? i - 1 : i;
    uint32_t final = is_next_free(model, i) ? i + 1 : i;
    uint32_t f = model->extents[first].offset;
    uint32_t e = end_of(model, final);
    make_room(model, first, final - first + 1, 1);
    model->extents[first] = free_extent(model, f, e);
    return (size_t)DWORD_BYTES * (size + model->header * (final - first));
}

uint32_t lab_exact_free_tags(lab_exact *model, uint32_t low, uint32_t high) {
    uint32_t freed = 0;
    uint32_t kept = 0; /* extents[0 .. kept-1] are done */
    note_change(model, 0, model->dwords);
    model->last_change = 0;
    for (uint32_t i = 0; i < model->count; i++) {
        lab_extent x = model->extents[i];
        if (!lab_exact_is_free(model, &x) && low <= x.tag && x.tag <= high) {
            take_used(model, &x, 1, model->header + x.size);
            x = free_extent(model, x.offset, end_of(model, i));
            freed++;
        }
        bool is_last = i == model->count - 1;
        if (lab_exact_is_free(model, &x) && !is_last && kept > 0 &&
            lab_exact_is_free(model, &model->extents[kept - 1])) {
            model->extents[kept - 1].size += model->header + x.size;
        } else {
            model->extents[kept++] = x;
        }
    }
    model->count = kept;
    model->largest_free = model->dwords;
    model->is_largest_there = false;
    return freed;
}

/* ---- resizing ----------------------------------------------------------------------------- */

/* Takes the free block above into the block; what is beyond `need` becomes a free block again, or
 * slack. */
static void grow_in_place(lab_exact *m, uint32_t index, uint32_t need) {
    lab_extent *x = &m->extents[index];
    uint32_t e = end_of(m, index + 1);
    uint32_t remainder = e - (x->offset + m->header + need);
    uint32_t old_size = x->size;
    bool has_rest = remainder >= split_min(m);
    make_room(m, index, 2, 1u + has_rest);
    x->size = has_rest ? need : need + remainder;
    if (has_rest) {
        m->extents[index + 1] = free_extent(m, e - remainder, e);
    }
    add_used(m, x, 0, x->size - old_size);
}

/* Steps 3 to 6, once; LAB_EXACT_NONE if there is no place. */
static uint32_t try_resize(lab_exact *m, uint32_t block, size_t bytes) {
    uint32_t need = need_of(m, bytes);
    if (need == 0) {
        return LAB_EXACT_NONE;
    }
    uint32_t i = locate_live(m, block);
    lab_extent *x = &m->extents[i];
    if (need <= x->size) {
        make_room(m, i, 1, 1);
        set_requested(m, x, bytes);
        return block;
    }
    if (is_next_free(m, i) && x->size + m->header + m->extents[i + 1].size >= need) {
        grow_in_place(m, i, need);
        set_requested(m, x, bytes);
        return block;
    }
    uint32_t moved = place(m, *x, bytes);
    if (moved != LAB_EXACT_NONE) {
        lab_exact_free(m, block);
    }
    return moved;
}

uint32_t lab_exact_resize(lab_exact *model, uint32_t block, size_t bytes) {
    if (block == LAB_EXACT_NONE) {
        return LAB_EXACT_NONE;
    }
    if (bytes == 0) {
        lab_exact_free(model, block);
        return LAB_EXACT_NONE;
    }
    do {
        uint32_t now = try_resize(model, block, bytes);
        if (now != LAB_EXACT_NONE) {
            return now;
        }
    } while (ask_low_memory(model, bytes));
    model->failed_allocs++;
    return LAB_EXACT_NONE;
}

size_t lab_exact_trim(lab_exact *model, uint32_t block) {
    if (block == LAB_EXACT_NONE) {
        return 0;
    }
    uint32_t i = locate_live(model, block);
    lab_extent *x = &model->extents[i];
    uint32_t excess = x->size - need_of(model, x->requested);
    if (excess == 0) {
        return 0;
    }
    uint32_t e = end_of(model, i);
    if (is_next_free(model, i)) {
        make_room(model, i, 2, 2);
        model->extents[i + 1] = free_extent(model, e - excess, end_of(model, i + 1));
        x->size -= excess;
        take_used(model, x, 0, excess);
        return (size_t)DWORD_BYTES * excess;
    }
    if (excess >= split_min(model)) {
        make_room(model, i, 1, 2);
        model->extents[i + 1] = free_extent(model, e - excess, e);
        x->size -= excess;
        take_used(model, x, 0, excess);
        return (size_t)DWORD_BYTES * (excess - model->header);
    }
    return 0;
}

bool lab_exact_retag(lab_exact *model, uint32_t block, uint32_t tag) {
    uint32_t i = locate_live(model, block);
    bool is_tail = lab_exact_is_tail(model, &model->extents[i]);
    if (tag >= model->tag_free || (tag >= model->tag_tail) != is_tail) {
        return false;
    }
    make_room(model, i, 1, 1);
    model->extents[i].tag = tag;
    return true;
}

/* ---- compaction --------------------------------------------------------------------------- */

/* Moves the block at `index` down to n in the free block before it. */
static void slide(lab_exact *m, uint32_t index, uint32_t n) {
    uint32_t at = index - 1;
    uint32_t f = m->extents[at].offset;
    lab_extent moved = m->extents[index];
    bool merges = is_next_free(m, index);
    uint32_t e = end_of(m, merges ? index + 1 : index);
    bool has_gap = n > f;

    moved.offset = n;
    make_room(m, at, 2u + merges, 2u + has_gap);
    if (has_gap) {
        m->extents[at++] = free_extent(m, f, n);
    }
    m->extents[at] = moved;
    m->extents[at + 1] = free_extent(m, n + m->header + moved.size, e);
}

/* Steps 1 and 2: may the block at `index` go down, and where to? */
static bool find_lower_place(const lab_exact *m, uint32_t index, uint32_t *n) {
    const lab_extent *x = &m->extents[index];
    if (index == 0 || !lab_exact_is_free(m, x - 1)) {
        return false;
    }
    *n = smallest_place(m, (x - 1)->offset, x->alignment);
    if (*n >= x->offset) {
        return false;
    }
    return is_next_free(m, index) || x->offset - *n >= m->header + m->unit;
}

lab_exact_compaction lab_exact_compact(lab_exact *model, lab_exact_move_fn may_move,
                                       void *context) {
    model->cursor = 0;
    return lab_exact_compact_some(model, SIZE_MAX, may_move, context);
}

lab_exact_compaction lab_exact_compact_some(lab_exact *model, size_t budget_bytes,
                                            lab_exact_move_fn may_move, void *context) {
    lab_exact_compaction result = {0};
    uint32_t i = 0;
    while (i < model->count - 1 && model->extents[i].offset < model->cursor) {
        i++;
    }
    /* After a slide, extents[i] is the block moved or the free block above it. */
    for (; i < model->count - 1 && !lab_exact_is_tail(model, &model->extents[i]); i++) {
        lab_extent x = model->extents[i];
        uint32_t n;
        if (!lab_exact_is_head(model, &x) || !find_lower_place(model, i, &n)) {
            continue;
        }
        if (result.moved > 0 && result.bytes + x.requested > budget_bytes) {
            model->cursor = x.offset;
            return result;
        }
        if (may_move != NULL && !may_move(context, x.tag, x.offset, n, x.requested)) {
            result.vetoed++;
            continue;
        }
        slide(model, i, n);
        result.moved++;
        result.bytes += x.requested;
    }
    model->cursor = 0;
    result.done = true;
    return result;
}

/* ---- copy and queries --------------------------------------------------------------------- */

bool lab_exact_rebase(lab_exact *model, uint64_t base) {
    if (base % (model->unit * DWORD_BYTES) != 0) {
        return false;
    }
    uint64_t old_base = model->base;
    model->base = base & UINT32_MAX;
    for (uint32_t i = 0; i < model->count; i++) {
        const lab_extent *x = &model->extents[i];
        if (!lab_exact_is_free(model, x) && excess(model, x->offset, x->alignment) != 0) {
            model->base = old_base;
            return false;
        }
    }
    return true;
}

void lab_exact_forget_changes(lab_exact *model) {
    model->changed_low = LAB_EXACT_NONE;
    model->changed_high = 0;
}

const lab_extent *lab_exact_find(const lab_exact *model, uint32_t offset) {
    return offset < model->dwords ? &model->extents[locate(model, offset)] : NULL;
}

/* The free ones of neighbouring extents. */
typedef struct free_sums {
    uint32_t blocks, dwords, largest;
} free_sums;

/* Of extents[from ..], up to the first TAIL block if `below_tail`, or LAST, which *end becomes.
 * What is free cannot be predicted: there is no branch on it. */
static PLAIN free_sums sum_free(const lab_exact *m, uint32_t from, bool below_tail, uint32_t *end) {
    free_sums sums = {0, 0, 0};
    uint32_t i = from;
    for (; i < m->count - 1 && !(below_tail & lab_exact_is_tail(m, &m->extents[i])); i++) {
        uint32_t counts = lab_exact_is_free(m, &m->extents[i]);
        uint32_t size = m->extents[i].size & (0u - counts);
        sums.blocks += counts;
        sums.dwords += size;
        sums.largest = size > sums.largest ? size : sums.largest;
    }
    *end = i;
    return sums;
}

/* Of extents[from .. end-1], what is neither header nor free. */
static uint32_t live_dwords(const lab_exact *m, uint32_t from, uint32_t end, free_sums sums) {
    return m->extents[end].offset - m->extents[from].offset - (end - from) * m->header -
           sums.dwords;
}

PLAIN void lab_exact_get_stats(const lab_exact *model, lab_exact_stats *stats) {
    uint32_t tail; /* the lowest TAIL block, or LAST */
    uint32_t last;
    const free_sums low = sum_free(model, 0, true, &tail);
    const free_sums high = sum_free(model, tail, false, &last);
    stats->region = (size_t)DWORD_BYTES * model->dwords;
    stats->used = (size_t)DWORD_BYTES * used_dwords(model);
    stats->high_water = (size_t)DWORD_BYTES * model->high_water;
    stats->head = (size_t)DWORD_BYTES * live_dwords(model, 0, tail, low);
    stats->tail = (size_t)DWORD_BYTES * live_dwords(model, tail, last, high);
    stats->free = (size_t)DWORD_BYTES * (low.dwords + high.dwords);
    stats->free_head = (size_t)DWORD_BYTES * low.dwords;
    stats->largest_free =
        (size_t)DWORD_BYTES * (low.largest > high.largest ? low.largest : high.largest);
    stats->head_blocks = tail - low.blocks;
    stats->tail_blocks = last - tail - high.blocks;
    stats->free_blocks = low.blocks + high.blocks;
    stats->failed_allocs = model->failed_allocs;
}

/* The index of the lowest TAIL block, or of LAST. Of two neighbours below LAST one is live: it says
 * on which side both are. */
static PLAIN uint32_t first_tail(const lab_exact *m) {
    uint32_t low = 0;
    uint32_t count = m->count - 1; /* it is one of extents[low .. low+count] */
    while (count > 0) {
        uint32_t half = count / 2;
        const lab_extent *x = &m->extents[low + half];
        x -= lab_exact_is_free(m, x) & (low + half > 0);
        bool above = !lab_exact_is_tail(m, x);
        low += above ? half + 1 : 0;
        count = above ? count - half - 1 : half;
    }
    return low;
}

static PLAIN uint32_t find_largest_free(const lab_exact *m) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t size = m->extents[i].size & (0u - lab_exact_is_free(m, &m->extents[i]));
        largest = size > largest ? size : largest;
    }
    return largest;
}

PLAIN void lab_exact_recall_stats(lab_exact *model, lab_exact_stats *stats) {
    const lab_exact_side *head = &model->sides[0], *tail = &model->sides[1];
    uint32_t last = model->count - 1;
    uint32_t first = first_tail(model);
    if (!model->is_largest_there) {
        model->largest_free = find_largest_free(model);
        model->is_largest_there = true;
    }
    uint32_t low = first - head->blocks;         /* free blocks below it */
    uint32_t high = last - first - tail->blocks; /* and above */
    uint32_t low_dwords = model->extents[first].offset - head->dwords - low * model->header;
    uint32_t high_dwords = model->extents[last].offset - model->extents[first].offset -
                           tail->dwords - high * model->header;
    stats->region = (size_t)DWORD_BYTES * model->dwords;
    stats->used = (size_t)DWORD_BYTES * used_dwords(model);
    stats->high_water = (size_t)DWORD_BYTES * model->high_water;
    stats->head = (size_t)DWORD_BYTES * (head->dwords - head->blocks * model->header);
    stats->tail = (size_t)DWORD_BYTES * (tail->dwords - tail->blocks * model->header);
    stats->free = (size_t)DWORD_BYTES * (low_dwords + high_dwords);
    stats->free_head = (size_t)DWORD_BYTES * low_dwords;
    stats->largest_free = (size_t)DWORD_BYTES * model->largest_free;
    stats->head_blocks = head->blocks;
    stats->tail_blocks = tail->blocks;
    stats->free_blocks = low + high;
    stats->failed_allocs = model->failed_allocs;
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
