/* SPDX-License-Identifier: MIT */
/* Fallbacks, reserves, and policies, which are chains of these and of quotas. */
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/bump.h"
#include "tagheap/classes.h"
#include "tagheap/heap_allocator.h"
#include "tagheap/policy.h"

TH_ALLOCATOR_ALIGNAS static unsigned char memory[1024];
static th_bump bump;
static backing own;
static fault_log faults;

/* ---- fallbacks ---------------------------------------------------------------------------- */

static th_fallback fallback;

static th_allocator start_fallback(void) {
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    const th_fallback_config config = {.first = th_bump_allocator(&bump),
                                       .second = backing_start(&own)};
    CHECK_EQ(th_fallback_init(&fallback, &config), TH_OK);
    return th_fallback_allocator(&fallback);
}

static void what_the_first_cannot_the_second_does(void) {
    th_allocator a = start_fallback();
    unsigned char *x = th_allocator_alloc(a, 1000);
    unsigned char *y = th_allocator_alloc(a, 100);
    CHECK(th_bump_owns(&bump, x) && !th_bump_owns(&bump, y));
    CHECK_EQ(own.live_bytes, 100);
    CHECK(th_allocator_owns(a, x));
    CHECK(!th_allocator_owns(a, y)); /* this second one knows no blocks */
    own.left = 0;
    CHECK(th_allocator_alloc(a, 100) == NULL);
    th_fallback_stats stats = th_fallback_get_stats(&fallback);
    CHECK(stats.first_allocs == 1 && stats.second_allocs == 1 && stats.failed_allocs == 1);
    fill(x, 1000, 1);
    CHECK(th_allocator_resize_in_place(a, x, 1024));
    CHECK(!th_allocator_resize_in_place(a, y, 101));
    CHECK(th_allocator_realloc(a, x, 1000, 1100, 16, NULL) == NULL);
    CHECK_EQ(th_fallback_get_stats(&fallback).failed_allocs, 2);
    CHECK(filled(x, 1000, 1));
    own.left = 2;
    x = th_allocator_realloc(a, x, 1000, 1100, 16, NULL); /* moves to the second one */
    CHECK(x != NULL && !th_bump_owns(&bump, x) && filled(x, 1000, 1));
    x = th_allocator_realloc(a, x, 1100, 1200, 16, NULL); /* and within it */
    CHECK(x != NULL && filled(x, 1000, 1));
    CHECK_EQ(th_fallback_get_stats(&fallback).second_allocs, 3);
    own.left = 0;
    CHECK_EQ(th_allocator_reset(th_bump_allocator(&bump)), TH_OK);
    x = th_allocator_realloc(a, x, 1200, 500, 16, NULL); /* and back to the first one */
    CHECK(th_bump_owns(&bump, x) && filled(x, 500, 1));
    x = th_allocator_realloc(a, x, 500, 600, 16, NULL);
    CHECK_EQ(th_fallback_get_stats(&fallback).first_allocs, 2); /* that was in place */
    void *z = th_allocator_alloc(a, 8);
    x = th_allocator_realloc(a, x, 500, 200, 16, NULL);
    CHECK(x != NULL && filled(x, 200, 1));
    CHECK_EQ(th_allocator_usable_size(a, x), 0);
    CHECK_EQ(th_allocator_check(a, NULL), TH_OK);
    th_allocator_free(a, z);
    th_allocator_free(a, y);
    CHECK_EQ(own.live, 0);
    CHECK_EQ(th_allocator_reset(a), TH_ERR_UNSUPPORTED);
    CHECK(th_bump_get_stats(&bump).used_bytes > 0); /* nothing was done */
    th_fallback_clean_up(&fallback);
    CHECK(fallback.config.first.table == NULL);
}

static th_status answer_of[2];
static unsigned resets;

static void *give_none(void *self, size_t bytes, size_t alignment) {
    (void)self;
    (void)bytes;
    (void)alignment;
    return NULL;
}

static void take_none(void *self, void *pointer) {
    (void)self;
    (void)pointer;
}

static bool own_none(const void *self, const void *pointer) {
    (void)self;
    return pointer == NULL;
}

static th_status answer(void *self) {
    resets++;
    return *(th_status *)self;
}

static th_status find(const void *self, th_fault *fault) {
    (void)fault;
    return *(const th_status *)self;
}

