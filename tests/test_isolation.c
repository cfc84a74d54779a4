/* SPDX-License-Identifier: MIT */
/* Two heaps side by side in one piece of memory, without a byte between them: whatever calls of the
 * one are given, of the other not a byte changes, in its region or in its th_heap, and both stay
 * sound. At guard level 0 a pointer that is not the heap's own is undefined (tagheap/heap.h); all
 * other calls are played there, too. tests/scripts/test_isolation.py compares this file with the
 * header: no call is left out. */
#include <stdio.h>
#include <string.h>

#include "base/track.h"
#include "heap_fixture.h"
#include "tagheap/handles.h"

enum { REGION_BYTES = 16384, REGION_WORDS = REGION_BYTES / 8, LIVE_MAX = 48 };

typedef struct side {
    th_heap heap;
    unsigned char *region;
    void *live[LIVE_MAX];
    size_t bytes[LIVE_MAX]; /* of each live one */
    unsigned faults;
    th_fault_kind last_kind;
    th_heap heap_before;
    uint64_t before[REGION_WORDS];
} side;

static _Alignas(64) uint64_t memory[2 * REGION_WORDS];
static side sides[2]; /* [0] lies below [1] */

static void note_fault(void *context, const th_fault *fault) {
    side *s = context;
    s->faults++;
    s->last_kind = fault->kind;
}

static uint32_t tail_tag(const side *s) {
    return s->heap.tag_free / 2 + 1;
}

static void start(int level, th_heap_layout layout, size_t alignment) {
    for (size_t i = 0; i < 2; i++) {
        side *s = &sides[i];
        memset(s, 0, sizeof *s);
        s->region = (unsigned char *)(memory + i * REGION_WORDS);
        const th_heap_config config = {
            .alignment = alignment,
            .layout = layout,
            .guarding = {.level = level, .on_fault = note_fault, .fault_context = s}};
        CHECK_EQ(th_heap_init(&s->heap, s->region, REGION_BYTES, &config), TH_OK);
    }
}

static void stop(void) {
    th_heap_clean_up(&sides[0].heap);
    th_heap_clean_up(&sides[1].heap);
}

/* Past every tool: what is closed is compared, too. */
TH_TRACK_BLIND static bool copy_or_compare(side *s, bool compare) {
    const volatile uint64_t *now = memory + (size_t)(s - sides) * REGION_WORDS;
    bool same = true;
    th_track_blind_begin();
    for (size_t i = 0; i < REGION_WORDS; i++) {
        if (!compare) {
            s->before[i] = now[i];
        } else if (s->before[i] != now[i]) {
            same = false;
        }
    }
    th_track_blind_end();
    th_track_release(s->before, sizeof s->before);
    th_track_release(&same, sizeof same);
    return same;
}

static void remember(side *s) {
    (void)copy_or_compare(s, false);
    s->heap_before = s->heap;
    s->faults = 0;
    s->last_kind = TH_FAULT_NONE;
}

static void expect_untouched(side *s) {
    CHECK(copy_or_compare(s, true));
    CHECK_EQ(memcmp(&s->heap, &s->heap_before, sizeof s->heap), 0);
    CHECK_EQ(s->faults, 0);
}

typedef void play_fn(int level);

/* At every level, layout and alignment. */
static void play_all(int lowest, play_fn *play) {
    for (th_heap_layout layout = TH_HEAP_LAYOUT_CLASSIC; layout <= TH_HEAP_LAYOUT_WIDE; layout++) {
        int most = layout == TH_HEAP_LAYOUT_LEAN ? 0 : th_guard_max();
        for (int level = lowest; th_heap_has_layout(layout) && level <= most; level++) {
            for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
                start(level, layout, alignment);
                play(level);
                CHECK_EQ(th_heap_check(&sides[0].heap, NULL), TH_OK);
                CHECK_EQ(th_heap_check(&sides[1].heap, NULL), TH_OK);
                stop();
            }
        }
    }
}

/* ---- pointers of the other heap ------------------------------------------------------------- */

