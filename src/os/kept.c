/* SPDX-License-Identifier: MIT */
/* What is given back to the system, and what it refuses to take.
 *
 * To unmap the middle of a mapping the system needs a place in its table of mappings, which may be
 * full (vm.max_map_count); munmap then fails with ENOMEM, and does nothing. Such a range is kept
 * here, whoever gave it back:
 *
 *   [ live ][ kept ][ live ]     its memory goes back at once by MADV_DONTNEED, which splits
 *                                nothing; its addresses are used again by th_pages_map, or are
 *                                unmapped when that can be done
 *   [ kept ][ kept ][ kept ]     neighbours become one range, so that fewer are left to refuse
 *
 * The ranges are a set ordered by address (base/ranges.h). Its nodes must not need memory, for
 * there may be none: the first stand in a table in static storage; when that is full, the next
 * table is the first page of the range that is about to be kept, for some 100 of them. Tables are a
 * stack. Nodes lie dense in each, the last one moves to where one was taken out, and an empty table
 * goes back like any other page. */
#define _DEFAULT_SOURCE

#include "os/kept.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/align.h"
#include "base/assert.h"
#include "base/compiler.h"
#include "base/ranges.h"
#include "tagheap/pages.h"

#define FIRST_NODES 64u

typedef struct table {
    struct table *older;
    th_range *nodes; /* nodes[0 .. used-1], used <= room */
    size_t room, used;
} table;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static th_range first_nodes[FIRST_NODES];
static table first = {.nodes = first_nodes, .room = FIRST_NODES};
static table *newest = &first;
static th_range *ranges;

/* All ranges, and the tables but the first. Nearly always 0: that is seen without the lock. Who
 * misses what is being kept at that moment asks the system, as if he had come before. */
static size_t kept_bytes;

/* An ordinary mutex that its holder never asks for again: neither call can fail. */
static void enter(void) {
    (void)pthread_mutex_lock(&lock);
}

static void leave(void) {
    (void)pthread_mutex_unlock(&lock);
}

static void set_kept_bytes(size_t bytes) {
    th_store_shared(&kept_bytes, bytes);
}

static unsigned char *start_of(const th_range *range) {
    return (unsigned char *)(uintptr_t)range->start;
}

/* ---- nodes -------------------------------------------------------------------------------- */

/* Goes through all nodes, newest first. What it has passed may be forgotten on the way. */
typedef struct walk {
    table *table;
    size_t left; /* nodes of the table that were not passed yet */
} walk;

static walk walk_all(void) {
    return (walk){newest, newest->used};
}

/* NULL at the end. */
static th_range *walk_on(walk *at) {
    while (at->left == 0) {
        at->table = at->table->older;
        if (at->table == NULL) {
            return NULL;
        }
        at->left = at->table->used;
    }
    return &at->table->nodes[--at->left];
}

/* The first page of the range becomes a table, if it can be written to. */
static bool add_table(th_range *range) {
    size_t page = th_pages_size();
    if (mprotect(start_of(range), page, PROT_READ | PROT_WRITE) != 0) {
        return false;
    }
    table *added = (table *)(void *)start_of(range);
    *added = (table){.older = newest,
                     .nodes = (th_range *)(added + 1),
                     .room = (page - sizeof *added) / sizeof(th_range)};
    newest = added;
    set_kept_bytes(kept_bytes + page);
    range->start = start_of(range) + page;
    range->bytes -= page;
    return true;
}

/* Is the newest table empty, and not needed to note one more range? */
static bool has_empty_table(void) {
    const table *older = newest->older;
    return newest->used == 0 && older != NULL && older->used < older->room;
}

/* False: there is no room, and none can be made. */
static bool note(th_range range) {
    if (newest->used == newest->room && !add_table(&range)) {
        return false;
    }
    if (range.bytes > 0) {
        table *at = has_empty_table() ? newest->older : newest;
        th_range *node = &at->nodes[at->used++];
        *node = range;
        th_ranges_insert(&ranges, node);
        set_kept_bytes(kept_bytes + range.bytes);
    }
    return true;
}