static const th_allocator_table answering = {
    .alloc = give_none, .free = take_none, .reset = answer, .owns = own_none, .check = find};

static void both_are_reset_and_checked(void) {
    const th_fallback_config config = {.first = {&answering, &answer_of[0]},
                                       .second = {&answering, &answer_of[1]}};
    CHECK_EQ(th_fallback_init(&fallback, &config), TH_OK);
    for (int i = 0; i < 4; i++) {
        answer_of[0] = i & 1 ? TH_ERR_CORRUPT : TH_OK;
        answer_of[1] = i & 2 ? TH_ERR_BUSY : TH_OK;
        th_status due = i & 1 ? TH_ERR_CORRUPT : answer_of[1];
        resets = 0;
        CHECK_EQ(th_fallback_reset(&fallback), due);
        CHECK_EQ(resets, 2);
        CHECK_EQ(th_fallback_check(&fallback, NULL), due);
    }
    th_fallback_clean_up(&fallback);
}

static void a_fallback_owns_what_the_two_own(void) {
    TH_ALLOCATOR_ALIGNAS static unsigned char more[256];
    th_bump other;
    CHECK_EQ(th_bump_init(&bump, memory, 64, NULL), TH_OK);
    CHECK_EQ(th_bump_init(&other, more, sizeof more, NULL), TH_OK);
    const th_fallback_config config = {.first = th_bump_allocator(&bump),
                                       .second = th_bump_allocator(&other)};
    CHECK_EQ(th_fallback_init(&fallback, &config), TH_OK);
    th_allocator a = th_fallback_allocator(&fallback);
    void *x = th_allocator_alloc(a, 100);
    CHECK(th_bump_owns(&other, x) && th_allocator_owns(a, x));
    CHECK_EQ(th_fallback_reset(&fallback), TH_OK);
    CHECK(!th_allocator_owns(a, x));
    th_fallback_clean_up(&fallback);
}

static void refuse_strays(int level) {
    static unsigned char nobodys[64];
    const th_heap_config heap_config = {.alignment = 16, .guarding = guarding_with(&faults, level)};
    fixture low = {0};
    fixture_start_with(&low, 0, 512, &heap_config);
    th_tagged_allocator first;
    th_classes second;
    const th_classes_config classes_config = {.backing = backing_start(&own),
                                              .slab_bytes = 1024,
                                              .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_classes_init(&second, &classes_config), TH_OK);
    const th_fallback_config config = {.first = th_heap_allocator(&first, &low.heap, 1),
                                       .second = th_classes_allocator(&second)};
    CHECK_EQ(th_fallback_init(&fallback, &config), TH_OK);
    th_allocator a = th_fallback_allocator(&fallback);
    unsigned char *x = th_allocator_alloc(a, 300);
    unsigned char *y = th_allocator_alloc(a, 280);
    void *const strays[] = {x + 16, y + 16, nobodys + 16};
    CHECK_EQ(th_fallback_get_stats(&fallback).second_allocs, 1);
    for (size_t i = 0; i < sizeof strays / sizeof strays[0]; i++) {
        faults.count = 0;
        CHECK(th_allocator_realloc(a, strays[i], 16, 700, 16, NULL) == NULL);
        CHECK(faults.count > 0);
        CHECK_EQ(th_fallback_get_stats(&fallback).second_allocs, 1);
        CHECK_EQ(th_heap_get_stats(&low.heap).head_blocks, 1);
    }
    faults = (fault_log){0};
    x = th_allocator_realloc(a, x, 300, 700, 16, NULL); /* what is one does */
    CHECK(x != NULL);
    CHECK_EQ(th_fallback_get_stats(&fallback).second_allocs, 2);
    th_allocator_free(a, x);
    th_allocator_free(a, y);
    th_fallback_clean_up(&fallback);
    th_classes_clean_up(&second);
    fixture_stop(&low);
    backing_stop(&own);
}

