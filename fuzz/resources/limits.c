/* SPDX-License-Identifier: MIT */
/* Quotas to the byte, and policies over a bump heap and malloc, beside a list of blocks. */
#include "resources/play.h"
#include "tagheap/bump.h"
#include "tagheap/policy.h"

#include <string.h>

#define BLOCKS 12u

typedef struct block {
    unsigned char *at;
    size_t bytes;
    size_t alignment;
} block;

typedef struct account {
    const char *noun;
    block blocks[BLOCKS];
    size_t used, count, peak;
    size_t bytes_max, blocks_max, soft;
    bool is_above;
    unsigned crossings_up, crossings_down, refusals;
    th_allocator allocator;
    size_t give_up; /* so many more blocks */
    size_t request; /* what the last one came to, gap included */
    bool failed;    /* for want of memory */
} account;

static account now;
static unsigned ups, downs, refused;

static void require(bool holds, const char *detail) {
    lab_require(holds, now.noun, detail);
}

static void hear(void *context, th_quota_event event, size_t used) {
    (void)context;
    (void)used;
    ups += event == TH_QUOTA_ABOVE_SOFT;
    downs += event == TH_QUOTA_BELOW_SOFT;
    refused += event == TH_QUOTA_REFUSED;
}

static void change_used(size_t from, size_t to) {
    now.used = now.used - from + to;
    bool is_above = now.soft != 0 && now.used > now.soft;
    now.crossings_up += is_above && !now.is_above;
    now.crossings_down += !is_above && now.is_above;
    now.is_above = is_above;
    now.peak = now.used > now.peak ? now.used : now.peak;
}

static void fill(block *b, size_t from, size_t number) {
    for (size_t i = from; i < b->bytes; i++) {
        b->at[i] = (unsigned char)(number * 37 + i);
    }
}

static void compare(const block *b, size_t bytes, size_t number) {
    for (size_t i = 0; i < bytes; i++) {
        require(b->at[i] == (unsigned char)(number * 37 + i), "contents");
    }
}

static void release(size_t i) {
    block *b = &now.blocks[i];
    compare(b, b->bytes, i);
    void *at = b->at;
    change_used(b->bytes, 0);
    now.count--;
    b->at = NULL;
    th_allocator_free(now.allocator, at);
}

/* The first block that there is goes. */
static bool give_up(void *context, size_t bytes) {
    (void)context;
    require(th_allocator_alloc(now.allocator, 1) == NULL, "asked-while-asking");
    now.refusals++;
    require(bytes > 0, "asked-for-nothing");
    for (size_t i = 1; now.give_up > 0 && i < BLOCKS; i++) { /* 0 is what is being resized */
        if (now.blocks[i].at != NULL) {
            now.give_up--;
            release(i);
            return true;
        }
    }
    return false;
}

/* A request was refused for the limits: was there nothing to be given up? */
static bool is_given_up(void) {
    bool is_left = false;
    for (size_t i = 1; i < BLOCKS; i++) {
        is_left = is_left || now.blocks[i].at != NULL;
    }
    return now.give_up == 0 || !is_left;
}

static bool fits(size_t more, size_t blocks) {
    return more == 0 || (now.used <= now.bytes_max && more <= now.bytes_max - now.used &&
                         now.count + blocks <= now.blocks_max);
}

static void alloc(lab_source *source, size_t i, size_t bytes, size_t alignment) {
    bool fit = fits(bytes, 1);
    size_t before = source->refusals;
    unsigned char *at = th_allocator_alloc_aligned(now.allocator, bytes, alignment);
    if (at == NULL) {
        require(!fit || source->refusals > before, "refused");
        require(!fits(bytes, 1) || source->refusals > before, "refused-after-giving-up");
        require(is_given_up(), "not-asked-again");
        now.refusals += !fits(bytes, 1);
        now.failed = source->refusals > before;
        return;
    }
    require(fits(bytes, 1), "limit-too-late");
    require((uintptr_t)at % alignment == 0, "alignment");
    now.blocks[i] = (block){at, bytes, alignment};
    now.count++;
    change_used(0, bytes);
    fill(&now.blocks[i], 0, i);
}

static void resize(lab_source *source, size_t i, size_t bytes) {
    block *b = &now.blocks[i];
    size_t was = b->bytes;
    size_t before = source->refusals;
    size_t more = bytes > was ? bytes - was : 0;
    void *at = th_allocator_realloc(now.allocator, b->at, was, bytes, b->alignment, NULL);
    if (at == NULL) {
        require(!fits(more, 0) || source->refusals > before, "resize-refused");
        require(is_given_up(), "not-asked-again");
        now.refusals += !fits(more, 0);
        now.failed = source->refusals > before;
        compare(b, was, i);
        return;
    }
    require(fits(more, 0), "limit-too-late");
    b->at = at;
    compare(b, was < bytes ? was : bytes, i);
    b->bytes = bytes;
    change_used(was, bytes);
    fill(b, was < bytes ? was : bytes, i);
}