/* Each gives true if the call fails as its contract says. */
typedef bool attack_fn(th_heap *heap, void *pointer);

static bool free_one(th_heap *heap, void *pointer) {
    return th_heap_free(heap, pointer) == 0;
}
static bool shrink_one(th_heap *heap, void *pointer) {
    return th_heap_realloc(heap, pointer, 1) == NULL;
}
static bool grow_one(th_heap *heap, void *pointer) {
    return th_heap_realloc(heap, pointer, 3000) == NULL;
}
static bool resize_to_0(th_heap *heap, void *pointer) {
    return th_heap_realloc(heap, pointer, 0) == NULL;
}
static bool trim_one(th_heap *heap, void *pointer) {
    return th_heap_trim(heap, pointer) == 0;
}
static bool retag_one(th_heap *heap, void *pointer) {
    return !th_heap_retag(heap, pointer, 5);
}
static bool ask_requested(th_heap *heap, void *pointer) {
    return th_heap_requested_size(heap, pointer) == 0;
}
static bool ask_usable(th_heap *heap, void *pointer) {
    return th_heap_usable_size(heap, pointer) == 0;
}
static bool ask_site(th_heap *heap, void *pointer) {
    return th_heap_site(heap, pointer) == 0;
}

static attack_fn *const attacks[] = {free_one,  shrink_one,    grow_one,   resize_to_0, trim_one,
                                     retag_one, ask_requested, ask_usable, ask_site};

/* A few blocks of each kind in both, not the same ones. */
static void fill_both(void) {
    for (size_t i = 0; i < 2; i++) {
        side *s = &sides[i];
        for (size_t k = 0; k < 6; k++) {
            s->bytes[k] = 100 + 10 * i + 37 * k;
            s->live[k] = th_heap_alloc_at(&s->heap, s->bytes[k], 4,
                                          k % 2 == 0 ? 1 + (uint32_t)k : tail_tag(s),
                                          (uint32_t)(10 * i + k));
            CHECK(s->live[k] != NULL);
            fill(s->live[k], s->bytes[k], (uint32_t)(10 * i + k));
        }
        CHECK(th_heap_free(&s->heap, s->live[2]) > 0);
    }
}

/* Of side `other`, and what looks like an address of side `s` if the distance is cut to 32 bits. */
static size_t choose_pointers(const side *s, const side *other, void *pointers[32]) {
    size_t count = 0;
    for (size_t k = 0; k < 6; k++) {
        pointers[count++] = other->live[k]; /* [2] was freed */
        pointers[count++] = (unsigned char *)other->live[k] + 16;
        pointers[count++] = (unsigned char *)other->live[k] - 16;
    }
    pointers[count++] = other->region;
    pointers[count++] = other->region + 32;
    pointers[count++] = other->region + REGION_BYTES - 32;
    pointers[count++] = (void *)(uintptr_t)&other->heap;
    pointers[count++] = (unsigned char *)other->live[0] + 1;
    for (unsigned bits = 32; sizeof(void *) > 4 && bits <= 34; bits++) {
        pointers[count++] = (void *)((uintptr_t)s->live[0] + (uintptr_t)(UINT64_C(1) << bits));
    }
    return count;
}

static void attack_by_pointers(int level) {
    void *pointers[32];
    (void)level;
    fill_both();
    for (size_t i = 0; i < 2; i++) {
        side *s = &sides[i], *other = &sides[1 - i];
        size_t count = choose_pointers(s, other, pointers);
        for (size_t p = 0; p < count; p++) {
            for (size_t a = 0; a < sizeof attacks / sizeof attacks[0]; a++) {
                remember(s);
                remember(other);
                CHECK(attacks[a](&s->heap, pointers[p]));
                CHECK(s->faults > 0);
                CHECK(s->last_kind == TH_FAULT_FOREIGN || s->last_kind == TH_FAULT_MISALIGNED);
                s->faults = 0;
                expect_untouched(s);
                expect_untouched(other);
            }
        }
    }
}

static void a_pointer_of_the_other_is_foreign(void) {
    if (th_guard_max() >= 1) {
        play_all(1, attack_by_pointers);
    }
}

