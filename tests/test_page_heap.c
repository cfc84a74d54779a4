/* SPDX-License-Identifier: MIT */
/* A heap on pages of its own. While it is frozen, a call that wrote a single byte would end the
 * suite; what others write ends a child. */
#define _GNU_SOURCE

#include "tagheap/page_heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "death.h"
#include "heap_fixture.h"
#include "resources/probe.h"
#include "system_fixture.h"
#include "tagheap/handles.h"
#include "tagheap/pages.h"

static unsigned faults;
static th_fault_kind last_kind;

static void note_fault(void *context, const th_fault *fault) {
    (void)context;
    faults++;
    last_kind = fault->kind;
}

static th_heap_config config_of(int level, th_heap_layout layout) {
    return (th_heap_config){.guarding = {.level = level, .on_fault = note_fault}, .layout = layout};
}

typedef void play_fn(th_page_heap *p, int level);

/* At every level and layout. */
static void play_all(play_fn *play) {
    for (th_heap_layout layout = TH_HEAP_LAYOUT_AUTO; layout <= TH_HEAP_LAYOUT_WIDE; layout++) {
        int most = layout == TH_HEAP_LAYOUT_LEAN ? 0 : th_guard_max();
        for (int level = 0; th_heap_has_layout(layout) && level <= most; level++) {
            const th_heap_config config = config_of(level, layout);
            faults = 0;
            th_page_heap *p = th_page_heap_create(200000, &config);
            CHECK(p != NULL);
            play(p, level);
            CHECK_EQ(th_heap_check(&p->heap, NULL), TH_OK);
            th_page_heap_destroy(p);
        }
    }
}

/* A heap that is wide by name has more tags. */
static uint32_t tail_tag(const th_page_heap *p) {
    return p->heap.tag_free / 2 + 1;
}

/* ---- a heap --------------------------------------------------------------------------------- */

static void work(th_page_heap *p, int level) {
    (void)level;
    CHECK_EQ((uintptr_t)p % th_pages_size(), 0);
    CHECK_EQ(p->bytes % th_pages_size(), 0);
    CHECK(th_heap_region_bytes(&p->heap) >= 200000);
    unsigned char *all = (unsigned char *)p, *low = th_heap_alloc(&p->heap, 1000, 1);
    unsigned char *high = th_heap_alloc(&p->heap, 1000, tail_tag(p));
    CHECK(low > all && high + 1000 <= all + p->bytes);
    CHECK_EQ((uintptr_t)low % 16, 0);
    fill(low, 1000, 1);
    fill(high, 1000, 2);
    CHECK(filled(low, 1000, 1) && filled(high, 1000, 2));
    CHECK(!lab_probe_readable(all - 1) && !lab_probe_readable(all + p->bytes));
    CHECK_EQ(faults, 0);
}

static void it_is_a_heap_between_guards(void) {
    long before = pages_in_use();
    play_all(work);
    CHECK(tools_take_pages() || pages_in_use() == before);
}

/* ---- frozen --------------------------------------------------------------------------------- */

/* Each as it fails. */
static bool every_change_fails(th_heap *heap, void *block) {
    unsigned before = faults;
    bool fails =
        th_heap_alloc(heap, 10, 1) == NULL && th_heap_alloc(heap, 10, 0x4001) == NULL &&
        th_heap_alloc(heap, 1 << 30, 1) == NULL && th_heap_alloc(heap, 0, 1) == NULL &&
        th_heap_alloc_aligned(heap, 10, 4096, 1) == NULL &&
        th_heap_alloc_at(heap, 10, 4, 1, 9) == NULL &&
        th_heap_alloc_zeroed(heap, 10, 4, 1, 9) == NULL &&
        th_heap_realloc(heap, block, 10) == NULL && th_heap_realloc(heap, block, 5000) == NULL &&
        th_heap_realloc(heap, block, 0) == NULL && th_heap_trim(heap, block) == 0 &&
        !th_heap_retag(heap, block, 2) && th_heap_free(heap, block) == 0 &&
        th_heap_free_tags(heap, 0, 0x7FFE) == 0 && !th_heap_compact(heap, NULL, NULL).done &&
        !th_heap_compact_some(heap, 100, NULL, NULL).done &&
        th_heap_set_index(heap, NULL, 0) == TH_ERR_BUSY &&
        th_heap_set_on_event(heap, NULL, NULL) == TH_ERR_BUSY &&
        th_heap_freeze(heap) == TH_ERR_BUSY;
    th_heap_detach(heap);
    th_heap_clean_up(heap);
    return fails && faults >= before + 20 && last_kind == TH_FAULT_FROZEN;
}

