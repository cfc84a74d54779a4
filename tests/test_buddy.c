/* SPDX-License-Identifier: MIT */
/* The buddy allocator (include/tagheap/buddy.h): what it decides. test_buddy_model.c compares it
 * with a model, test_buddy_guards.c has what it notices. */
#define _DEFAULT_SOURCE

#include <string.h>
#include <sys/mman.h>

#include "base/track.h"
#include "buddy_fixture.h"

static size_t place_of(const void *pointer) {
    return (size_t)((const unsigned char *)pointer - buddy_region);
}

/* ---- split and merge ---------------------------------------------------------------------- */

static void splits_and_merges_at(int level) {
    buddy_start(level, buddy_region, 1024, 64);
    unsigned char *a = th_buddy_alloc(&buddy, 192); /* [256][256][512] */
    unsigned char *b = th_buddy_alloc(&buddy, 64);  /* [256][64 64 128][512] */
    unsigned char *c = th_buddy_alloc(&buddy, 65);
    unsigned char *d = th_buddy_alloc(&buddy, 512);
    CHECK_EQ(place_of(a), 0);
    CHECK_EQ(place_of(b), 256);
    CHECK_EQ(place_of(c), 384);
    CHECK_EQ(place_of(d), 512);
    CHECK_EQ(buddy_stats().largest_free_bytes, 64);
    CHECK(th_buddy_alloc(&buddy, 65) == NULL);
    th_buddy_free(&buddy, c); /* 384 is free, 320 is, 256 is not */
    CHECK_EQ(buddy_stats().largest_free_bytes, 128);
    th_buddy_free(&buddy, b); /* [256][ 256 ][512] */
    CHECK_EQ(buddy_stats().largest_free_bytes, 256);
    th_buddy_free(&buddy, d);
    CHECK_EQ(buddy_stats().largest_free_bytes, 512);
    th_buddy_free(&buddy, a);
    CHECK_EQ(buddy_stats().largest_free_bytes, 1024);
    CHECK_EQ(buddy_stats().live, 0);
    CHECK_EQ(buddy_stats().failed_allocs, 1);
    buddy_stop();
}

static void splits_and_merges(void) {
    at_levels(0, splits_and_merges_at);
}

/* Neighbours merge only with their own half: 64..191 is free, but no block of 128. */
static void only_buddies_merge(void) {
    buddy_start(0, buddy_region, 256, 64);
    void *blocks[4];
    CHECK(th_allocator_alloc_batch(th_buddy_allocator(&buddy), 64, 16, blocks, 4));
    th_buddy_free(&buddy, blocks[1]);
    th_buddy_free(&buddy, blocks[2]);
    CHECK_EQ(buddy_stats().free_bytes, 128);
    CHECK_EQ(buddy_stats().largest_free_bytes, 64);
    CHECK(th_buddy_alloc(&buddy, 128) == NULL);
    th_buddy_free(&buddy, blocks[0]);
    CHECK_EQ(place_of(th_buddy_alloc(&buddy, 128)), 0);
    buddy_stop();
}

/* Whatever callers write to their blocks, orders are not lost. */
static void orders_lie_outside_the_blocks(void) {
    buddy_start(0, buddy_region, 4096, 16);
    for (unsigned value = 0; value < 256; value += 51) {
        void *blocks[8];
        for (size_t i = 0; i < 8; i++) {
            blocks[i] = th_buddy_alloc(&buddy, (size_t)16 << i);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], (int)value, (size_t)16 << i);
        }
        for (size_t i = 0; i < 8; i++) {
            CHECK_EQ(th_buddy_usable_size(&buddy, blocks[i]), (size_t)16 << i);
            th_buddy_free(&buddy, blocks[i]);
        }
        CHECK_EQ(buddy_stats().largest_free_bytes, 4096);
    }
    buddy_stop();
}

