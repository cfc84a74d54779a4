/* SPDX-License-Identifier: MIT */
/* Pools: in the caller's memory, over a growing backing, over an arena, and static ones. The
 * variant says where links are (bit 0), what the objects are like (bits 2, 3), and (bit 1) whether
 * they are iterable, and a pool that grows is trimmed after each free. With links beside, objects
 * are constructed once, and must come back as they were freed. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "subjects/allocator.h"
#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/pool.h"

LAB_CALLS_OF_ALL(pool, live);
LAB_CALLS_CLEAN_UP(pool);
LAB_CALLS_OF_OBJECTS(pool);
LAB_CALLS_FREE(pool);

const lab_allocator lab_allocator_pool = {LAB_ALLOCATOR_OF_ALL, .free = call_free};

enum { BESIDE = 1, BUSY = 2, SHAPES = 4 };

/* What a chunk costs at most beside its objects and their links, even if it is for one of them. */
enum { CHUNK_BYTES = 256 };

typedef struct state {
    th_pool pool;
    lab_setup setup;
    lab_ground ground;
    void *memory; /* the first chunk; NULL: none */
    bool grows;
    th_allocator_table table;
} state;

static_assert(offsetof(state, pool) == 0, "the pool's functions take a state");

static void complain(const state *s, th_fault_kind kind, size_t expected, size_t found) {
    const th_fault fault = {.kind = kind, .expected = (uint32_t)expected, .found = (uint32_t)found};
    s->setup.on_fault(s->setup.fault_context, &fault);
}

/* ---- objects that stay constructed --------------------------------------------------------- */

/* The sum of an object that is freed stands in its last bytes. */
#define SUM_BYTES sizeof(uint32_t)

static uint32_t sum_of(const state *s, const unsigned char *object) {
    uint32_t sum = 1;
    for (size_t i = 0; i < s->pool.config.object_bytes - SUM_BYTES; i++) {
        sum = sum * 31 + object[i];
    }
    return sum;
}

static unsigned char *sum_place(const state *s, unsigned char *object) {
    return object + s->pool.config.object_bytes - SUM_BYTES;
}

static void *take(state *s) {
    bool fresh;
    unsigned char *object = th_pool_take(&s->pool, &fresh);
    if (object == NULL) {
        return NULL;
    }
    uint32_t due = sum_of(s, fresh ? memset(object, 'c', s->pool.config.object_bytes) : object);
    uint32_t sum = due;
    if (!fresh) {
        memcpy(&sum, sum_place(s, object), SUM_BYTES);
    }
    if (sum != due) {
        complain(s, TH_FAULT_POISON, due, sum);
    }
    return object;
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    state *s = self;
    if (bytes > s->pool.config.object_bytes || alignment > s->pool.alignment) {
        return NULL;
    }
    return take(s);
}

static void free_object(void *self, void *pointer) {
    state *s = self;
    if ((s->setup.variant & BESIDE) != 0 &&
        th_allocator_usable_size(th_pool_allocator(&s->pool), pointer) > 0) {
        uint32_t sum = sum_of(s, pointer);
        memcpy(sum_place(s, pointer), &sum, SUM_BYTES);
    }
    th_pool_free(&s->pool, pointer);
    if (s->grows && (s->setup.variant & BUSY) != 0) {
        (void)th_pool_trim(&s->pool, s->setup.variant);
    }
}

/* ---- the check ---------------------------------------------------------------------------- */

/* Iteration meets each live object once. */
static bool iterates(const state *s) {
    size_t count = 0;
    for (void *object = th_pool_next(&s->pool, NULL); object != NULL && count <= s->pool.capacity;
         object = th_pool_next(&s->pool, object)) {
        count += th_pool_owns(&s->pool, object);
    }
    return count == th_pool_get_stats(&s->pool).live;
}