static void expect_frozen(th_page_heap *p, unsigned char *block, const th_heap_stats *before) {
    const th_heap_stats now = th_heap_get_stats(&p->heap);
    th_heap_block found;
    expect_stats(&now, before);
    CHECK(th_heap_find(&p->heap, block + 5, &found) && found.payload == (void *)block);
    size_t blocks = 0;
    for (bool more = th_heap_first(&p->heap, &found); more; more = th_heap_next(&p->heap, &found)) {
        blocks++;
    }
    CHECK_EQ(blocks, 4); /* two live ones, one free, and LAST */
    CHECK_EQ(th_heap_check(&p->heap, NULL), TH_OK);
    CHECK_EQ(th_heap_renew(&p->heap), TH_OK);
    CHECK(filled(block, 100, 3));
    unsigned char *const places[] = {block, block - 4 /* the header */, (unsigned char *)&p->heap,
                                     (unsigned char *)p + p->bytes - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        CHECK(lab_probe_readable(places[i]) && !lab_probe_writable(places[i], 0));
    }
}

/* The copy may be written to, whatever its original is. */
static void expect_copied(const th_page_heap *p, const unsigned char *block) {
    static _Alignas(64) unsigned char there[300000];
    th_heap copy;
    CHECK(th_heap_region_bytes(&p->heap) <= sizeof there);
    CHECK_EQ(th_heap_copy(&p->heap, &copy, there), TH_OK);
    unsigned char *copied = th_heap_translate(&p->heap, &copy, block);
    CHECK(filled(copied, 100, 3));
    CHECK(th_heap_free(&copy, copied) > 0);
    CHECK_EQ(th_heap_check(&copy, NULL), TH_OK);
    th_heap_clean_up(&copy);
}

static void freeze_and_thaw(th_page_heap *p, int level) {
    unsigned char *block = th_heap_alloc(&p->heap, 100, 1);
    unsigned char *high = th_heap_alloc(&p->heap, 100, tail_tag(p));
    fill(block, 100, 3);
    for (int round = 0; round < 2; round++) {
        const th_heap_stats before = th_heap_get_stats(&p->heap);
        faults = 0;
        CHECK_EQ(th_page_heap_freeze(p), TH_OK);
        expect_copied(p, block);
        expect_frozen(p, block, &before);
        CHECK_EQ(faults, 0);
        CHECK(every_change_fails(&p->heap, block));
        CHECK_EQ(th_page_heap_freeze(p), TH_ERR_BUSY);
        expect_frozen(p, block, &before);
        CHECK_EQ(th_page_heap_thaw(p), TH_OK);
        CHECK_EQ(th_page_heap_thaw(p), TH_OK); /* which is not frozen any more */
    }
    faults = 0;
    block[0] = 7;
    CHECK(th_heap_realloc(&p->heap, block, 5000) == block && block[0] == 7);
    CHECK(th_heap_free(&p->heap, high) > 0);
    CHECK_EQ(faults, 0);
    if (level == 0) { /* it may be ended while it is frozen */
        CHECK_EQ(th_page_heap_freeze(p), TH_OK);
    }
}

static void it_is_read_only_between_phases(void) {
    play_all(freeze_and_thaw);
}

static void ended_heaps_are_not_mapped(void) {
    th_page_heap *p = th_page_heap_create(5000, NULL);
    unsigned char *block = th_heap_alloc(&p->heap, 100, 1);
    CHECK(may_access(block, true));
    CHECK_EQ(th_page_heap_freeze(p), TH_OK);
    CHECK(may_access(block, false) && !may_access(block, true));
    th_page_heap_destroy(p);
    CHECK(!may_access(block, false));
    th_page_heap_destroy(NULL);
}

