/* SPDX-License-Identifier: MIT */
/* Buffer pools and resource pools, beside arrays of what is out. */
#include "resources/play.h"
#include "tagheap/buffer_pool.h"
#include "tagheap/resource_pool.h"

#include <string.h>

/* ---- buffer pools --------------------------------------------------------------------------- */

#define OUT_MAX 8u

static void require_buffers(bool holds, const char *detail) {
    lab_require(holds, "buffer_pool", detail);
}

void lab_play_buffer_pool(lab_input *input) {
    lab_source source;
    unsigned faults, expected = 0;
    th_buffer_pool pool;
    th_buffer *out[OUT_MAX] = {NULL};
    size_t sizes[OUT_MAX] = {0};
    size_t out_max = 1 + lab_input_below(input, OUT_MAX);
    th_buffer_pool_config config = {
        .out_max = out_max, .kept_max = 1 + lab_input_below(input, 6), .kept_bytes_max = 3000};
    config.buffers.backing = lab_source_start(&source);
    config.buffers.bytes_max = 1000;
    config.guarding = lab_count_faults(&faults);
    (void)th_buffer_pool_init(&pool, &config);
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t i = lab_input_below(input, OUT_MAX);
        size_t bytes = lab_input_below(input, 1100);
        size_t count = 0;
        source.left = op >= 240 ? op % 2 : LAB_SOURCE_ANY;
        for (size_t k = 0; k < OUT_MAX; k++) {
            count += out[k] != NULL;
        }
        size_t refusals = source.refusals;
        if (op % 4 < 2 && out[i] == NULL) {
            th_buffer *buffer = th_buffer_pool_take(&pool, bytes);
            bool may = count < out_max && bytes <= 1000;
            require_buffers(buffer == NULL || may, "limit-too-late");
            require_buffers(buffer != NULL || !may || source.refusals > refusals, "refused");
            for (size_t k = 0; buffer != NULL && k < OUT_MAX; k++) {
                require_buffers(out[k] != buffer, "lent-twice");
            }
            if (buffer != NULL) {
                require_buffers(th_buffer_size(buffer) == 0, "not-empty");
                require_buffers(th_buffer_get_stats(buffer).capacity_bytes >= bytes, "too-small");
                require_buffers(th_buffer_resize(buffer, bytes) == TH_OK, "promise");
                if (bytes > 0) {
                    memset(th_buffer_data(buffer), (int)i + 1, bytes);
                }
                out[i] = buffer;
                sizes[i] = bytes;
            }
        } else if (op % 4 < 3 && out[i] != NULL) {
            for (size_t k = 0; k < sizes[i]; k++) {
                const unsigned char *data = th_buffer_data(out[i]);
                require_buffers(data[k] == i + 1, "contents");
            }
            require_buffers(th_buffer_pool_give_back(&pool, out[i]) == TH_OK, "give-back");
            out[i] = NULL;
        } else if (op % 4 == 3) {
            (void)th_buffer_pool_trim(&pool, bytes % 8);
            require_buffers(th_buffer_pool_get_stats(&pool).kept <= bytes % 8, "trim");
        }
        th_buffer_pool_stats stats = th_buffer_pool_get_stats(&pool);
        size_t out_bytes = 0;
        count = 0;
        for (size_t k = 0; k < OUT_MAX; k++) {
            count += out[k] != NULL;
            out_bytes += th_buffer_get_stats(out[k]).capacity_bytes;
        }
        require_buffers(stats.out == count, "count");
        require_buffers(stats.kept <= config.kept_max && stats.kept_bytes <= 3000, "kept-too-much");
        size_t records = source.live_bytes - out_bytes - stats.kept_bytes;
        require_buffers(records % (count + stats.kept + (records == 0)) == 0, "bytes");
        require_buffers(th_buffer_pool_check(&pool, NULL) == TH_OK, "check");
    }
    require_buffers(faults == expected, "faults");
    th_buffer_pool_clean_up(&pool);
    lab_source_stop(&source, "buffer_pool");
}

/* ---- resource pools ------------------------------------------------------------------------- */

#define RESOURCES 256u

static bool lives[RESOURCES];
static bool is_broken[RESOURCES];
static size_t made, live;
static bool refuses;

static void require_pool(bool holds, const char *detail) {
    lab_require(holds, "resource_pool", detail);
}