/* Without guards the memory may be one that the processor must not touch. */
static void nothing_is_touched(void) {
    size_t bytes = (size_t)1 << 20;
    void *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *blocks[64] = {NULL};
    uint64_t state = th_test_seed(3);
    CHECK(memory != MAP_FAILED);
    buddy_start(0, memory, bytes, 1024);
    size_t largest = buddy_stats().largest_free_bytes;
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t r = th_test_random(&state);
        void **slot = &blocks[r % 64];
        if (*slot == NULL) {
            *slot = th_buddy_alloc(&buddy, (size_t)(r >> 8) % 40000 + 1);
        } else if (!th_buddy_resize_in_place(&buddy, *slot, (size_t)(r >> 8) % 40000 + 1)) {
            th_buddy_free(&buddy, *slot);
            *slot = NULL;
        }
    }
    CHECK(buddy_stats().live > 4);
    CHECK_EQ(th_buddy_reset(&buddy), TH_OK);
    CHECK_EQ(buddy_stats().largest_free_bytes, largest);
    buddy_stop();
    CHECK_EQ(munmap(memory, bytes), 0);
}

static void the_lowest_block_is_taken(void) {
    buddy_start(0, buddy_region, 512, 64);
    void *blocks[8];
    CHECK(th_allocator_alloc_batch(th_buddy_allocator(&buddy), 64, 16, blocks, 8));
    th_buddy_free(&buddy, blocks[6]);
    th_buddy_free(&buddy, blocks[2]);
    th_buddy_free(&buddy, blocks[3]);
    CHECK_PTR_EQ(th_buddy_alloc(&buddy, 1), blocks[2]);
    CHECK_PTR_EQ(th_buddy_alloc(&buddy, 64), blocks[3]);
    CHECK_PTR_EQ(th_buddy_alloc(&buddy, 16), blocks[6]);
    CHECK(th_buddy_alloc(&buddy, 1) == NULL);
    buddy_stop();
}

/* ---- init and the end --------------------------------------------------------------------- */

typedef struct bad_init {
    th_status status;
    void *memory;
    size_t bytes;
    void *bookkeeping;
    size_t room;
    size_t unit;
    int level;
} bad_init;

static void init_refuses(void) {
    const size_t some = sizeof buddy_book;
    const bad_init cases[] = {
        {TH_ERR_NULL, NULL, 1024, buddy_book, some, 0, 0},
        {TH_ERR_NULL, buddy_region, 1024, NULL, some, 0, 0},
        {TH_ERR_ALIGNMENT, buddy_region, 1024, buddy_book, some, 1, 0},
        {TH_ERR_ALIGNMENT, buddy_region, 1024, buddy_book, some, 8, 0},
        {TH_ERR_ALIGNMENT, buddy_region, 1024, buddy_book, some, 48, 0},
        {TH_ERR_ALIGNMENT, buddy_region, 1024, buddy_book, some, SIZE_MAX, 0},
        {TH_ERR_CONFIG, buddy_region, 1024, buddy_book, some, 16, -1},
        {TH_ERR_CONFIG, buddy_region, 1024, buddy_book, some, 16, 4},
        {TH_ERR_TOO_SMALL, buddy_region, 0, buddy_book, some, 16, 0},
        {TH_ERR_TOO_SMALL, buddy_region, 63, buddy_book, some, 64, 0},
        {TH_ERR_TOO_SMALL, buddy_region + 1, 126, buddy_book, some, 64, 0},
        {TH_ERR_TOO_SMALL, buddy_region, 1024, buddy_book, 0, 64, 0},
        {TH_ERR_TOO_LARGE, buddy_region, (size_t)PTRDIFF_MAX + 1, buddy_book, some, 64, 0},
        {TH_ERR_TOO_LARGE, buddy_region, SIZE_MAX, buddy_book, some, 64, 0},
        {TH_ERR_TOO_LARGE, (void *)(UINTPTR_MAX - 100), 101, buddy_book, some, 16, 0},
        {TH_ERR_TOO_LARGE, (void *)(UINTPTR_MAX - 7), 7, buddy_book, some, 16, 0},
        {TH_ERR_MISALIGNED, buddy_region, 1024, buddy_book + 1, some - 8, 64, 0},
        {TH_ERR_MISALIGNED, buddy_region, 1024, buddy_book + 4, some - 8, 64, 0},
    };
    th_buddy untouched;
    memset(&untouched, 0x5A, sizeof untouched);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bad_init *c = &cases[i];
        th_buddy_config config = {.unit = c->unit,
                                  .guarding = guarding_with(&buddy_faults, c->level)};
        th_buddy before = untouched;
        th_status status =
            th_buddy_init(&untouched, c->memory, c->bytes, c->bookkeeping, c->room, &config);
        CHECK_EQ(status, c->status);
        CHECK(memcmp(&before, &untouched, sizeof before) == 0);
    }
    CHECK_EQ(th_buddy_init(NULL, buddy_region, 1024, buddy_book, some, NULL), TH_ERR_NULL);