/* Handles keep their books elsewhere: they can be followed, and there are no more. */
static void handles_of_a_frozen_heap(void) {
    static th_handles_slot slots[4];
    const th_heap_config config = config_of(0, TH_HEAP_LAYOUT_AUTO);
    const th_handles_config of = {
        .memory = slots, .memory_bytes = sizeof slots, .guarding = {.on_fault = note_fault}};
    th_page_heap *p = th_page_heap_create(50000, &config);
    th_handles handles;
    CHECK_EQ(th_handles_init(&handles, &p->heap, &of), TH_OK);
    th_handle handle = th_handles_alloc(&handles, 100, 1);
    unsigned char *block = th_handles_get(&handles, handle);
    fill(block, 100, 3);
    CHECK_EQ(th_page_heap_freeze(p), TH_OK);
    CHECK_EQ(th_handles_alloc(&handles, 100, 1).generation, 0);
    CHECK(th_handles_get(&handles, handle) == (void *)block && filled(block, 100, 3));
    CHECK_EQ(th_handles_check(&handles, NULL), TH_OK);
    CHECK_EQ(th_page_heap_thaw(p), TH_OK);
    CHECK(th_handles_alloc(&handles, 100, 1).generation > 0);
    th_handles_clean_up(&handles);
    th_page_heap_destroy(p);
}

/* ---- with a lock ---------------------------------------------------------------------------- */

/* A lock that cannot be taken again. When it is let go other threads see the heap: it is frozen if
 * and only if its pages are read-only. */
typedef struct gate {
    th_page_heap *heap;
    int depth;
    unsigned takes, frozen;
} gate;

static void take_gate(void *context) {
    gate *g = context;
    CHECK_EQ(++g->depth, 1);
    g->takes++;
}

static void look_and_let_go(void *context) {
    gate *g = context;
    unsigned char *all = (unsigned char *)g->heap;
    bool is_frozen = g->heap->heap.busy == TH_FAULT_FROZEN;
    CHECK_EQ(lab_probe_writable(all, all[0]), !is_frozen);
    CHECK_EQ(lab_probe_writable(all + g->heap->bytes - 1, all[g->heap->bytes - 1]), !is_frozen);
    g->frozen += is_frozen;
    CHECK_EQ(--g->depth, 0);
}

static void pages_and_heap_change_under_one_lock(void) {
    gate g = {0};
    th_heap_config config = config_of(th_guard_max(), TH_HEAP_LAYOUT_AUTO);
    config.lock = (th_lock){.acquire = take_gate, .release = look_and_let_go, .context = &g};
    faults = 0;
    g.heap = th_page_heap_create(50000, &config);
    CHECK(g.heap != NULL && th_heap_alloc(&g.heap->heap, 100, 1) != NULL);
    CHECK_EQ(g.takes, 1);
    CHECK_EQ(th_page_heap_freeze(g.heap), TH_OK);
    CHECK(g.takes == 2 && g.frozen == 1);
    CHECK(th_heap_alloc(&g.heap->heap, 100, 1) == NULL && faults == 1);
    CHECK_EQ(th_page_heap_freeze(g.heap), TH_ERR_BUSY);
    CHECK(g.takes == 4 && g.frozen == 3 && faults == 2);
    CHECK_EQ(th_page_heap_thaw(g.heap), TH_OK);
    CHECK_EQ(th_page_heap_thaw(g.heap), TH_OK);
    CHECK(g.takes == 6 && g.frozen == 3);
    CHECK(th_heap_alloc(&g.heap->heap, 100, 1) != NULL);
    th_page_heap_destroy(g.heap);
    CHECK(g.depth == 0 && faults == 2);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void heaps_that_cannot_be(void) {
    long before = pages_in_use();
    static _Alignas(8) unsigned char index[4096];
    const th_heap_config outside = {
        .index = TH_HEAP_INDEX_GIVEN, .index_memory = index, .index_bytes = sizeof index};
    const th_heap_config odd = {.alignment = 5}, lean = {.layout = TH_HEAP_LAYOUT_LEAN};
    CHECK(th_page_heap_create(0, NULL) == NULL);
    CHECK(th_page_heap_create(SIZE_MAX, NULL) == NULL);
    CHECK(th_page_heap_create(PTRDIFF_MAX, NULL) == NULL);
    CHECK(th_page_heap_create((size_t)PTRDIFF_MAX - th_pages_size(), NULL) == NULL);
    CHECK(th_page_heap_create(50000, &outside) == NULL);
    CHECK(th_page_heap_create(50000, &odd) == NULL);
    CHECK(th_page_heap_create(1 << 20, &lean) == NULL); /* too large for it */
    CHECK_EQ(th_page_heap_freeze(NULL), TH_ERR_NULL);
    CHECK_EQ(th_page_heap_thaw(NULL), TH_ERR_NULL);
    CHECK(tools_take_pages() || pages_in_use() == before);
    th_page_heap *p = th_page_heap_create(1, NULL); /* the rest of a page is its own */
    CHECK(p != NULL && th_heap_alloc(&p->heap, 1000, 1) != NULL);
    th_page_heap_destroy(p);
}

static th_page_heap *busy;
static th_status inside;

static bool freeze_in_a_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context, (void)tag, (void)from, (void)to, (void)bytes;
    inside = th_page_heap_freeze(busy);
    return true;
}

