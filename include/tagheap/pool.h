/* SPDX-License-Identifier: MIT */
/* Pool: objects of one size. An object is allocated and freed in a few instructions, whatever
 * happened before; there is no fragmentation, and over the caller's memory nothing else is ever
 * needed.
 *
 *   [object 0][object 1] ... [object n-1][wall][live map][links, if beside]
 *
 * An allocation takes the object freed last, or, if none is free, the lowest one that was never
 * used. Free objects are linked: inside themselves (their first word), or beside, in a table of
 * one pointer an object. Links beside leave a freed object as it is: for objects that stay
 * constructed between two uses (th_pool_take says whether one is), or smaller than a pointer.
 * Memory lies in chunks: one of the caller's, or from a backing allocator, or first the one and
 * then the others (grow_objects, th_pool_reserve).
 *
 * Sizes are bytes. Objects lie `stride` bytes apart: object_bytes, at least a pointer's size with
 * links inside, rounded up to the alignment.
 * Ownership: the caller owns the th_pool, the memory and the backing, which must outlive it; the
 * pool owns the chunks that it takes from the backing until th_pool_trim or th_pool_clean_up. An
 * object is the caller's from the call that returns it until it is freed, or all are. A th_pool
 * must not be copied or moved once it is initialised.
 * Thread rule: one pool, one thread at a time.
 * Complexity: th_pool_init O(1), it touches no byte of the memory; th_pool_alloc O(1), but for what
 * the backing costs, and O(log chunks), when a chunk is added; th_pool_free O(1), but O(log chunks)
 * if links are beside, or objects iterable, or from guard level 1 on. At level 2 both cost
 * O(object_bytes) more, at level 3 O(all objects used).
 * Guards. Level 1: the map of live objects, with which a pointer that comes back is verified, and
 * the links; the canary between object_bytes and the stride, verified when the object is freed.
 * Level 2: poison in free objects after their link (none if links are beside: those objects
 * keep their contents), verified before the object is used again. In a th_fault, `block` is the
 * index of the object in its chunk, `offset` in bytes from the chunk's first object; `found` of a
 * foreign pointer, or a link that leads nowhere, its low 32 bits.
 * Source: B. Kenwright, "Fast Efficient Fixed-Size Memory Pool", 2012, for the lazy start. */
#ifndef TAGHEAP_POOL_H
#define TAGHEAP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/compiler.h"
#include "tagheap/guarding.h"
#include "tagheap/range.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* object_bytes, and memory or a backing, are needed; all else may be zero. */
typedef struct th_pool_config {
    size_t object_bytes;
    size_t alignment; /* of each object, any power of two; 0: the largest that divides
                         object_bytes, at most 16. With links inside, at least a pointer's. */
    void *memory;     /* the first chunk, never given back; NULL: none. At a multiple of the
                         alignment and of a pointer's size. */
    size_t memory_bytes;
    th_allocator backing; /* of further chunks; zeroed: none */
    size_t grow_objects;  /* objects in a chunk that is added when all are in use; 0: none is */
    bool grow_doubling;   /* as many as there are already, if that is more and there is
                             the memory */
    bool links_beside;
    bool iterable;      /* keep the map of live objects at guard level 0, too, for th_pool_next */
    size_t objects_max; /* the pool never has more; 0: no limit but 2^32 - 2 */
    th_guarding guarding;
} th_pool_config;

/* A chunk. Its fields are the library's own. */
typedef struct th_pool_chunk {
    th_range range;             /* of its objects */
    struct th_pool_chunk *next; /* the one that was added after it */
    unsigned char *objects;
    size_t capacity;
    size_t used;    /* objects handed out at least once; that of the current chunk is `fresh` */
    uint32_t *live; /* one bit for each object below used, if there is a map */
    void **links;   /* beside; NULL: inside */
    void *block;    /* the backing's; NULL: the caller's memory */
    size_t free;    /* objects in the free list, counted when it is needed */
} th_pool_chunk;

/* The control structure. Its fields are the library's own. Zeroed: a pool without objects. */
typedef struct th_pool {
    void *free_list;          /* the object freed last */
    unsigned char *fresh;     /* the lowest object of the current chunk never used */
    unsigned char *fresh_end; /* the end of that chunk's objects */
    size_t stride;
    size_t live;
    bool quick;             /* an operation has nothing to do but to link objects */
    th_pool_chunk *current; /* those before it are used up, those after it untouched */
    th_pool_chunk *chunks;  /* in the order in which they were added */
    th_range *ranges;
    size_t alignment;
    size_t capacity;
    size_t live_max;
    uint64_t failed_allocs;
    th_pool_chunk first; /* of the caller's memory */
    th_pool_config config;
} th_pool;