#if SIZE_MAX > UINT32_MAX
    th_buddy_config small = {.unit = 16};
    CHECK_EQ(
        th_buddy_init(&untouched, buddy_region, ((size_t)16 << 30) + 16, buddy_book, some, &small),
        TH_ERR_TOO_LARGE);
#endif
}

static void bookkeeping_is_as_large_as_it_says(void) {
    for (int level = 0; level <= th_guard_max(); level++) {
        th_buddy_config config = {.unit = 16, .guarding = guarding_with(&buddy_faults, level)};
        size_t room = th_buddy_bookkeeping_bytes(buddy_region, 1024, &config);
        bool sizes = level >= 1 || TH_TRACK_ANY;
        CHECK_EQ(room,
                 2 * sizeof(uint64_t) + 64 * (1 + (sizes ? sizeof(size_t) : 0) + (level >= 2)));
        memset(buddy_book, 0x77, sizeof buddy_book);
        CHECK_EQ(th_buddy_init(&buddy, buddy_region, 1024, buddy_book, room - 1, &config),
                 TH_ERR_TOO_SMALL);
        CHECK_EQ(th_buddy_init(&buddy, buddy_region, 1024, buddy_book, room, &config), TH_OK);
        void *block = th_buddy_alloc(&buddy, 1000);
        CHECK(block != NULL);
        CHECK_EQ(buddy_book[room], 0x77);
        th_buddy_clean_up(&buddy);
    }
    th_buddy_config bad = {.unit = 24};
    CHECK_EQ(th_buddy_bookkeeping_bytes(buddy_region, 1024, &bad), 0);
    CHECK_EQ(th_buddy_bookkeeping_bytes(NULL, 1024, NULL), 0);
    CHECK_EQ(th_buddy_bookkeeping_bytes(buddy_region, 0, NULL), 0);
    CHECK_EQ(th_buddy_bookkeeping_bytes(buddy_region, SIZE_MAX, NULL), 0);
}

/* A config of NULL means units of 64 bytes. */
static void defaults(void) {
    size_t room = th_buddy_bookkeeping_bytes(buddy_region, 1024, NULL);
    CHECK_EQ(th_buddy_init(&buddy, buddy_region, 1024, buddy_book, room, NULL), TH_OK);
    void *block = th_buddy_alloc(&buddy, 1);
    CHECK_EQ(th_buddy_usable_size(&buddy, block), 64);
    buddy_faults = (fault_log){0};
    buddy_stop();
}

/* Zeroed, or cleaned up: calls are refused, and nothing happens. */
static void without_memory_calls_do_nothing(void) {
    buddy_start(0, buddy_region, 1024, 64);
    void *block = th_buddy_alloc(&buddy, 100);
    th_buddy_clean_up(&buddy);
    memset(buddy_region, 0, 1024); /* ordinary memory again */
    CHECK(th_buddy_alloc(&buddy, 16) == NULL);
    CHECK(th_buddy_alloc_aligned(&buddy, 16, 16) == NULL);
    CHECK(!th_buddy_resize_in_place(&buddy, block, 16));
    th_buddy_free(&buddy, block);
    CHECK_EQ(th_buddy_reset(&buddy), TH_ERR_NULL);
    CHECK_EQ(th_buddy_usable_size(&buddy, block), 0);
    CHECK(!th_buddy_owns(&buddy, block));
    CHECK_EQ(buddy_stats().managed_bytes, 0);
    CHECK_EQ(buddy_stats().largest_free_bytes, 0);
    CHECK_EQ(th_buddy_check(&buddy, NULL), TH_ERR_NULL);
    th_buddy_clean_up(&buddy);
    th_buddy_clean_up(NULL);
    CHECK_EQ(th_buddy_check(NULL, NULL), TH_ERR_NULL);
}