/* ---- everything else of the other heap ------------------------------------------------------ */

static void walk_with(side *s, side *other) {
    th_heap_block block, of_other;
    size_t steps = 0;
    for (bool more = th_heap_first(&other->heap, &of_other); more;
         more = th_heap_next(&other->heap, &of_other)) {
        block = of_other; /* an iterator of the other one */
        while (steps < 100000 && th_heap_next(&s->heap, &block)) {
            CHECK((unsigned char *)block.payload >= s->region);
            CHECK((unsigned char *)block.payload <= s->region + REGION_BYTES);
            steps++;
        }
    }
    CHECK(steps < 100000);
}

static void attack_by_the_rest(int level) {
    (void)level;
    fill_both();
    for (size_t i = 0; i < 2; i++) {
        side *s = &sides[i], *other = &sides[1 - i];
        th_heap_block block = {.tag = 77};
        remember(s);
        remember(other);
        walk_with(s, other);
        for (size_t at = 0; at < REGION_BYTES; at += TH_TRACK_VALGRIND ? 28 : 4) {
            CHECK(!th_heap_find(&s->heap, other->region + at, &block) && block.tag == 77);
        }
        CHECK(th_heap_translate(&s->heap, &other->heap, other->live[0]) == NULL);
        CHECK(th_heap_translate(&other->heap, &s->heap, other->live[0]) != NULL);
        th_heap stranger = s->heap; /* an image of the other, for a heap that is not its own */
        CHECK_EQ(th_heap_attach(&stranger, other->region), TH_ERR_CORRUPT);
        CHECK_EQ(memcmp(&stranger, &s->heap, sizeof stranger), 0);
        (void)th_heap_plan_compaction(&s->heap, NULL, NULL);
        (void)th_heap_get_stats(&s->heap);
        (void)th_heap_free_head_bytes(&s->heap);
        (void)th_heap_largest_free_bytes(&s->heap);
        (void)th_heap_region_bytes(&s->heap);
        CHECK_EQ(th_heap_check(&s->heap, NULL), TH_OK);
        expect_untouched(s);
        expect_untouched(other);
    }
}

static void iterators_and_images_of_the_other(void) {
    play_all(0, attack_by_the_rest);
}

/* ---- each its own work ---------------------------------------------------------------------- */

static uint64_t random_state;

static size_t below(size_t end) {
    return (size_t)(th_test_random(&random_state) % end);
}

static bool veto_some(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    side *s = context;
    (void)tag, (void)bytes;
    if (below(4) == 0) {
        return false;
    }
    for (size_t k = 0; k < LIVE_MAX; k++) {
        s->live[k] = s->live[k] == from ? to : s->live[k];
    }
    return true;
}

static void put(side *s, size_t k) {
    size_t bytes = 1 + below(below(8) == 0 ? 3000 : 200);
    uint32_t tag = below(3) == 0 ? tail_tag(s) + (uint32_t)below(4) : 1 + (uint32_t)below(4);
    size_t alignment = (size_t)1 << below(9);
    if (below(2) == 0) {
        s->live[k] = th_heap_alloc(&s->heap, bytes, tag);
    } else if (below(2) == 0) {
        s->live[k] = th_heap_alloc_aligned(&s->heap, bytes, alignment, tag);
    } else {
        s->live[k] = th_heap_alloc_zeroed(&s->heap, bytes, alignment, tag, 7);
    }
    s->bytes[k] = bytes;
    if (s->live[k] != NULL) {
        fill(s->live[k], bytes, (uint32_t)k);
    }
}

static void change(side *s, size_t k) {
    size_t bytes = 1 + below(400);
    void *now = th_heap_realloc(&s->heap, s->live[k], bytes);
    if (now != NULL) {
        CHECK(filled(now, bytes < s->bytes[k] ? bytes : s->bytes[k], (uint32_t)k));
        s->live[k] = now;
        s->bytes[k] = bytes;
        fill(now, bytes, (uint32_t)k);
    }
}