/* Its own allocator refuses it; then it is not copied to the other one either. */
static void what_is_no_block_does_not_move(void) {
    TH_ALLOCATOR_ALIGNAS static unsigned char more[64];
    static unsigned char nobodys[64];
    th_bump small;
    at_levels(1, refuse_strays);
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    CHECK_EQ(th_bump_init(&small, more, sizeof more, NULL), TH_OK);
    const th_fallback_config config = {.first = th_bump_allocator(&bump),
                                       .second = th_bump_allocator(&small)};
    CHECK_EQ(th_fallback_init(&fallback, &config), TH_OK);
    th_allocator a = th_fallback_allocator(&fallback);
    CHECK(th_allocator_realloc(a, nobodys, 16, 700, 16, NULL) == NULL);
    CHECK_EQ(th_bump_get_stats(&bump).used_bytes, 0);
    th_fallback_clean_up(&fallback);
}

static void only_what_can_say_whose_it_is_comes_first(void) {
    static const th_allocator_table nothing;
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    const th_allocator good = th_bump_allocator(&bump);
    th_allocator_table no_reset_table = *good.table;
    no_reset_table.reset = NULL;
    memset(&fallback, 7, sizeof fallback);
    const th_fallback same = fallback;
    th_fallback_config config = {.first = good, .second = good};
    CHECK_EQ(th_fallback_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_fallback_init(&fallback, NULL), TH_ERR_NULL);
    config.guarding.level = 4;
    CHECK_EQ(th_fallback_init(&fallback, &config), TH_ERR_CONFIG);
    const th_allocator none = {0}, unusable = {&nothing, NULL}, mute_one = backing_start(&own);
    const th_allocator pairs[][2] = {
        {good, none}, {none, good}, {unusable, good}, {good, unusable}, {mute_one, good}};
    for (size_t i = 0; i < 5; i++) {
        config = (th_fallback_config){.first = pairs[i][0], .second = pairs[i][1]};
        CHECK_EQ(th_fallback_init(&fallback, &config), TH_ERR_CONFIG);
    }
    CHECK(memcmp(&fallback, &same, sizeof fallback) == 0);
    const th_fallback_config mute = {.first = {&no_reset_table, &bump}, .second = good};
    CHECK_EQ(th_fallback_init(&fallback, &mute), TH_OK);
    CHECK_EQ(th_fallback_reset(&fallback), TH_ERR_UNSUPPORTED);
    th_fallback_clean_up(&fallback);
}

/* ---- reserves ----------------------------------------------------------------------------- */

static th_reserve reserve;
static unsigned opened;

static void note_opening(void *context) {
    CHECK(context == &own);
    opened++;
}

static void a_reserve_is_opened_for_an_emergency(void) {
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    opened = 0;
    th_reserve_config config = {
        .backing = backing_start(&own), .bytes = 300, .on_opened = note_opening, .context = &own};
    own.left = 2;
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_OK);
    CHECK_EQ(own.live_bytes, 300);
    th_allocator a = th_reserve_allocator(&reserve);
    unsigned char *x = th_allocator_alloc(a, 100);
    CHECK_EQ(th_reserve_get_stats(&reserve).held_bytes, 300);
    CHECK(th_allocator_alloc(a, 301) == NULL); /* it could not help */
    CHECK(th_allocator_realloc(a, x, 100, 301, 16, NULL) == NULL);
    CHECK_EQ(th_reserve_get_stats(&reserve).held_bytes, 300);
    CHECK(th_allocator_alloc(a, 100) == NULL); /* it is given back, and that is not enough */
    CHECK_EQ(opened, 1);
    CHECK_EQ(own.live_bytes, 100);
    CHECK_EQ(th_reserve_refill(&reserve), TH_ERR_EXHAUSTED);
    CHECK(!th_reserve_open(&reserve));
    th_reserve_stats stats = th_reserve_get_stats(&reserve);
    CHECK(stats.held_bytes == 0 && stats.openings == 1 && stats.failed_allocs == 3);
    own.left = SIZE_MAX;
    CHECK_EQ(th_reserve_refill(&reserve), TH_OK);
    CHECK_EQ(th_reserve_refill(&reserve), TH_OK);
    CHECK_EQ(own.live, 2);
    x = th_allocator_realloc(a, x, 100, 200, 16, NULL); /* it is not needed */
    CHECK(x != NULL && th_reserve_get_stats(&reserve).openings == 1);
    own.left = 0;
    CHECK(th_allocator_realloc(a, x, 200, 300, 16, NULL) == NULL);
    CHECK_EQ(th_reserve_get_stats(&reserve).openings, 2);
    CHECK_EQ(opened, 2);
    CHECK(!th_allocator_resize_in_place(a, x, 101));
    CHECK(!th_allocator_owns(a, x));
    CHECK_EQ(th_allocator_usable_size(a, x), 0);
    CHECK_EQ(th_allocator_reset(a), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_allocator_check(a, NULL), TH_OK);
    th_allocator_free(a, x);
    th_reserve_clean_up(&reserve);
    backing_stop(&own);
    config.on_opened = NULL;
    own.left = 1;
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_OK);
    CHECK(th_reserve_open(&reserve));
    th_reserve_clean_up(&reserve);
    backing_stop(&own);
}