static void create_and_give_back(void) {
    backing own = {0};
    th_allocator from = backing_start(&own);
    th_buddy_config bad_unit = {.unit = 24};
    th_buddy_config bad_level = {.guarding = {.level = 9}};
    CHECK_EQ(th_buddy_create(NULL, from, 4096, NULL), TH_ERR_NULL);
    CHECK_EQ(th_buddy_create(&buddy, from, 4096, &bad_unit), TH_ERR_ALIGNMENT);
    CHECK_EQ(th_buddy_create(&buddy, from, 4096, &bad_level), TH_ERR_CONFIG);
    CHECK_EQ(th_buddy_create(&buddy, from, 63, NULL), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_buddy_create(&buddy, from, SIZE_MAX, NULL), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_buddy_create(&buddy, (th_allocator){0}, 4096, NULL), TH_ERR_CONFIG);
    for (size_t calls = 0; calls < 2; calls++) {
        own.left = calls;
        CHECK_EQ(th_buddy_create(&buddy, from, 4096, NULL), TH_ERR_EXHAUSTED);
        backing_stop(&own);
    }
    own.left = 2;
    CHECK_EQ(th_buddy_create(&buddy, from, 64, NULL), TH_OK); /* one unit */
    CHECK(th_buddy_alloc(&buddy, 64) != NULL);
    th_buddy_clean_up(&buddy);
    backing_stop(&own);
    own.left = 2;
    CHECK_EQ(th_buddy_create(&buddy, from, 4096 + 63, NULL), TH_OK);
    CHECK_EQ(buddy_stats().managed_bytes, 4096);
    void *block = th_buddy_alloc(&buddy, 100);
    CHECK(block != NULL);
    memset(block, 1, 100);
    th_buddy_clean_up(&buddy);
    backing_stop(&own);
}

#if SIZE_MAX > UINT32_MAX
static void *far_alloc(void *self, size_t bytes, size_t alignment) {
    (void)bytes;
    ++*(size_t *)self;
    return (void *)(uintptr_t)(alignment << 20);
}

static void far_free(void *self, void *pointer) {
    (void)pointer;
    --*(size_t *)self;
}

/* Too many units: what the backing gave goes back. */
static void create_of_too_many_units(void) {
    static const th_allocator_table table = {.alloc = far_alloc, .free = far_free};
    size_t live = 0;
    th_allocator from = {.table = &table, .self = &live};
    CHECK_EQ(th_buddy_create(&buddy, from, (size_t)65 << 30, NULL), TH_ERR_TOO_LARGE);
    CHECK_EQ(live, 0);
}
#else
static void create_of_too_many_units(void) {
    backing own = {0};
    th_allocator from = backing_start(&own);
    CHECK_EQ(th_buddy_create(&buddy, from, (size_t)PTRDIFF_MAX + 1, NULL), TH_ERR_EXHAUSTED);
    backing_stop(&own);
}
#endif

/* ---- requests ----------------------------------------------------------------------------- */

static void requests_that_are_refused(void) {
    const size_t absurd[] = {1025,     2048,         (size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1,
                             SIZE_MAX, SIZE_MAX - 63};
    buddy_start(0, buddy_region, 1024, 64);
    CHECK(th_buddy_alloc(&buddy, 0) == NULL);
    CHECK(th_buddy_alloc_aligned(&buddy, 0, 16) == NULL);
    for (size_t alignment = 0; alignment < 100; alignment++) {
        if ((alignment & (alignment - 1)) != 0 || alignment == 0) {
            CHECK(th_buddy_alloc_aligned(&buddy, 16, alignment) == NULL);
        }
    }
    CHECK(th_buddy_alloc_aligned(&buddy, 16, SIZE_MAX) == NULL);
    CHECK_EQ(buddy_stats().failed_allocs, 0);
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        CHECK(th_buddy_alloc(&buddy, absurd[i]) == NULL);
        CHECK_EQ(buddy_stats().failed_allocs, i + 1);
    }
    CHECK(th_buddy_alloc_aligned(&buddy, 1, 2048) == NULL);
    CHECK(th_buddy_alloc_aligned(&buddy, 1, SIZE_MAX / 2 + 1) == NULL);
    CHECK_EQ(buddy_stats().free_bytes, 1024);
    th_buddy_free(&buddy, NULL);
    CHECK_EQ(th_buddy_usable_size(&buddy, NULL), 0);
    CHECK(!th_buddy_owns(&buddy, NULL));
    buddy_stop();
}