/* Frees by tags, and forgets what is gone. */
static void free_some_tags(side *s) {
    uint32_t low = 1 + (uint32_t)below(4);
    for (size_t k = 0; k < LIVE_MAX; k++) {
        th_heap_block block;
        if (s->live[k] != NULL && th_heap_find(&s->heap, s->live[k], &block) && block.tag == low) {
            s->live[k] = NULL;
        }
    }
    (void)th_heap_free_tags(&s->heap, low, low);
}

static void act(side *s, const side *other, int level) {
    size_t k = below(LIVE_MAX), kind = below(24);
    if (s->live[k] == NULL) {
        put(s, k);
    } else if (kind < 8) {
        CHECK(th_heap_free(&s->heap, s->live[k]) > 0);
        s->live[k] = NULL;
    } else if (kind < 14) {
        change(s, k);
    } else if (kind < 16) {
        (void)th_heap_trim(&s->heap, s->live[k]);
    } else if (kind == 16) {
        (void)th_heap_compact(&s->heap, veto_some, s);
    } else if (kind == 17) {
        (void)th_heap_compact_some(&s->heap, 300, veto_some, s);
    } else if (kind == 18) {
        free_some_tags(s);
    } else if (level > 0 && other->live[k] != NULL) {
        CHECK(attacks[below(sizeof attacks / sizeof attacks[0])](&s->heap, other->live[k]));
    }
}

static void play_side_by_side(int level) {
    enum { STEPS = 600 };
    for (size_t step = 0; step < STEPS; step++) {
        side *s = &sides[below(2)], *other = s == &sides[0] ? &sides[1] : &sides[0];
        remember(other);
        act(s, other, level);
        expect_untouched(other);
        if (step % 16 == 0) {
            CHECK_EQ(th_heap_check(&s->heap, NULL), TH_OK);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < LIVE_MAX; k++) {
            side *s = &sides[i];
            CHECK(s->live[k] == NULL || filled(s->live[k], s->bytes[k], (uint32_t)k));
        }
    }
}

static void neither_sees_what_the_other_does(void) {
    random_state = th_test_seed(0x150);
    play_all(0, play_side_by_side);
}

/* The other heap's end, and what is made of it, is the caller's to say. */
static void a_heap_that_ends_takes_nothing_along(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        for (size_t i = 0; i < 2; i++) {
            static _Alignas(64) unsigned char elsewhere[REGION_BYTES];
            start(level, TH_HEAP_LAYOUT_AUTO, 0);
            fill_both();
            side *s = &sides[i], *other = &sides[1 - i];
            th_heap copy;
            remember(other);
            CHECK_EQ(th_heap_set_on_event(&s->heap, NULL, NULL), TH_OK);
            CHECK_EQ(th_heap_set_index(&s->heap, NULL, 0), TH_OK);
            CHECK_EQ(th_heap_freeze(&s->heap), TH_OK);
            CHECK(th_heap_alloc(&s->heap, 10, 1) == NULL);
            CHECK_EQ(th_heap_thaw(&s->heap), TH_OK);
            CHECK_EQ(th_heap_renew(&s->heap), TH_OK);
            CHECK_EQ(th_heap_copy(&s->heap, &copy, elsewhere), TH_OK);
            CHECK(th_heap_free_tags(&copy, 0, TH_TAG_TAIL_MAX) > 0);
            th_heap_detach(&copy);
            CHECK_EQ(th_heap_attach(&copy, elsewhere), TH_OK);
            th_heap_clean_up(&copy);
            th_heap_clean_up(&s->heap);
            memset(s->region, 0xFF, REGION_BYTES);
            expect_untouched(other);
            CHECK_EQ(th_heap_init(&s->heap, s->region, REGION_BYTES, NULL), TH_OK);
            CHECK(th_heap_has_layout(TH_HEAP_LAYOUT_AUTO) &&
                  th_heap_index_bytes(REGION_BYTES, 0) > 0);
            expect_untouched(other);
            CHECK_EQ(th_heap_check(&other->heap, NULL), TH_OK);
            stop();
        }
    }
}

