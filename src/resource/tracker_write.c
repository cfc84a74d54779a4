/* SPDX-License-Identifier: MIT */
#include "tagheap/tracker_write.h"

#include "resource/tracker_table.h"

/* What is being written. */
typedef struct output {
    const th_tracker *tracker;
    th_tracker_write_fn write;
    void *context;
    bool failed; /* nothing is written any more */
} output;

static void put_bytes(output *out, const char *text, size_t bytes) {
    if (!out->failed) {
        out->failed = !out->write(out->context, text, bytes);
    }
}

static size_t length_of(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static void put(output *out, const char *text) {
    put_bytes(out, text, length_of(text));
}

enum { DECIMAL = 10, HEX = 16, DIGITS_MAX = 20 };

static void put_number(output *out, uint64_t value, unsigned base) {
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_bytes(out, digits + at, sizeof digits - at);
}

static void put_decimal(output *out, const char *before, uint64_t value) {
    put(out, before);
    put_number(out, value, DECIMAL);
}

static void put_hex(output *out, const char *before, uint64_t value) {
    put(out, before);
    put_number(out, value, HEX);
}

/* ---- what is written of each site ------------------------------------------------------------ */

typedef void (*site_writer)(output *out, const th_tracker_site *site);

static void each_site(output *out, site_writer write) {
    for (size_t i = 0; i < out->tracker->site_count; i++) {
        write(out, out->tracker->sites[i]);
    }
}

/* The source line and the tag, as far as they are known, each with `between` before it, the first
 * with `first`. */
static void put_place(output *out, const th_tracker_site *site, const char *first,
                      const char *between) {
    if (site->file != NULL) {
        put(out, first);
        put(out, site->file);
        put_decimal(out, ":", site->line);
        first = between;
    }
    if (site->tag != 0) {
        put(out, first);
        put_hex(out, "tag 0x", site->tag);
        first = between;
    }
    if (first != between && site->depth == 0) {
        put(out, first);
        put(out, "?");
    }
}

/* ---- leaks ----------------------------------------------------------------------------------- */

/* Does `a` stand before `b`? */
static bool is_before(const th_tracker_site *a, const th_tracker_site *b) {
    return a->live_estimate != b->live_estimate ? a->live_estimate > b->live_estimate
                                                : a->number < b->number;
}

/* Lets sites[root] sink to its place in the heap below, the last of which is on top. */
static void sink(const th_tracker_site **sites, size_t root, size_t count) {
    const th_tracker_site *sinking = sites[root];
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && is_before(sites[child], sites[child + 1])) {
            child++;
        }
        if (!is_before(sinking, sites[child])) {
            break;
        }
        sites[root] = sites[child];
        root = child;
    }
    sites[root] = sinking;
}

/* Heapsort: no recursion, no memory. */
static void sort(const th_tracker_site **sites, size_t count) {
    for (size_t root = count / 2; root-- > 0;) {
        sink(sites, root, count);
    }
    for (size_t left = count; left-- > 1;) {
        const th_tracker_site *last = sites[0];
        sites[0] = sites[left];
        sites[left] = last;
        sink(sites, 0, left);
    }
}

static void put_leak(output *out, const th_tracker_site *site) {
    put_number(out, site->live_bytes, DECIMAL);
    put_decimal(out, " bytes in ", site->live_blocks);
    put_decimal(out, " blocks (ever: ", site->alloc_bytes);
    put_decimal(out, " in ", site->allocs);
    put(out, ")");
    if (out->tracker->config.sample_bytes > 0) {
        put_decimal(out, ", which stand for ", site->live_estimate);
        put(out, " bytes");
    }
    put_place(out, site, ": ", ", ");
    put(out, "\n");
    for (uint32_t i = 0; i < site->depth; i++) {
        put_hex(out, "    0x", site->frames[i]);
        put(out, "\n");
    }
}

static void put_leaks(output *out, const th_tracker_site **sites, size_t count) {
    put_decimal(out, "live: ", out->tracker->live_bytes);
    put_decimal(out, " bytes in ", out->tracker->live);
    put_decimal(out, " blocks, from ", count);
    put(out, " sites\n");
    for (size_t i = 0; i < count; i++) {
        put_leak(out, sites[i]);
    }
}