static void it_is_not_frozen_inside_a_callback(void) {
    const th_heap_config config = config_of(0, TH_HEAP_LAYOUT_AUTO);
    busy = th_page_heap_create(50000, &config);
    void *first = th_heap_alloc(&busy->heap, 100, 1);
    CHECK(th_heap_alloc(&busy->heap, 100, 2) != NULL && th_heap_free(&busy->heap, first) > 0);
    CHECK_EQ(th_heap_compact(&busy->heap, freeze_in_a_move, NULL).blocks_moved, 1);
    CHECK_EQ(inside, TH_ERR_BUSY);
    CHECK_EQ(last_kind, TH_FAULT_REENTRY);
    th_page_heap_destroy(busy);
}

/* Instrumented builds have an mprotect of their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void what_the_system_refuses_is_told(void) {}
static void frozen_heaps_end_as_they_are(void) {}

#else

static bool refuses_read_only, refuses_write;

int mprotect(void *pages, size_t bytes, int protection) {
    if ((refuses_read_only && protection == PROT_READ) ||
        (refuses_write && protection == (PROT_READ | PROT_WRITE))) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_mprotect, pages, bytes, protection);
}

static void what_the_system_refuses_is_told(void) {
    long before = pages_in_use();
    refuses_write = true;
    CHECK(th_page_heap_create(50000, NULL) == NULL);
    refuses_write = false;
    CHECK(tools_take_pages() || pages_in_use() == before);
    const th_heap_config config = config_of(th_guard_max(), TH_HEAP_LAYOUT_AUTO);
    th_page_heap *p = th_page_heap_create(50000, &config);
    faults = 0;
    refuses_read_only = true;
    th_status status = th_page_heap_freeze(p);
    refuses_read_only = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK(th_heap_alloc(&p->heap, 100, 1) != NULL); /* as it was */
    CHECK_EQ(th_page_heap_freeze(p), TH_OK);
    refuses_write = true;
    status = th_page_heap_thaw(p);
    refuses_write = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(faults, 0);
    CHECK(th_heap_alloc(&p->heap, 100, 1) == NULL && faults > 0); /* still frozen */
    CHECK(!may_access((unsigned char *)p, true));
    CHECK_EQ(th_page_heap_thaw(p), TH_OK);
    CHECK(th_heap_alloc(&p->heap, 100, 1) != NULL);
    th_page_heap_destroy(p);
}

static void count_resets(void *context, const th_event *event) {
    *(unsigned *)context += event->kind == TH_EVENT_RESET;
}

/* Without a write to it: pages that stay read-only are given back as others are. */
static void frozen_heaps_end_as_they_are(void) {
    long before = pages_in_use();
    for (int level = 0; level <= th_guard_max(); level++) {
        unsigned resets = 0;
        th_heap_config config = config_of(level, TH_HEAP_LAYOUT_AUTO);
        config.on_event = count_resets;
        config.event_context = &resets;
        faults = 0;
        th_page_heap *p = th_page_heap_create(50000, &config);
        CHECK(p != NULL && th_heap_alloc(&p->heap, 100, 1) != NULL);
        CHECK_EQ(th_page_heap_freeze(p), TH_OK);
        refuses_write = true;
        CHECK_EQ(th_page_heap_thaw(p), TH_ERR_EXHAUSTED);
        th_page_heap_destroy(p);
        refuses_write = false;
        CHECK_EQ(resets, 1);
        CHECK_EQ(faults, 0);
        CHECK(tools_take_pages() || pages_in_use() == before);
    }
}

#endif

TH_SUITE("page_heap", TEST(it_is_a_heap_between_guards), TEST(it_is_read_only_between_phases),
         TEST(ended_heaps_are_not_mapped), TEST(handles_of_a_frozen_heap),
         TEST(pages_and_heap_change_under_one_lock), TEST(heaps_that_cannot_be),
         TEST(it_is_not_frozen_inside_a_callback), TEST(what_the_system_refuses_is_told),
         TEST(frozen_heaps_end_as_they_are))