/* An alignment above the size takes a block of that size. */
static void alignments_hold(void) {
    buddy_start(0, buddy_region, 8192, 16);
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        unsigned char *block = th_buddy_alloc_aligned(&buddy, 24, alignment);
        CHECK(block != NULL);
        CHECK_EQ((uintptr_t)block & (alignment - 1), 0);
        CHECK_EQ(th_buddy_usable_size(&buddy, block), alignment > 32 ? alignment : 32);
        memset(block, 0x11, 24);
        th_buddy_free(&buddy, block);
    }
    buddy_stop();
}

/* The largest aligned power of two inside, found by trying all. */
static size_t largest_inside(uintptr_t low, uintptr_t high) {
    size_t largest = 0;
    for (size_t size = 16; size <= high - low; size *= 2) {
        uintptr_t at = (low + size - 1) & ~(uintptr_t)(size - 1);
        largest = at <= high && high - at >= size ? size : largest;
    }
    return largest;
}

static void play_on_base(size_t shift, size_t bytes) {
    static void *blocks[REGION_BYTES / 16];
    uintptr_t low = ((uintptr_t)buddy_region + shift + 15) & ~(uintptr_t)15;
    uintptr_t high = ((uintptr_t)buddy_region + shift + bytes) & ~(uintptr_t)15;
    buddy_start(0, buddy_region + shift, bytes, 16);
    CHECK_EQ(buddy_stats().managed_bytes, high - low);
    CHECK_EQ(buddy_stats().largest_free_bytes, largest_inside(low, high));
    size_t count = 0;
    while ((blocks[count] = th_buddy_alloc(&buddy, 16)) != NULL) {
        CHECK_EQ((uintptr_t)blocks[count], low + 16 * count);
        count++;
    }
    CHECK_EQ(count, (high - low) / 16);
    CHECK_EQ(buddy_stats().free_bytes, 0);
    CHECK_EQ(buddy_stats().largest_free_bytes, 0);
    CHECK(!th_buddy_owns(&buddy, (void *)(low - 1)));
    CHECK(!th_buddy_owns(&buddy, (void *)high));
    CHECK(th_buddy_owns(&buddy, (void *)(high - 1)));
    th_allocator_free_batch(th_buddy_allocator(&buddy), blocks, count);
    CHECK_EQ(buddy_stats().largest_free_bytes, largest_inside(low, high));
    CHECK_EQ(buddy_stats().high_water_bytes, high - low);
    buddy_stop();
}

/* Odd addresses, and memory on both sides of a large power of two, of which the region's middle is
 * one: blocks stay aligned to their size at absolute addresses. */
static void memory_may_begin_anywhere(void) {
    const size_t sizes[] = {31, 32, 47, 100, 1000, 1024, 4097};
    for (size_t shift = 0; shift < 70; shift += TH_TRACK_VALGRIND ? 13 : 1) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            play_on_base(shift, sizes[i]);
            play_on_base(REGION_BYTES - sizes[i] / 2 + shift / 2, sizes[i]);
        }
    }
    play_on_base(REGION_BYTES - 16, 32);
    play_on_base(REGION_BYTES - 16, 4096 + 16);
    play_on_base(REGION_BYTES - 4096, 4096 + 16);
}

/* On both sides of the middle of the address space the root has more bytes than a size_t can say.
 * Nothing is touched, so the memory need not be there; for tools it would have to. */
