/* SPDX-License-Identifier: MIT */
/* Ranges of pages, beside what may be done with each page and what stands in it. */
#include "tagheap/pages.h"

#include <string.h>

#include "resources/play.h"
#include "resources/probe.h"
#include "tagheap/huge_pages.h"
#include "tagheap/wipe.h"

enum { RANGES = 4, PAGES_MAX = 6 };

typedef enum page_state {
    GONE, /* given back: somebody else's, perhaps */
    CLOSED,
    READABLE,
    WRITABLE
} page_state;

typedef struct range {
    unsigned char *start; /* NULL: there is none */
    size_t pages;
    bool guarded;
    page_state state[PAGES_MAX];
    unsigned char mark[PAGES_MAX]; /* every byte that was written of the page */
} range;

static range ranges[RANGES];
static size_t page;

static void require(bool holds, const char *detail) {
    lab_require(holds, "pages", detail);
}

/* The first byte and the last one stand for all. */
static void compare_page(const range *r, size_t i) {
    unsigned char *first = r->start + i * page, *last = first + page - 1;
    if (r->state[i] == GONE) {
        return;
    }
    bool readable = r->state[i] != CLOSED;
    require(lab_probe_readable(first) == readable, "readable");
    require(lab_probe_readable(last) == readable, "readable-to-the-end");
    if (readable) {
        require(*first == r->mark[i] && *last == r->mark[i], "contents");
    }
    require(lab_probe_writable(first, r->mark[i]) == (r->state[i] == WRITABLE), "writable");
}

static void compare(const range *r) {
    for (size_t i = 0; i < r->pages; i++) {
        compare_page(r, i);
    }
    if (r->guarded) {
        require(!lab_probe_readable(r->start - 1), "guard-below");
        require(!lab_probe_readable(r->start - page), "guard-below-whole");
        require(!lab_probe_readable(r->start + r->pages * page), "guard-above");
        require(!lab_probe_readable(r->start + (r->pages + 1) * page - 1), "guard-above-whole");
    }
}

static void make(lab_input *input, range *r) {
    size_t kind = lab_input_below(input, 3), alignment = page << lab_input_below(input, 3);
    r->pages = 1 + lab_input_below(input, PAGES_MAX);
    size_t bytes = r->pages * page - lab_input_below(input, 2);
    r->guarded = kind == 1;
    r->start = kind == 0   ? th_pages_map(bytes, alignment)
               : kind == 1 ? th_pages_map_guarded(bytes)
                           : th_pages_reserve(bytes, alignment);
    require(r->start != NULL, "none");
    require((uintptr_t)r->start % (r->guarded ? page : alignment) == 0, "alignment");
    for (size_t i = 0; i < r->pages; i++) {
        r->state[i] = kind == 2 ? CLOSED : WRITABLE;
        r->mark[i] = 0;
    }
}

static void release_all(range *r) {
    if (r->guarded) {
        require(th_pages_release_guarded(r->start, r->pages * page) == TH_OK, "release-guarded");
        for (size_t i = 0; i < r->pages + 2; i++) {
            require(!lab_probe_mapped(r->start + i * page - page), "left-behind");
        }
    } else {
        for (size_t i = 0; i < r->pages; i++) {
            if (r->state[i] != GONE) {
                require(th_pages_release(r->start + i * page, page) == TH_OK, "release");
                require(!lab_probe_mapped(r->start + i * page), "still-mapped");
            }
        }
    }
    r->start = NULL;
}

static bool all_there(const range *r, size_t from, size_t count) {
    bool there = true;
    for (size_t i = from; i < from + count; i++) {
        there = there && r->state[i] != GONE;
    }
    return there;
}

/* Of pages that are all there. */
static void change(lab_input *input, range *r, size_t from, size_t count) {
    static const page_state states[] = {CLOSED, READABLE, WRITABLE};
    unsigned char *at = r->start + from * page;
    size_t kind = lab_input_below(input, 8), bytes = count * page;
    size_t access = lab_input_below(input, 3);
    th_status status = TH_OK;
    if (kind == 0) {
        status = th_pages_commit(at, bytes);
    } else if (kind == 1) {
        status = th_pages_decommit(at, bytes);
    } else if (kind == 2) {
        status = th_pages_protect(at, bytes, (th_pages_access)access);
    } else if (kind == 3 && !r->guarded) {
        status = th_pages_release(at, bytes);
    } else if (kind == 4) {
        require(th_pages_hide(at, bytes) != TH_ERR_NULL, "hide");
        (void)th_pages_unlock(at, bytes);
    }
    require(status == TH_OK, "refused");
    for (size_t i = from; i < from + count; i++) {
        if (kind == 0) {
            r->state[i] = WRITABLE;
        } else if (kind == 1) {
            r->state[i] = CLOSED;
            r->mark[i] = 0;
        } else if (kind == 2) {
            r->state[i] = states[access];
        } else if (kind == 3 && !r->guarded) {
            r->state[i] = GONE;
        } else if (kind >= 5 && r->state[i] == WRITABLE) {
            r->mark[i] = kind == 5 ? 0 : (unsigned char)lab_input_byte(input);
            if (kind == 5) {
                th_memory_wipe(r->start + i * page, page);
            } else {
                memset(r->start + i * page, r->mark[i], page);
            }
        }
    }
}

static void act(lab_input *input) {
    range *r = &ranges[lab_input_below(input, RANGES)];
    if (r->start == NULL) {
        make(input, r);
    } else if (lab_input_below(input, 8) == 0) {
        release_all(r);
        return;
    } else {
        size_t from = lab_input_below(input, r->pages);
        size_t count = 1 + lab_input_below(input, r->pages - from);
        if (all_there(r, from, count)) {
            change(input, r, from, count);
        }
    }
    compare(r);
}

static void try_huge(lab_input *input) {
    th_huge_pages_kind kind;
    size_t bytes = 1 + lab_input_below(input, 65536);
    unsigned char *pages = th_huge_pages_map(bytes, &kind);
    require(pages != NULL, "no-huge");
    require((uintptr_t)pages % (th_huge_pages_size() > 0 ? th_huge_pages_size() : page) == 0,
            "huge-alignment");
    require(pages[0] == 0 && pages[bytes - 1] == 0, "huge-zeroed");
    pages[0] = pages[bytes - 1] = 1;
    require(th_huge_pages_release(pages, bytes) == TH_OK, "huge-release");
    require(!lab_probe_mapped(pages), "huge-released");
    require(!lab_probe_mapped(pages + th_huge_pages_round(bytes) - page), "huge-left-behind");
}

void lab_play_pages(lab_input *input) {
    page = th_pages_size();
    memset(ranges, 0, sizeof ranges);
    th_memory_wipe(NULL, lab_input_byte(input));
    if (lab_input_below(input, 16) == 0) {
        try_huge(input);
    }
    while (input->left > 0) {
        act(input);
    }
    for (size_t i = 0; i < RANGES; i++) {
        if (ranges[i].start != NULL) {
            release_all(&ranges[i]);
        }
    }
    require(th_pages_kept() == 0, "kept");
}