/* Takes the node out, and returns what it stood for. There is room for one more then. */
static th_range forget(th_range *node) {
    th_range range = *node;
    walk at = walk_all();
    th_range *last = walk_on(&at);
    at.table->used--;
    th_ranges_remove(&ranges, node);
    set_kept_bytes(kept_bytes - range.bytes);
    if (last != node) {
        th_ranges_remove(&ranges, last);
        *node = *last;
        th_ranges_insert(&ranges, node);
    }
    return range;
}

/* ---- keeping and trying again ------------------------------------------------------------- */

/* False: it cannot be noted, and is as it was. */
static bool keep(void *pages, size_t bytes) {
    th_range range = {.start = pages, .bytes = bytes};
    TH_ASSERT(th_ranges_find(ranges, pages) == NULL); /* it was not given back already */
    th_range *below = th_ranges_find(ranges, start_of(&range) - 1);
    if (below != NULL) {
        range.start = below->start;
        range.bytes += forget(below).bytes;
    }
    th_range *above = th_ranges_find(ranges, start_of(&range) + range.bytes);
    if (above != NULL) {
        range.bytes += forget(above).bytes;
    }
    /* Locked pages stay as they are: whoever gets them again gets them zeroed all the same. */
    (void)madvise(pages, bytes, MADV_DONTNEED);
    return note(range);
}

static void try_again(th_range *node) {
    if (node != NULL && munmap(start_of(node), node->bytes) == 0) {
        (void)forget(node);
    }
}

/* Beside a range that is gone, nothing has to be split. And every range has its turn: what the
 * system has room for now it may have had none for before. */
static void try_around(const unsigned char *pages, size_t bytes) {
    try_again(th_ranges_find(ranges, pages - 1));
    try_again(th_ranges_find(ranges, pages + bytes));
    walk at = walk_all();
    try_again(walk_on(&at));
}

/* There is room to note each as a range. */
static void drop_tables(void) {
    size_t page = th_pages_size();
    while (has_empty_table()) {
        table *empty = newest;
        newest = empty->older;
        set_kept_bytes(kept_bytes - page);
        if (munmap(empty, page) != 0) {
            (void)keep(empty, page);
        }
    }
}

/* What the system has taken, or (`gone` is false) refuses. */
TH_NOINLINE static th_status release_or_keep(void *pages, size_t bytes, bool gone) {
    enter();
    bool done = gone || keep(pages, th_pages_round(bytes));
    if (gone) {
        try_around(pages, th_pages_round(bytes));
    }
    drop_tables();
    leave();
    return done ? TH_OK : TH_ERR_EXHAUSTED;
}

th_status th_pages_release(void *pages, size_t bytes) {
    if (pages == NULL) {
        return TH_ERR_NULL;
    }
    bool gone = munmap(pages, bytes) == 0;
    if (gone && th_pages_kept() == 0) {
        return TH_OK;
    }
    if (!gone && errno == EINVAL) {
        return TH_ERR_MISALIGNED;
    }
    return release_or_keep(pages, bytes, gone);
}

size_t th_pages_return_kept(void) {
    size_t before;
    enter();
    do {
        before = kept_bytes;
        walk at = walk_all();
        for (th_range *node = walk_on(&at); node != NULL; node = walk_on(&at)) {
            try_again(node);
        }
        drop_tables();
    } while (kept_bytes < before);
    leave();
    return before;
}

size_t th_pages_kept(void) {
    return th_load_shared(&kept_bytes);
}

/* ---- use ---------------------------------------------------------------------------------- */

/* The first bytes of the range end to be kept. NULL if they cannot be made accessible. */
static void *take(th_range *node, size_t bytes) {
    unsigned char *pages = start_of(node);
    if (mprotect(pages, bytes, PROT_READ | PROT_WRITE) != 0) {
        return NULL;
    }
    th_range rest = forget(node);
    rest.start = pages + bytes;
    rest.bytes -= bytes;
    (void)note(rest); /* in the room of the node */
    return pages;
}

void *th_kept_reuse(size_t bytes, size_t alignment, size_t looks) {
    void *pages = NULL;
    enter();
    walk at = walk_all();
    for (th_range *node = walk_on(&at); node != NULL && looks > 0; node = walk_on(&at), looks--) {
        if (th_is_aligned((uintptr_t)node->start, alignment) && node->bytes >= bytes) {
            pages = take(node, bytes);
            break;
        }
    }
    drop_tables();
    leave();
    return pages != NULL ? memset(pages, 0, bytes) : NULL;
}