static void memory_around_the_middle_of_the_address_space(void) {
    size_t half = SIZE_MAX / 2 + 1;
    size_t unit = half >> 8;
    if (TH_TRACK_ANY) {
        return;
    }
    buddy_start(0, (void *)(half / 2 + unit), half - unit, unit);
    CHECK_EQ(buddy_stats().managed_bytes, half - unit);
    CHECK_EQ(buddy_stats().largest_free_bytes, half / 2);
    CHECK(th_buddy_alloc(&buddy, (size_t)PTRDIFF_MAX) == NULL);
    CHECK(th_buddy_alloc(&buddy, half / 2 + 1) == NULL);
    CHECK(th_buddy_alloc(&buddy, half + 1) == NULL);
    CHECK(th_buddy_alloc(&buddy, SIZE_MAX) == NULL);
    void *low = th_buddy_alloc(&buddy, unit + 1);
    CHECK_EQ((uintptr_t)low, half / 2 + 2 * unit);
    CHECK(!th_buddy_resize_in_place(&buddy, low, SIZE_MAX));
    void *high = th_buddy_alloc_aligned(&buddy, 1, half);
    CHECK(high == NULL);
    high = th_buddy_alloc(&buddy, half / 4);
    CHECK_EQ((uintptr_t)high, half - half / 4);
    CHECK(!th_buddy_resize_in_place(&buddy, high, half));
    th_buddy_free(&buddy, low);
    th_buddy_free(&buddy, high);
    CHECK_EQ(buddy_stats().largest_free_bytes, half / 2);
    buddy_stop();
}

/* All but the last byte of all; the unit that it is in is not used. No block begins at address 0.
 */
static void memory_at_the_ends_of_the_address_space(void) {
    if (TH_TRACK_ANY) {
        return;
    }
    buddy_start(0, (void *)(UINTPTR_MAX - 1023), 1023, 64);
    CHECK_EQ(buddy_stats().managed_bytes, 1024 - 64);
    void *last = th_buddy_alloc_aligned(&buddy, 448, 1);
    CHECK(last != NULL && th_buddy_owns(&buddy, last));
    CHECK(!th_buddy_owns(&buddy, (void *)UINTPTR_MAX));
    buddy_stop();
    buddy_start(0, (void *)1, 1024, 64);
    CHECK_EQ((uintptr_t)th_buddy_alloc_aligned(&buddy, 64, 64), 64);
    buddy_stop();
}

/* ---- resize ------------------------------------------------------------------------------- */

static void resize_in_place_at(int level) {
    buddy_start(level, buddy_region, 1024, 64);
    unsigned char *a = th_buddy_alloc(&buddy, 64);
    memset(a, 0xA1, 64);
    CHECK(th_buddy_resize_in_place(&buddy, a, 1000)); /* the whole memory */
    CHECK_EQ(th_buddy_usable_size(&buddy, a), 1024);
    memset(a + 64, 0xA2, 1000 - 64);
    CHECK_EQ(buddy_stats().live_bytes, 1024);
    CHECK(th_buddy_resize_in_place(&buddy, a, 1024));
    CHECK(!th_buddy_resize_in_place(&buddy, a, 1025));
    CHECK(th_buddy_resize_in_place(&buddy, a, 100)); /* [128][128][256][512] */
    CHECK_EQ(buddy_stats().live_bytes, 128);
    CHECK_EQ(buddy_stats().largest_free_bytes, 512);
    CHECK_EQ(buddy_stats().high_water_bytes, 1024);
    CHECK(a[0] == 0xA1 && a[63] == 0xA1 && a[64] == 0xA2 && a[99] == 0xA2);
    unsigned char *b = th_buddy_alloc(&buddy, 128); /* a's other half */
    CHECK_PTR_EQ(b, a + 128);
    CHECK(!th_buddy_resize_in_place(&buddy, a, 129));   /* which is live */
    CHECK(!th_buddy_resize_in_place(&buddy, b, 129));   /* an upper half cannot grow */
    CHECK(th_buddy_resize_in_place(&buddy, b, 1));      /* but shrink */
    CHECK(!th_buddy_resize_in_place(&buddy, a, 129));   /* its lower half is still live */
    CHECK(!th_buddy_resize_in_place(&buddy, b, 65536)); /* beyond every order */
    CHECK(!th_buddy_resize_in_place(&buddy, b, SIZE_MAX));
    CHECK(!th_buddy_resize_in_place(&buddy, b, 0));
    CHECK(!th_buddy_resize_in_place(&buddy, NULL, 10));
    CHECK(th_buddy_resize_in_place(&buddy, b, 128));
    th_buddy_free(&buddy, b);
    CHECK(th_buddy_resize_in_place(&buddy, a, 512));
    CHECK(a[0] == 0xA1 && a[99] == 0xA2);
    th_buddy_free(&buddy, a);
    CHECK_EQ(buddy_stats().largest_free_bytes, 1024);
    buddy_stop();
}