static void call_from_inside(void *context) {
    const th_fault due = {.kind = TH_FAULT_REENTRY,
                          .block = TH_FAULT_NOWHERE,
                          .offset = TH_FAULT_NOWHERE,
                          .found = 1};
    CHECK(context == &own);
    own.left = SIZE_MAX; /* as if there were plenty again */
    CHECK_EQ(th_reserve_refill(&reserve), TH_ERR_BUSY);
    expect_logged(__FILE__, __LINE__, &faults, 0, due);
    th_reserve_clean_up(&reserve);
    expect_logged(__FILE__, __LINE__, &faults, 0, due);
    own.left = 0;
}

/* Refilled from inside, it would be opened for the same request for ever. */
static void a_reserve_is_not_refilled_while_it_opens(void) {
    const th_reserve_config config = {.backing = backing_start(&own),
                                      .bytes = 300,
                                      .on_opened = call_from_inside,
                                      .context = &own,
                                      .guarding = guarding_with(&faults, 0)};
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_OK);
    own.left = 0;
    CHECK(th_allocator_alloc(th_reserve_allocator(&reserve), 100) == NULL);
    CHECK_EQ(th_reserve_get_stats(&reserve).openings, 1);
    own.left = SIZE_MAX;
    CHECK_EQ(th_reserve_refill(&reserve), TH_OK);
    th_reserve_clean_up(&reserve);
    CHECK(reserve.config.bytes == 0);
    backing_stop(&own);
}

static void what_the_reserve_gives_is_enough(void) {
    static th_heap heap;
    static TH_ALLOCATOR_ALIGNAS unsigned char region[8192];
    th_tagged_allocator adapter;
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, NULL), TH_OK);
    const th_reserve_config config = {.backing = th_heap_allocator(&adapter, &heap, 1),
                                      .bytes = 1000};
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_OK);
    th_allocator a = th_reserve_allocator(&reserve);
    while (th_reserve_get_stats(&reserve).openings == 0) {
        CHECK(th_allocator_alloc(a, 100) != NULL);
    }
    void *x = th_allocator_alloc(a, 100);
    CHECK(x != NULL); /* the one that opened it, and some more */
    CHECK_EQ(th_reserve_get_stats(&reserve).failed_allocs, 0);
    th_reserve_clean_up(&reserve);
}

static void a_reserve_that_cannot_be_is_refused(void) {
    static const th_allocator_table nothing;
    memset(&reserve, 7, sizeof reserve);
    const th_reserve same = reserve;
    th_reserve_config config = {.backing = backing_start(&own), .bytes = 10};
    CHECK_EQ(th_reserve_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_reserve_init(&reserve, NULL), TH_ERR_NULL);
    own.left = 0;
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_ERR_EXHAUSTED);
    config.guarding.level = -1;
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_ERR_CONFIG);
    config = (th_reserve_config){.backing = {&nothing, NULL}, .bytes = 10};
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_ERR_CONFIG);
    config = (th_reserve_config){.bytes = 10};
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_ERR_CONFIG);
    config.bytes = 0;
    CHECK_EQ(th_reserve_init(&reserve, &config), TH_ERR_TOO_SMALL);
    CHECK(memcmp(&reserve, &same, sizeof reserve) == 0);
}

/* ---- policies ----------------------------------------------------------------------------- */

static th_policy policy;

/* A layer that counts, and says in which order they end. */
typedef struct layer {
    th_allocator inner;
    char name;
    bool refuses;
} layer;

static char ends[8];

static th_allocator wrap(void *context, th_allocator inner) {
    layer *l = context;
    l->inner = inner;
    return l->refuses ? (th_allocator){0} : inner;
}