static void play(lab_input *input, lab_source *source) {
    unsigned op = lab_input_byte(input);
    size_t i = lab_input_below(input, BLOCKS);
    size_t bytes = 1 + lab_input_below(input, 300);
    source->left = op >= 240 ? op % 2 : LAB_SOURCE_ANY;
    now.give_up = op / 16 % 4;
    now.failed = false;
    now.request = 0;
    if (now.blocks[i].at == NULL) {
        now.request = bytes + (op % 8 > 4 ? (size_t)1 << op % 8 : 16);
        alloc(source, i, bytes, (size_t)1 << op % 8);
    } else if (op % 4 == 0) {
        size_t alignment = now.blocks[i].alignment;
        now.request = bytes + (alignment > 16 ? alignment : 16);
        now.give_up = i == 0 ? now.give_up : 0;
        resize(source, i, bytes);
    } else if (op % 4 == 1) {
        release(i);
    }
}

static void expect_figures(th_quota_stats stats) {
    require(stats.used_bytes == now.used && stats.blocks == now.count, "used");
    require(stats.high_water_bytes == now.peak, "peak");
    require(stats.left_bytes == (now.bytes_max > now.used ? now.bytes_max - now.used : 0), "left");
    require(stats.soft_crossings == now.crossings_up && ups == now.crossings_up, "crossings");
    require(downs == now.crossings_down, "crossings-down");
    require(stats.refusals == now.refusals && refused == now.refusals, "refusals");
}

static th_quota_config start(lab_input *input, const char *noun) {
    now = (account){.noun = noun};
    ups = downs = refused = 0;
    now.bytes_max = lab_input_below(input, 1500);
    now.blocks_max = lab_input_below(input, BLOCKS + 2);
    now.soft = lab_input_below(input, 1500);
    return (th_quota_config){.bytes_max = now.bytes_max,
                             .blocks_max = now.blocks_max,
                             .bytes_soft = now.soft,
                             .low_memory = give_up,
                             .on_event = hear};
}

void lab_play_quota(lab_input *input) {
    lab_source source;
    unsigned faults;
    th_quota quota;
    th_quota_config config = start(input, "quota");
    config.backing = lab_source_start(&source);
    config.guarding = lab_count_faults(&faults);
    (void)th_quota_init(&quota, &config);
    now.allocator = th_quota_allocator(&quota);
    while (input->left > 0) {
        if (*input->bytes == 0x7F) {
            (void)lab_input_byte(input);
            now.bytes_max = lab_input_below(input, 1500);
            require(th_quota_set_limits(&quota, now.bytes_max, now.blocks_max) == TH_OK, "limits");
        } else {
            play(input, &source);
        }
        expect_figures(th_quota_get_stats(&quota));
        require(th_quota_check(&quota, NULL) == TH_OK, "check");
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (now.blocks[i].at != NULL) {
            release(i);
        }
    }
    expect_figures(th_quota_get_stats(&quota));
    th_quota_clean_up(&quota);
    require(faults == 0, "faults");
    lab_source_stop(&source, "quota");
}

void lab_play_policy(lab_input *input) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[1024];
    lab_source source;
    unsigned faults;
    th_bump bump;
    th_policy policy;
    unsigned parts = lab_input_byte(input);
    const th_quota_config quota = start(input, "policy");
    th_policy_config config = {.quota = &quota, .guarding = lab_count_faults(&faults)};
    th_allocator backing = lab_source_start(&source);
    (void)th_bump_init(&bump, memory, sizeof memory, NULL);
    config.base = parts & 1 ? backing : th_bump_allocator(&bump);
    config.fallback = parts & 1 ? (th_allocator){0} : backing;
    config.reserve_bytes = parts & 2 ? 1 + parts : 0;
    require(th_policy_init(&policy, &config) == TH_OK, "init");
    now.allocator = th_policy_allocator(&policy);
    while (input->left > 0) {
        bool refill = *input->bytes % 16 == 3;
        th_reserve *reserve = th_policy_get_reserve(&policy);
        uint64_t openings = th_reserve_get_stats(reserve).openings;
        play(input, &source);
        bool helps = now.request <= config.reserve_bytes;
        require(helps || th_reserve_get_stats(reserve).openings == openings, "opened-in-vain");
        require(!helps || !now.failed || th_reserve_get_stats(reserve).held_bytes == 0,
                "not-opened");
        if (refill && reserve != NULL) {
            source.left = LAB_SOURCE_ANY;
            require(th_reserve_refill(reserve) == TH_OK, "refill");
        }
        require(reserve == NULL ||
                    (th_reserve_get_stats(reserve).held_bytes > 0) == (reserve->block != NULL),
                "held");
        expect_figures(th_quota_get_stats(th_policy_get_quota(&policy)));
        require(th_policy_get_stats(&policy).used_bytes == now.used, "stats");
        require(th_policy_check(&policy, NULL) == TH_OK, "check");
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (now.blocks[i].at != NULL) {
            release(i);
        }
    }
    th_policy_clean_up(&policy);
    th_bump_clean_up(&bump);
    require(faults == 0, "faults");
    lab_source_stop(&source, "policy");
}