static void write_leaks(output *out) {
    const th_tracker *tracker = out->tracker;
    const th_tracker_site **sites = NULL;
    size_t count = 0, live = 0;
    for (size_t i = 0; i < tracker->site_count; i++) {
        live += tracker->sites[i]->live_blocks > 0;
    }
    if (live > 0) {
        sites = th_allocator_alloc_array(tracker->config.backing, live, sizeof *sites);
        if (sites == NULL) {
            out->failed = true;
            return;
        }
        for (size_t i = 0; i < tracker->site_count; i++) {
            if (tracker->sites[i]->live_blocks > 0) {
                sites[count++] = tracker->sites[i];
            }
        }
        sort(sites, count);
    }
    put_leaks(out, sites, count);
    th_allocator_free(tracker->config.backing, sites);
}

/* ---- folded stacks --------------------------------------------------------------------------- */

static void put_folded(output *out, const th_tracker_site *site, uint64_t bytes) {
    if (bytes == 0) {
        return;
    }
    for (uint32_t i = site->depth; i-- > 0;) {
        put_hex(out, "0x", site->frames[i]);
        put(out, i > 0 ? ";" : "");
    }
    put_place(out, site, site->depth > 0 ? ";" : "", ";");
    put_decimal(out, " ", bytes);
    put(out, "\n");
}

static void put_folded_live(output *out, const th_tracker_site *site) {
    put_folded(out, site, site->live_estimate);
}

static void put_folded_all(output *out, const th_tracker_site *site) {
    put_folded(out, site, site->alloc_estimate);
}

/* ---- heap profiles --------------------------------------------------------------------------- */

typedef struct sums {
    uint64_t blocks, bytes, allocs, alloc_bytes;
} sums;

static sums sum_all(const th_tracker *tracker) {
    sums all = {0, 0, 0, 0};
    for (size_t i = 0; i < tracker->site_count; i++) {
        const th_tracker_site *site = tracker->sites[i];
        if (site->depth > 0) {
            all.blocks += site->live_blocks;
            all.bytes += site->live_bytes;
            all.allocs += site->allocs;
            all.alloc_bytes += site->alloc_bytes;
        }
    }
    return all;
}

static void put_sums(output *out, const char *before, const sums *all) {
    put_decimal(out, before, all->blocks);
    put_decimal(out, ": ", all->bytes);
    put_decimal(out, " [", all->allocs);
    put_decimal(out, ": ", all->alloc_bytes);
    put(out, "]");
}

static sums sums_of(const th_tracker_site *site) {
    return (sums){site->live_blocks, site->live_bytes, site->allocs, site->alloc_bytes};
}

static void put_frames(output *out, const th_tracker_site *site) {
    for (uint32_t i = 0; i < site->depth; i++) {
        put_hex(out, " 0x", site->frames[i]);
    }
}

static void put_profiled(output *out, const th_tracker_site *site) {
    if (site->depth > 0) {
        sums own = sums_of(site);
        put_sums(out, "", &own);
        put(out, " @");
        put_frames(out, site);
        put(out, "\n");
    }
}

static void write_profile(output *out) {
    sums all = sum_all(out->tracker);
    put_sums(out, "heap profile: ", &all);
    if (out->tracker->config.sample_bytes > 0) {
        put_decimal(out, " @ heap_v2/", out->tracker->config.sample_bytes);
    } else {
        put(out, " @ heapprofile");
    }
    put(out, "\n");
    each_site(out, put_profiled);
}

static void put_jemalloc(output *out, const th_tracker_site *site) {
    if (site->depth > 0) {
        sums own = sums_of(site);
        put(out, "@");
        put_frames(out, site);
        put_sums(out, "\n  t*: ", &own);
        put(out, "\n");
    }
}

static void write_jemalloc(output *out) {
    uint32_t period = out->tracker->config.sample_bytes;
    sums all = sum_all(out->tracker);
    put_decimal(out, "heap_v2/", period > 0 ? period : 1);
    put_sums(out, "\n  t*: ", &all);
    put(out, "\n");
    each_site(out, put_jemalloc);
}