static void resize_in_place(void) {
    at_levels(0, resize_in_place_at);
}

/* A block that is larger than its size for its alignment's sake shrinks to its size. */
static void resize_keeps_the_address(void) {
    buddy_start(0, buddy_region, 1024, 16);
    unsigned char *block = th_buddy_alloc_aligned(&buddy, 16, 512);
    CHECK(th_buddy_resize_in_place(&buddy, block, 100));
    memset(block, 0x22, 100);
    CHECK_EQ(th_buddy_usable_size(&buddy, block), 128);
    CHECK(th_buddy_resize_in_place(&buddy, block, 512));
    memset(block + 100, 0x22, 412);
    CHECK_EQ((uintptr_t)block & 511, 0);
    buddy_stop();
}

static void reset_at(int level) {
    buddy_start(level, buddy_region + 40, 1000, 16);
    size_t managed = buddy_stats().managed_bytes;
    size_t largest = buddy_stats().largest_free_bytes;
    for (unsigned round = 0; round < 3; round++) {
        unsigned char *block;
        while ((block = th_buddy_alloc(&buddy, 20 + 7 * (size_t)buddy_stats().live)) != NULL) {
            memset(block, 0x33, 20);
        }
        CHECK(buddy_stats().live > 3);
        CHECK_EQ(th_buddy_reset(&buddy), TH_OK);
        CHECK_EQ(buddy_stats().live, 0);
        CHECK_EQ(buddy_stats().live_bytes, 0);
        CHECK_EQ(buddy_stats().free_bytes, managed);
        CHECK_EQ(buddy_stats().largest_free_bytes, largest);
        CHECK_EQ(buddy_stats().failed_allocs, round + 1);
    }
    buddy_stop();
}

static void reset_frees_everything(void) {
    at_levels(0, reset_at);
}

static void the_table_leads_to_the_same(void) {
    buddy_start(0, buddy_region, 1024, 64);
    th_allocator allocator = th_buddy_allocator(&buddy);
    unsigned char *block = th_allocator_alloc_aligned(allocator, 65, 256);
    CHECK(block != NULL);
    CHECK_EQ(th_allocator_usable_size(allocator, block), 256);
    CHECK(th_allocator_owns(allocator, block + 255));
    CHECK(!th_allocator_owns(allocator, block + 256));
    CHECK(th_allocator_resize_in_place(allocator, block, 64));
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_OK);
    th_allocator_free(allocator, block);
    CHECK_EQ(th_allocator_reset(allocator), TH_OK);
    CHECK_EQ(buddy_stats().live, 0);
    buddy_stop();
}

TH_SUITE("buddy", TEST(splits_and_merges), TEST(only_buddies_merge),
         TEST(orders_lie_outside_the_blocks), TEST(nothing_is_touched),
         TEST(the_lowest_block_is_taken), TEST(init_refuses),
         TEST(bookkeeping_is_as_large_as_it_says), TEST(defaults),
         TEST(without_memory_calls_do_nothing), TEST(create_and_give_back),
         TEST(create_of_too_many_units), TEST(requests_that_are_refused), TEST(alignments_hold),
         TEST(memory_may_begin_anywhere), TEST(memory_around_the_middle_of_the_address_space),
         TEST(memory_at_the_ends_of_the_address_space), TEST(resize_in_place),
         TEST(resize_keeps_the_address), TEST(reset_frees_everything),
         TEST(the_table_leads_to_the_same))