typedef struct th_pool_stats {
    uint64_t live;          /* objects */
    uint64_t live_max;      /* most at once */
    uint64_t capacity;      /* objects that there is memory for now */
    uint64_t chunks;        /* of them */
    size_t object_bytes;    /* as configured */
    size_t stride_bytes;    /* from one object to the next */
    uint64_t failed_allocs; /* that returned NULL for want of an object */
} th_pool_stats;

/* The memory that `count` objects need, in bytes: th_pool_init over as much has room for exactly
 * that many. 0 if the config is NULL or would be refused for its object_bytes or alignment, or the
 * count is 0 or above 2^32 - 2, or the result would exceed PTRDIFF_MAX. O(1). */
size_t th_pool_bytes(const th_pool_config *config, size_t count);

/* Starts a pool. *config is copied. Fails, leaving *pool untouched, iff
 *   pool or config is NULL (TH_ERR_NULL); object_bytes is 0, or the guard level is not 0 to 3, or
 *   there is neither memory nor a backing, or grow_objects without a backing, or the backing cannot
 *   allocate or free (TH_ERR_CONFIG);
 *   the alignment is neither 0 nor a power of two (TH_ERR_ALIGNMENT); an object cannot be
 *   addressed, or memory_bytes exceeds PTRDIFF_MAX (TH_ERR_TOO_LARGE); memory is given and is not
 * aligned (TH_ERR_MISALIGNED), or has no room for one object (TH_ERR_TOO_SMALL). A pool may be
 * initialised again only after th_pool_clean_up. O(1). */
th_status th_pool_init(th_pool *pool, const th_pool_config *config);

/* Ends the pool: chunks go back to the backing, the caller's memory is ordinary again, *pool is
 * zeroed. Every object is dead. NULL is allowed. O(chunks). */
void th_pool_clean_up(th_pool *pool);

/* An object, contents indeterminate. NULL iff all objects are in use and the pool cannot grow (it
 * is not to, objects_max is reached, or the backing has no memory), or damage was met and
 * reported. */
void *th_pool_alloc(th_pool *pool);

/* The same. If links are beside, an object that was freed before has the contents that it had
 * then, and *fresh is false; else its contents are indeterminate, and *fresh is true. fresh may be
 * NULL. */
void *th_pool_take(th_pool *pool, bool *fresh);

/* Frees an object. NULL is allowed, and does nothing. */
void th_pool_free(th_pool *pool, void *object);

/* Frees all objects; the memory stays. They are then handed out lowest first, as in a new pool.
 * TH_ERR_NULL for NULL and a zeroed pool, from guard level 1 on TH_ERR_CORRUPT, with nothing done,
 * after a fault; else TH_OK. O(chunks); from guard level 1 on what th_pool_check costs. */
th_status th_pool_reset(th_pool *pool);

/* Makes sure that the pool has `count` objects in all, live ones included, in one chunk more from
 * the backing: TH_OK, or with nothing changed TH_ERR_EXHAUSTED (the backing has no memory, or there
 * is none), TH_ERR_TOO_LARGE (beyond objects_max, or the chunk cannot be addressed) or TH_ERR_NULL
 * (for NULL and a zeroed pool). */
th_status th_pool_reserve(th_pool *pool, size_t count);

/* Gives chunks without live objects back to the backing, as long as the pool keeps `keep` objects.
 * Returns how many objects went; 0 also, from guard level 1 on, if damage was met and reported.
 * O(chunks + free objects * log chunks), plus, from level 1 on, what th_pool_check costs. */
size_t th_pool_trim(th_pool *pool, size_t keep);

/* The live object after `object` (the first one, for NULL); NULL if there is no further one.
 * `object` itself may have been freed since it was returned (if its chunk is gone, NULL). In the
 * order of the chunks, and in each of addresses; objects that are allocated meanwhile may be met or
 * not. Always NULL unless the config says iterable. O(log chunks), and the chunks between and dead
 * objects between / 32. */
void *th_pool_next(const th_pool *pool, const void *object);

/* Is this address in memory of a live object (where no map of live objects is kept: of an object
 * that has been used)? Any address may be asked about. O(log chunks). */
bool th_pool_owns(const th_pool *pool, const void *address);

/* O(chunks). */
th_pool_stats th_pool_get_stats(const th_pool *pool);

/* Proves the pool: chunks, free list, map, counts, canaries and poison, as far as its level keeps
 * them. Raises no fault: TH_OK, or TH_ERR_CORRUPT with the first thing wrong in *fault, which may
 * be NULL. O(objects used * log chunks). TH_ERR_NULL for NULL and a zeroed pool. */
th_status th_pool_check(const th_pool *pool, th_fault *fault);

/* The pool as an allocator: of blocks up to object_bytes, at alignments up to the pool's (configure
 * 16 for th_allocator_alloc). Each is a whole object, and a resize up to object_bytes is done in
 * place. */