static th_status check(const void *self, th_fault *fault) {
    const state *s = self;
    th_status status = th_pool_check(&s->pool, fault);
    if (status == TH_OK && s->pool.config.iterable && !iterates(s)) {
        *fault = (th_fault){.kind = TH_FAULT_COUNT};
        status = TH_ERR_CORRUPT;
    }
    return status == TH_OK ? lab_ground_check(&s->ground, fault) : status;
}

static void measure(const void *self, lab_figures *figures) {
    th_pool_stats stats = th_pool_get_stats(self);
    *figures =
        (lab_figures){.exact = LAB_FIGURE_LIVE | LAB_FIGURE_PEAK | LAB_FIGURE_REFUSED_FITTING,
                      .live = stats.live,
                      .used = stats.live,
                      .peak = stats.live_max,
                      .refused = stats.failed_allocs};
}

/* ---- making and ending -------------------------------------------------------------------- */

static void destroy(void *self) {
    state *s = self;
    lab_allocator_pool.clean_up(&s->pool);
    th_allocator_free(s->setup.backing, s->memory);
    lab_ground_end(&s->ground);
    free(s);
}

static bool start(state *s, lab_ground_kind kind) {
    static const struct {
        size_t object_bytes, alignment, grow_objects;
    } shapes[SHAPES] = {{64, 16, 3}, {200, 64, 2}, {24, 0, 1}, {5, 4, 40}};
    const lab_setup *setup = &s->setup;
    unsigned shape = setup->variant / SHAPES % SHAPES;
    th_pool_config config = {.object_bytes = shapes[shape].object_bytes,
                             .alignment = shapes[shape].alignment,
                             .links_beside = (setup->variant & BESIDE) != 0,
                             .iterable = (setup->variant & BUSY) != 0,
                             .guarding = lab_ground_guarding(setup)};
    if (!lab_ground_start(&s->ground, kind, setup)) {
        return false;
    }
    if (s->grows) {
        config.backing = s->ground.allocator;
        config.grow_objects = shapes[shape].grow_objects;
        config.grow_doubling = (setup->variant & BESIDE) != 0;
    }
    config.memory_bytes = s->grows ? setup->bytes / 4 : setup->bytes;
    if (!s->grows || shape == 0) {
        s->memory = th_allocator_alloc_aligned(setup->backing, config.memory_bytes, 64);
        config.memory = s->memory;
    }
    return th_pool_init(&s->pool, &config) == TH_OK;
}

static bool create(const lab_setup *setup, lab_instance *instance, lab_ground_kind kind,
                   bool grows) {
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->setup = *setup;
    s->grows = grows;
    if (!start(s, kind)) {
        destroy(s);
        return false;
    }
    th_pool_stats stats = th_pool_get_stats(&s->pool);
    s->table = *lab_allocator_pool.interface(&s->pool).table;
    s->table.free = free_object;
    s->table.check = check;
    if (s->pool.config.links_beside) {
        s->table.alloc = alloc;
    }
    bool is_trimmed = grows && (setup->variant & BUSY) != 0;
    if (s->pool.config.links_beside || (is_trimmed && kind == LAB_GROUND_ARENA)) {
        instance->flags_missing = LAB_SUBJECT_POISON; /* contents are kept; arenas forget chunks */
    }
    instance->state = s;
    instance->allocator = (th_allocator){.table = &s->table, .self = s};
    instance->bytes_max = stats.object_bytes;
    instance->alignment_max = s->pool.alignment;
    instance->blocks_guaranteed = grows ? 0 : (size_t)stats.capacity;
    instance->object_bytes = stats.object_bytes;
    instance->keeps_least = stats.object_bytes;
    instance->object_stride = stats.stride_bytes;
    if (grows && kind == LAB_GROUND_BACKING) {
        size_t chunk = s->pool.config.grow_objects * stats.stride_bytes + CHUNK_BYTES;
        instance->holds = setup->bytes > chunk ? setup->bytes - chunk : 0;
        instance->holds_extra = stats.stride_bytes + CHUNK_BYTES;
    }
    return true;
}