/* ---- heaptrack --------------------------------------------------------------------------------
 *
 *   s LENGTH TEXT            strings, numbered from 1, and so are the following
 *   i ADDRESS MODULE [FUNCTION FILE LINE]
 *   t INSTRUCTION PARENT     a trace: one frame more than its parent; 0: none
 *   a BYTES TRACE            allocations of one size by one trace, numbered from 0
 *   + ALLOCATION   - ALLOCATION
 * Numbers are hexadecimal. Here each site has strings, instructions and traces of its own. */

typedef struct numbering {
    output *out;
    uint64_t strings, instructions, traces, allocations;
} numbering;

static uint64_t put_instruction(numbering *next, uint64_t address) {
    put_hex(next->out, "i ", address);
    put(next->out, " 0\n");
    return ++next->instructions;
}

static uint64_t put_string(numbering *next, const char *text) {
    put_hex(next->out, "s ", length_of(text));
    put(next->out, " ");
    put(next->out, text);
    put(next->out, "\n");
    return ++next->strings;
}

/* The source line is an instruction of its own, at no address that could be one. */
static uint64_t put_line(numbering *next, const th_tracker_site *site) {
    const char *name = site->file != NULL ? site->file : "?";
    uint64_t file = put_string(next, name);
    put_hex(next->out, "i ", site->number + 1);
    put_hex(next->out, " 0 ", file);
    put_hex(next->out, " ", file);
    put_hex(next->out, " ", site->line);
    put(next->out, "\n");
    return ++next->instructions;
}

static uint64_t put_trace(numbering *next, uint64_t instruction, uint64_t parent) {
    put_hex(next->out, "t ", instruction);
    put_hex(next->out, " ", parent);
    put(next->out, "\n");
    return ++next->traces;
}

static uint64_t put_stack(numbering *next, const th_tracker_site *site) {
    uint64_t trace = 0;
    for (uint32_t i = site->depth; i-- > 0;) {
        trace = put_trace(next, put_instruction(next, site->frames[i]), trace);
    }
    if (site->file != NULL || site->depth == 0) {
        trace = put_trace(next, put_line(next, site), trace);
    }
    return trace;
}

/* So many blocks, so many bytes in all: blocks of the average, the last one with what is left over.
 * Freed: each goes at once. */
static void put_blocks(numbering *next, uint64_t trace, uint64_t blocks, uint64_t bytes,
                       bool freed) {
    uint64_t each = blocks > 0 ? bytes / blocks : 0;
    for (uint64_t i = 0; i < blocks; i++) {
        bool last = i == blocks - 1;
        if (i == 0 || last) {
            put_hex(next->out, "a ", last ? bytes - each * i : each);
            put_hex(next->out, " ", trace);
            next->allocations++;
        }
        put_hex(next->out, i == 0 || last ? "\n+ " : "+ ", next->allocations - 1);
        if (freed) {
            put_hex(next->out, "\n- ", next->allocations - 1);
        }
        put(next->out, "\n");
    }
}

static void write_heaptrack(output *out) {
    numbering next = {.out = out};
    put(out, "v 10400 3\n");
    for (size_t i = 0; i < out->tracker->site_count; i++) {
        const th_tracker_site *site = out->tracker->sites[i];
        uint64_t trace = put_stack(&next, site);
        put_blocks(&next, trace, site->allocs - site->live_blocks,
                   site->alloc_bytes - site->live_bytes, true);
        put_blocks(&next, trace, site->live_blocks, site->live_bytes, false);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

th_status th_tracker_write(const th_tracker *tracker, th_tracker_format format,
                           th_tracker_write_fn write, void *context) {
    output out = {.tracker = tracker, .write = write, .context = context};
    if (write == NULL || !th_tracker_is_started(tracker)) {
        return TH_ERR_NULL;
    }
    switch (format) {
    case TH_TRACKER_LEAKS:
        write_leaks(&out);
        break;
    case TH_TRACKER_FOLDED:
        each_site(&out, put_folded_live);
        break;
    case TH_TRACKER_FOLDED_ALL:
        each_site(&out, put_folded_all);
        break;
    case TH_TRACKER_HEAP_V2:
        write_profile(&out);
        break;
    case TH_TRACKER_JEMALLOC:
        write_jemalloc(&out);
        break;
    case TH_TRACKER_HEAPTRACK:
        write_heaptrack(&out);
        break;
    default:
        return TH_ERR_CONFIG;
    }
    return out.failed ? TH_ERR_EXHAUSTED : TH_OK;
}