/* ---- the other heap's lock ------------------------------------------------------------------ */

static void count_up(void *context) {
    ++*(unsigned *)context;
}

static void count_down(void *context) {
    --*(unsigned *)context;
}

static void each_takes_its_own_lock_only(void) {
    unsigned held[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        side *s = &sides[i];
        s->region = (unsigned char *)(memory + i * REGION_WORDS);
        const th_heap_config config = {.lock = {count_up, count_down, .context = &held[i]}};
        CHECK_EQ(th_heap_init(&s->heap, s->region, REGION_BYTES, &config), TH_OK);
    }
    remember(&sides[0]);
    remember(&sides[1]);
    for (size_t i = 0; i < 2; i++) {
        th_heap_lock(&sides[i].heap);
        CHECK_EQ(held[i], 1);
        CHECK_EQ(held[1 - i], 0);
        th_heap_unlock(&sides[i].heap);
        CHECK_EQ(held[i], 0);
        CHECK_EQ(held[1 - i], 0);
    }
    expect_untouched(&sides[0]);
    expect_untouched(&sides[1]);
    stop();
}

/* ---- handles of the other heap -------------------------------------------------------------- */

/* A handle is a number: it may be one of this heap's own, too. Then it means that one. */
static uint8_t numbers_apart; /* 0: both tables have the same */

static void attack_by_handles(int level) {
    static th_handles_slot slots[2][8];
    (void)level;
    if (sides[0].heap.layout == TH_HEAP_LAYOUT_LEAN) { /* which has no handles */
        return;
    }
    th_handles handles[2];
    th_handle made[2][8];
    for (size_t i = 0; i < 2; i++) {
        const th_handles_config config = {
            .memory = slots[i],
            .memory_bytes = sizeof slots[i],
            .number = (uint8_t)(i * numbers_apart),
            .guarding = {.on_fault = note_fault, .fault_context = &sides[i]}};
        CHECK_EQ(th_handles_init(&handles[i], &sides[i].heap, &config), TH_OK);
        for (size_t k = 0; k < 8; k++) {
            made[i][k] = th_handles_alloc(&handles[i], 50 + k, 1);
            CHECK(made[i][k].generation > 0);
        }
        for (size_t k = 0; k <= 3 * i; k++) { /* other lives in the one than in the other */
            CHECK_EQ(th_handles_free(&handles[i], made[i][k]), TH_OK);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        side *s = &sides[i], *other = &sides[1 - i];
        for (size_t k = 0; k < 8; k++) {
            th_handle h = made[1 - i][k];
            const unsigned char *got;
            remember(s);
            remember(other);
            got = th_handles_get(&handles[i], h);
            CHECK(got == NULL || (got >= s->region && got < s->region + REGION_BYTES));
            CHECK(got == NULL || numbers_apart == 0);
            got = th_handles_pin(&handles[i], h);
            CHECK(got == NULL || (got >= s->region && got < s->region + REGION_BYTES));
            if (got != NULL) {
                CHECK_EQ(th_handles_unpin(&handles[i], h), TH_OK);
            }
            (void)th_handles_realloc(&handles[i], h, 200);
            (void)th_handles_free(&handles[i], h);
            expect_untouched(other);
            CHECK_EQ(th_handles_check(&handles[i], NULL), TH_OK);
            CHECK_EQ(th_heap_check(&s->heap, NULL), TH_OK);
        }
    }
    th_handles_clean_up(&handles[0]);
    th_handles_clean_up(&handles[1]);
}

static void a_handle_leads_to_its_own_heap_only(void) {
    for (numbers_apart = 0; numbers_apart < 2; numbers_apart++) {
        play_all(0, attack_by_handles);
    }
}

TH_SUITE("isolation", TEST(a_pointer_of_the_other_is_foreign),
         TEST(iterators_and_images_of_the_other), TEST(neither_sees_what_the_other_does),
         TEST(a_heap_that_ends_takes_nothing_along), TEST(each_takes_its_own_lock_only),
         TEST(a_handle_leads_to_its_own_heap_only))