static bool create_fixed(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BACKING, false);
}

static bool create_growing(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_BACKING, true);
}

static bool create_over_arena(const lab_setup *setup, lab_instance *instance) {
    return create(setup, instance, LAB_GROUND_ARENA, true);
}

#define FLAGS                                                                                      \
    (LAB_SUBJECT_FREES | LAB_SUBJECT_TRACKED | LAB_SUBJECT_POINTERS | LAB_SUBJECT_CANARIES |       \
     LAB_SUBJECT_POISON)

const lab_subject lab_subject_pool = {
    .version = LAB_SUBJECT_VERSION,
    .name = "pool",
    .purpose = "the pool in the caller's memory, links inside or beside by variant",
    .flags = FLAGS,
    .create = create_fixed,
    .destroy = destroy,
    .measure = measure,
};

const lab_subject lab_subject_pool_grows = {
    .version = LAB_SUBJECT_VERSION,
    .name = "pool-grows",
    .purpose = "the pool that takes chunks from a backing, trimmed by variant",
    .flags = FLAGS | LAB_SUBJECT_GROWS,
    .create = create_growing,
    .destroy = destroy,
    .measure = measure,
};

const lab_subject lab_subject_pool_arena = {
    .version = LAB_SUBJECT_VERSION,
    .name = "pool-arena",
    .purpose = "the growing pool over an arena",
    .flags = FLAGS | LAB_SUBJECT_GROWS,
    .create = create_over_arena,
    .destroy = destroy,
    .measure = measure,
};

/* ---- static pools ------------------------------------------------------------------------- */

/* One for each guard level. They are one of their kind: while one is used, no other is made. */
struct thing {
    char bytes[40];
};

static struct {
    th_pool *pool; /* in use; NULL: none */
    th_pool image; /* as it was at first */
    lab_setup setup;
} only;

static void on_static_fault(void *context, const th_fault *fault) {
    (void)context;
    only.setup.on_fault(only.setup.fault_context, fault);
}

TH_POOL_STATIC_GUARDED(things_0, struct thing, 50, 0, on_static_fault);
TH_POOL_STATIC_GUARDED(things_1, struct thing, 33, 1, on_static_fault);
TH_POOL_STATIC_GUARDED(things_2, struct thing, 1, 2, on_static_fault);
TH_POOL_STATIC_GUARDED(things_3, struct thing, 64, 3, on_static_fault);

/* The compiler started it: so it is started again. */
static void destroy_static(void *self) {
    th_pool *pool = self;
    lab_allocator_pool.clean_up(pool);
    *pool = only.image;
    only.pool = NULL;
}

static bool create_static(const lab_setup *setup, lab_instance *instance) {
    static th_pool *const pools[] = {&things_0, &things_1, &things_2, &things_3};
    if (only.pool != NULL) {
        return false;
    }
    only.pool = pools[setup->guard];
    only.image = *only.pool;
    only.setup = *setup;
    th_pool_stats stats = th_pool_get_stats(only.pool);
    instance->state = only.pool;
    instance->allocator = lab_allocator_pool.interface(only.pool);
    instance->bytes_max = sizeof(struct thing);
    instance->alignment_max = _Alignof(void *);
    instance->blocks_guaranteed = (size_t)stats.capacity;
    instance->object_bytes = sizeof(struct thing);
    instance->keeps_least = sizeof(struct thing);
    instance->object_stride = stats.stride_bytes;
    instance->memory = only.pool->first.objects;
    instance->memory_bytes = (size_t)stats.capacity * stats.stride_bytes;
    return true;
}

const lab_subject lab_subject_pool_static = {
    .version = LAB_SUBJECT_VERSION,
    .name = "pool-static",
    .purpose = "pools in static storage, another one for each guard level",
    .flags = FLAGS | LAB_SUBJECT_OWN_MEMORY | LAB_SUBJECT_REFUSES,
    .create = create_static,
    .destroy = destroy_static,
    .measure = measure,
};