static void end_layer(void *context) {
    layer *l = context;
    size_t length = strlen(ends);
    ends[length] = l->name;
    ends[length + 1] = '\0';
}

static void expect_parts(const char *text, unsigned parts) {
    char line[80];
    CHECK_EQ(th_policy_describe(&policy, line, sizeof line), strlen(text));
    CHECK(strcmp(line, text) == 0);
    CHECK_EQ(th_policy_parts(&policy), parts);
    CHECK((th_policy_get_quota(&policy) != NULL) == ((parts & TH_POLICY_QUOTA) != 0));
    CHECK((th_policy_get_reserve(&policy) != NULL) == ((parts & TH_POLICY_RESERVE) != 0));
    for (size_t capacity = 1; capacity < strlen(text); capacity++) {
        CHECK_EQ(th_policy_describe(&policy, line, capacity), capacity - 1);
        CHECK(line[capacity - 1] == '\0' && memcmp(line, text, capacity - 1) == 0);
    }
}

static void enforce(int level) {
    layer tracked = {.name = 't'}, guarded = {.name = 'g'};
    const th_policy_layer layers[] = {{"guarded", wrap, end_layer, &guarded},
                                      {"tracked", wrap, end_layer, &tracked},
                                      {"plain", wrap, NULL, &tracked}};
    CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
    const th_quota_config limits = {.bytes_max = 2000, .blocks_max = 5};
    const th_policy_config config = {.base = th_bump_allocator(&bump),
                                     .fallback = backing_start(&own),
                                     .reserve_bytes = 200,
                                     .quota = &limits,
                                     .layers = layers,
                                     .layers_count = 3,
                                     .guarding = guarding_with(&faults, level)};
    ends[0] = '\0';
    CHECK_EQ(th_policy_init(&policy, &config), TH_OK);
    expect_parts("plain > tracked > guarded > quota > reserve > base | fallback", 15);
    th_allocator a = th_policy_allocator(&policy);
    void *x = th_allocator_alloc(a, 600);
    void *y = th_allocator_alloc(a, 600);
    CHECK(th_bump_owns(&bump, x) && !th_bump_owns(&bump, y));
    CHECK(th_allocator_alloc(a, 801) == NULL); /* more than the quota */
    th_policy_stats stats = th_policy_get_stats(&policy);
    CHECK(stats.used_bytes == 1200 && stats.high_water_bytes == 1200 && stats.refusals == 1);
    CHECK(stats.reserve_bytes == 200 && stats.fallback_allocs == 1);
    own.left = 0;
    void *z = th_allocator_alloc(a, 100); /* bump has that much left */
    CHECK(z != NULL);
    CHECK(th_allocator_alloc(a, 170) == NULL); /* which opens the reserve in vain */
    CHECK_EQ(th_policy_get_stats(&policy).openings, 1);
    CHECK_EQ(th_policy_check(&policy, NULL), TH_OK);
    CHECK_EQ(th_quota_set_limits(th_policy_get_quota(&policy), 0, 0), TH_OK);
    CHECK(th_allocator_alloc(a, 1) == NULL);
    if (level > 0) { /* the parts are guarded as the policy says */
        unsigned char was = poke((unsigned char *)x - 1, 0x5A);
        th_allocator_free(a, x);
        CHECK_EQ(faults.count, 1);
        CHECK_EQ(faults.first.kind, TH_FAULT_HEADER);
        faults.count = 0;
        (void)poke((unsigned char *)x - 1, was);
    }
    th_allocator_free(a, x);
    th_allocator_free(a, y);
    th_allocator_free(a, z);
    th_policy_clean_up(&policy);
    CHECK(strcmp(ends, "tg") == 0); /* the outermost first */
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
    CHECK(th_allocator_alloc(th_policy_allocator(&policy), 1) == NULL);
}

static void a_policy_is_enforced_and_queried(void) {
    at_levels(0, enforce);
}