th_allocator th_pool_allocator(th_pool *pool);

/* ---- static pools ------------------------------------------------------------------------------
 *
 *   TH_POOL_STATIC(tasks, struct task, 10);
 *
 * at file scope makes `static th_pool tasks` of exactly 10 objects in static storage, ready for use
 * with no call, and
 *
 *   struct task *tasks_alloc(void);          NULL iff all 10 are in use
 *   void tasks_free(struct task *object);
 *
 * It is an error of compilation if the count is 0 or the memory cannot be addressed; how much it is
 * can be checked there, too:
 *
 *   _Static_assert(TH_POOL_STATIC_BYTES(struct task, 10) <= 4096, "the tasks' share of the RAM");
 *
 * TH_POOL_STATIC_GUARDED adds a guard level and a fault handler (NULL: th_fault_abort). C only. All
 * other calls of this header may be used on it; after th_pool_clean_up it has no memory any more.
 */

#define TH_POOL_MAX_(a, b)       ((a) > (b) ? (a) : (b))
#define TH_POOL_ROUND_UP_(a, b)  (((a) + (b)-1) / (b) * (b))
#define TH_POOL_WALL_BYTES_      ((size_t)16)
#define TH_POOL_ALIGNMENT_(type) TH_POOL_MAX_(_Alignof(type), _Alignof(void *))
#define TH_POOL_STRIDE_(type)                                                                      \
    TH_POOL_ROUND_UP_(TH_POOL_MAX_(sizeof(type), sizeof(void *)), TH_POOL_ALIGNMENT_(type))
#define TH_POOL_MAP_BYTES_(count) TH_POOL_ROUND_UP_(((size_t)(count) + 7) / 8, sizeof(void *))
#define TH_POOL_OBJECTS_BYTES_(type, count)                                                        \
    ((size_t)(count)*TH_POOL_STRIDE_(type) + TH_POOL_WALL_BYTES_)

/* The storage of a static pool, in bytes, its th_pool not included. */
#define TH_POOL_STATIC_BYTES(type, count)                                                          \
    (TH_POOL_OBJECTS_BYTES_(type, count) + TH_POOL_MAP_BYTES_(count))

#define TH_POOL_STATIC(name, type, count) TH_POOL_STATIC_GUARDED(name, type, count, 0, NULL)

#define TH_POOL_STATIC_GUARDED(name, type, count, guard_level, handler)                            \
    _Static_assert((count) > 0 && (count) < UINT32_MAX, #name ": from 1 to 2^32 - 2 objects");     \
    _Static_assert((count) <= (PTRDIFF_MAX - 4096) / TH_POOL_STRIDE_(type) / 2,                    \
                   #name ": more memory than can be addressed");                                   \
    static union {                                                                                 \
        _Alignas(                                                                                  \
            TH_POOL_ALIGNMENT_(type)) unsigned char bytes[TH_POOL_OBJECTS_BYTES_(type, count)];    \
    } name##_objects_;                                                                             \
    static uint32_t name##_map_[TH_POOL_MAP_BYTES_(count) / sizeof(uint32_t)];                     \
    static th_pool name = {                                                                        \
        .fresh = name##_objects_.bytes,                                                            \
        .fresh_end = name##_objects_.bytes + (size_t)(count)*TH_POOL_STRIDE_(type),                \
        .stride = TH_POOL_STRIDE_(type),                                                           \
        .current = &name.first,                                                                    \
        .chunks = &name.first,                                                                     \
        .ranges = &name.first.range,                                                               \
        .alignment = TH_POOL_ALIGNMENT_(type),                                                     \
        .capacity = (count),                                                                       \
        .first = {.range = {.start = name##_objects_.bytes,                                        \
                            .bytes = (size_t)(count)*TH_POOL_STRIDE_(type)},                       \
                  .objects = name##_objects_.bytes,                                                \
                  .capacity = (count),                                                             \
                  .live = name##_map_},                                                            \
        .config = {.object_bytes = sizeof(type),                                                   \
                   .alignment = _Alignof(type),                                                    \
                   .memory = name##_objects_.bytes,                                                \
                   .memory_bytes = sizeof name##_objects_,                                         \
                   .objects_max = (count),                                                         \
                   .guarding = {.level = (guard_level), .on_fault = (handler)}}};                  \
    TH_UNUSED static inline type *name##_alloc(void) {                                             \
        return (type *)th_pool_alloc(&name);                                                       \
    }                                                                                              \
    TH_UNUSED static inline void name##_free(type *object) {                                       \
        th_pool_free(&name, object);                                                               \
    }                                                                                              \
    _Static_assert((guard_level) >= 0 && (guard_level) <= 3, #name ": a guard level is 0 to 3")

#ifdef __cplusplus
}
#endif
#endif
