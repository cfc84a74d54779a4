/* SPDX-License-Identifier: MIT */
/* What a slab allocator is started with: the sizes of objects and slabs, where objects lie, and
 * whether there is a quick way. */
#include "alloc/slab.h"
#include "base/compiler.h"
#include "tagheap/pages.h"

#define COLOUR_BYTES       64u /* a cache line */
#define OBJECTS_BY_DEFAULT 8u

th_slab_layout th_slab_lay_out(size_t slab_bytes, size_t stride, size_t alignment) {
    size_t fixed = sizeof(th_slab_head) + 2 * TH_CELL_WALL_BYTES;
    size_t count = slab_bytes > fixed ? (slab_bytes - fixed) / (stride + 1) : 0;
    for (; count > 0; count--) {
        size_t first =
            th_size_round_up(sizeof(th_slab_head) + count + TH_CELL_WALL_BYTES, alignment);
        if (first + count * stride + TH_CELL_WALL_BYTES <= slab_bytes) {
            return (th_slab_layout){(uint32_t)first, (uint32_t)count};
        }
    }
    return (th_slab_layout){0, 0};
}

/* slab_bytes: 0 if no slab may be so large. */
static size_t default_bytes(const th_slab_config *config, size_t stride, size_t alignment) {
    size_t bytes = TH_SLAB_BYTES_BACKING;
    if (config->backing.table == NULL) {
        bytes = th_pages_round(TH_SLAB_BYTES_PAGES); /* a page may be larger */
    }
    while (bytes <= TH_SLAB_BYTES_MAX &&
           th_slab_lay_out(bytes, stride, alignment).capacity < OBJECTS_BY_DEFAULT) {
        bytes *= 2;
    }
    return bytes <= TH_SLAB_BYTES_MAX ? bytes : 0;
}

static th_status set_sizes(th_slab *slab) {
    const th_slab_config *config = &slab->config;
    if (!th_guarding_is_valid(&config->guarding) || !th_backing_is_usable(&config->backing)) {
        return TH_ERR_CONFIG;
    }
    th_status status = th_cell_lay_out(config->object_bytes, config->alignment, sizeof(void *),
                                       TH_SLAB_BYTES_MAX, &slab->alignment, &slab->stride);
    if (status != TH_OK) {
        return status;
    }
    slab->slab_bytes = config->slab_bytes;
    if (slab->slab_bytes == 0) {
        slab->slab_bytes = default_bytes(config, slab->stride, slab->alignment);
    } else if (!th_is_power_of_two(slab->slab_bytes) ||
               (config->backing.table == NULL && slab->slab_bytes < th_pages_size())) {
        return TH_ERR_CONFIG;
    }
    return slab->slab_bytes - 1 < TH_SLAB_BYTES_MAX ? TH_OK : TH_ERR_TOO_LARGE;
}

/* How far the objects may begin later than they could, in whole lines; less than an object. */
static void set_colours(th_slab *slab) {
    size_t end = slab->first + slab->capacity * slab->stride + TH_CELL_WALL_BYTES;
    size_t unused = slab->slab_bytes - end;
    size_t step = slab->alignment > COLOUR_BYTES ? slab->alignment : COLOUR_BYTES;
    unused = unused < slab->stride ? unused : slab->stride - 1;
    slab->colour_step = (uint32_t)step;
    slab->colours = slab->config.coloured ? (uint32_t)(unused / step) + 1 : 1;
}

static void set_quick_way(th_slab *slab) {
    size_t slack = slab->stride - slab->config.object_bytes;
    bool is_quick = !th_guarding_watches(th_guarding_level(&slab->config.guarding)) &&
                    slack <= TH_SLAB_SLACK_MAX;
    slab->reciprocal = (uint32_t)((((uint64_t)1 << 32) + slab->stride - 1) / slab->stride);
    slab->whole_state = (uint32_t)(1 + slack);
    slab->quick_bits = is_quick ? slab->slab_bytes - 1 : 0;
}

th_status th_slab_init_shared(th_slab *slab, const th_slab_config *config, th_range **ranges) {
    th_slab started = {.config = *config};
    th_status status = set_sizes(&started);
    if (status != TH_OK) {
        return status;
    }
    th_slab_layout layout = th_slab_lay_out(started.slab_bytes, started.stride, started.alignment);
    if (layout.capacity == 0) {
        return TH_ERR_TOO_SMALL;
    }
    started.capacity = layout.capacity;
    started.first = layout.first;
    set_colours(&started);
    set_quick_way(&started);
    started.empty_slabs_max = config->empty_slabs_max == 0 ? 1 : config->empty_slabs_max;
    if (config->empty_slabs_max == TH_SLAB_KEEP_NONE) {
        started.empty_slabs_max = 0;
    }
    *slab = started;
    slab->ranges = ranges;
    return TH_OK;
}

th_status th_slab_init(th_slab *slab, const th_slab_config *config) {
    if (slab == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    return th_slab_init_shared(slab, config, &slab->own_ranges);
}