static void every_set_of_parts_can_be_had(void) {
    static const char *const words[] = {"base",
                                        "base | fallback",
                                        "reserve > base",
                                        "reserve > base | fallback",
                                        "quota > base",
                                        "quota > base | fallback",
                                        "quota > reserve > base",
                                        "quota > reserve > base | fallback"};
    const th_quota_config limits = {.bytes_max = 500, .blocks_max = 5};
    for (unsigned parts = 0; parts < 8; parts++) {
        CHECK_EQ(th_bump_init(&bump, memory, sizeof memory, NULL), TH_OK);
        th_policy_config config = {.base = th_bump_allocator(&bump)};
        if (parts & TH_POLICY_FALLBACK) {
            config.fallback = th_system_allocator();
        }
        config.reserve_bytes = parts & TH_POLICY_RESERVE ? 100 : 0;
        config.quota = parts & TH_POLICY_QUOTA ? &limits : NULL;
        config.layers_count = 2; /* of none */
        CHECK_EQ(th_policy_init(&policy, &config), TH_OK);
        expect_parts(words[parts], parts);
        void *block = th_allocator_alloc(th_policy_allocator(&policy), 100);
        CHECK(block != NULL);
        CHECK((th_allocator_alloc(th_policy_allocator(&policy), 401) == NULL) ==
              ((parts & TH_POLICY_QUOTA) != 0));
        th_allocator_free(th_policy_allocator(&policy), block);
        th_policy_clean_up(&policy);
    }
}

static void what_cannot_be_built_leaves_nothing(void) {
    static const th_policy zeroed;
    static const th_allocator_table nothing;
    layer first = {.name = 'a'}, second = {.name = 'b', .refuses = true};
    const th_policy_layer layers[] = {{"one", wrap, end_layer, &first},
                                      {"two", wrap, end_layer, &second}};
    const th_quota_config limits = {.bytes_max = 500, .blocks_max = 5};
    th_policy_config config = {.base = backing_start(&own),
                               .reserve_bytes = 100,
                               .quota = &limits,
                               .layers = layers,
                               .layers_count = 2};
    ends[0] = '\0';
    CHECK_EQ(th_policy_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_policy_init(&policy, NULL), TH_ERR_NULL);
    CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_EXHAUSTED);
    CHECK(strcmp(ends, "a") == 0);
    CHECK(memcmp(&policy, &zeroed, sizeof policy) == 0);
    backing_stop(&own);
    const th_policy_layer halves[] = {{.name = "no wrap"}, {.wrap = layers[0].wrap}};
    for (size_t i = 0; i < 2; i++) {
        config.layers = halves + i;
        config.layers_count = 1;
        CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_CONFIG);
        CHECK(memcmp(&policy, &zeroed, sizeof policy) == 0);
        backing_stop(&own);
    }
    config.layers_count = TH_POLICY_LAYERS_MAX + 1;
    CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_TOO_LARGE);
    config.layers_count = 0;
    config.fallback = th_system_allocator(); /* but base knows no blocks */
    CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_CONFIG);
    config.fallback = (th_allocator){0};
    own.left = 0;
    CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_EXHAUSTED);
    config.guarding.level = 4;
    CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_CONFIG);
    config.guarding.level = 0;
    config.base = (th_allocator){&nothing, NULL};
    CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_CONFIG);
    config.base = (th_allocator){0};
    CHECK_EQ(th_policy_init(&policy, &config), TH_ERR_CONFIG);
    CHECK(memcmp(&policy, &zeroed, sizeof policy) == 0);
    char line[4];
    CHECK_EQ(th_policy_describe(&policy, line, sizeof line), 0);
    CHECK_EQ(line[0], '\0');
    CHECK_EQ(th_policy_describe(&policy, NULL, 4), 0);
    CHECK_EQ(th_policy_describe(&policy, line, 0), 0);
    CHECK_EQ(th_policy_describe(NULL, line, 4), 0);
}

TH_SUITE("policy", TEST(what_the_first_cannot_the_second_does), TEST(both_are_reset_and_checked),
         TEST(a_fallback_owns_what_the_two_own), TEST(what_is_no_block_does_not_move),
         TEST(only_what_can_say_whose_it_is_comes_first),
         TEST(a_reserve_is_opened_for_an_emergency), TEST(a_reserve_is_not_refilled_while_it_opens),
         TEST(what_the_reserve_gives_is_enough), TEST(a_reserve_that_cannot_be_is_refused),
         TEST(a_policy_is_enforced_and_queried), TEST(every_set_of_parts_can_be_had),
         TEST(what_cannot_be_built_leaves_nothing))