static th_status create(void *context, uintptr_t *resource) {
    (void)context;
    if (refuses) {
        return TH_ERR_UNSUPPORTED;
    }
    *resource = made++ % RESOURCES;
    require_pool(!lives[*resource], "too-many");
    lives[*resource] = true;
    is_broken[*resource] = false;
    live++;
    return TH_OK;
}

static void destroy(void *context, uintptr_t resource) {
    (void)context;
    require_pool(resource < RESOURCES && lives[resource], "destroyed-twice");
    lives[resource] = false;
    live--;
}

static bool works(void *context, uintptr_t resource) {
    (void)context;
    require_pool(lives[resource], "used-after-its-end");
    return !is_broken[resource];
}

typedef struct leases {
    th_lease of[OUT_MAX];
    size_t count;
} leases;

static void take(th_resource_pool *pool, leases *out, size_t max) {
    th_lease lease;
    th_status status = th_resource_pool_take(pool, &lease);
    require_pool(status != TH_ERR_EXHAUSTED || out->count == max, "refused");
    require_pool(status != TH_ERR_UNSUPPORTED || refuses, "failed");
    if (status == TH_OK) {
        require_pool(lives[lease.resource] && !is_broken[lease.resource], "does-not-work");
        for (size_t k = 0; k < out->count; k++) {
            require_pool(out->of[k].resource != lease.resource, "lent-twice");
        }
        require_pool(out->count < max, "limit-too-late");
        out->of[out->count++] = lease;
    }
}

void lab_play_resource_pool(lab_input *input) {
    lab_source source;
    unsigned faults, expected = 0;
    th_resource_pool pool;
    leases out = {.count = 0};
    size_t max = 1 + lab_input_below(input, OUT_MAX);
    const th_resource_pool_config config = {.create = create,
                                            .destroy = destroy,
                                            .validate = works,
                                            .backing = lab_source_start(&source),
                                            .resources_max = max,
                                            .idle_max = lab_input_below(input, OUT_MAX),
                                            .guarding = lab_count_faults(&faults)};
    th_lease stale = {0};
    size_t idle_max = config.idle_max != 0 ? config.idle_max : max;
    memset(lives, 0, sizeof lives);
    made = live = 0;
    refuses = false;
    (void)th_resource_pool_init(&pool, &config);
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t i = lab_input_below(input, RESOURCES);
        size_t place = i % (out.count + (out.count == 0));
        th_resource_pool_stats before = th_resource_pool_get_stats(&pool);
        refuses = op >= 240;
        if (op % 8 < 3) {
            take(&pool, &out, max);
        } else if (op % 8 < 5 && out.count > 0) {
            th_lease lease = out.of[place];
            out.of[place] = out.of[--out.count];
            th_status status = op % 8 == 3 ? th_resource_pool_give_back(&pool, lease)
                                           : th_resource_pool_discard(&pool, lease);
            require_pool(status == TH_OK, "give-back");
            bool is_kept = op % 8 == 3 && before.idle < idle_max;
            require_pool(lives[lease.resource] == is_kept, "kept-or-ended");
            stale = lease;
        } else if (op % 8 == 5) {
            is_broken[i] = true;
        } else if (op % 8 == 6) {
            size_t kept = i % 8;
            size_t due = before.idle > kept ? (size_t)before.idle - kept : 0;
            require_pool(th_resource_pool_trim(&pool, kept) == due, "trim");
        } else if (op % 16 == 7) {
            (void)th_resource_pool_validate(&pool);
        } else if (op % 16 == 15) {
            th_status status = th_resource_pool_reserve(&pool, i % 8);
            bool is_possible = i % 8 + out.count <= max && !refuses;
            require_pool(status == TH_OK || !is_possible, "reserve");
        }
        require_pool(th_resource_pool_give_back(&pool, stale) == TH_ERR_CORRUPT, "stale");
        expected++;
        th_resource_pool_stats stats = th_resource_pool_get_stats(&pool);
        require_pool(stats.out == out.count && stats.out + stats.idle == live, "count");
        require_pool(stats.created - stats.destroyed == live && live <= max, "live");
        require_pool(stats.peak >= live, "peak");
        require_pool(th_resource_pool_check(&pool, NULL) == TH_OK, "check");
    }
    require_pool(faults == expected || th_guard_max() == 0, "faults");
    th_resource_pool_clean_up(&pool);
    require_pool(live == 0, "not-ended");
    lab_source_stop(&source, "resource_pool");
}
