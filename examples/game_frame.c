/* SPDX-License-Identifier: MIT */
/* A game's two kinds of memory:
 *
 *   entities   live for as long as the game says: a pool, which never allocates after its start
 *              and walks over the live ones only
 *   a frame    what is computed anew each time: a double-buffered frame arena. The list that the
 *              last frame drew is still there while the next one is computed, so that positions
 *              can be blended between the two; a frame later its memory is used again.
 *
 * Nothing is freed one by one but entities. A frame that does not fit draws less, and says so. */
#include <inttypes.h>
#include <string.h>

#include "expect.h"
#include "tagheap/frame.h"
#include "tagheap/pool.h"

enum { ENTITIES_MAX = 256, FRAMES = 600, FRAME_BYTES = 1536, WORLD = 1000 };

typedef struct entity {
    unsigned id;
    int x, velocity;
    unsigned frames_left;
} entity;

/* What a frame draws of an entity. */
typedef struct sprite {
    unsigned id;
    int x;
} sprite;

typedef struct picture {
    const sprite *sprites;
    size_t count;
    size_t left_out; /* entities for which the frame had no room */
} picture;

static th_pool entities;

static unsigned ids, born, died, refused;
static size_t left_out;

/* NULL, as long as all ENTITIES_MAX live: a shot that is not fired, rather than a game that stops.
 */
static entity *spawn(unsigned frame) {
    entity *e = th_pool_alloc(&entities);
    if (e == NULL) {
        refused++;
        return NULL;
    }
    ids++;
    born++;
    *e = (entity){.id = ids,
                  .x = (int)(ids * 37 % WORLD),
                  .velocity = (int)(ids % 7) - 3,
                  .frames_left = 30 + ids * 11 % 90 + frame % 5};
    return e;
}

/* An entity may be freed while the walk stands on it. */
static size_t move_all(void) {
    size_t visited = 0;
    for (entity *e = th_pool_next(&entities, NULL); e != NULL; e = th_pool_next(&entities, e)) {
        visited++;
        e->x = (e->x + e->velocity + WORLD) % WORLD;
        if (--e->frames_left == 0) {
            th_pool_free(&entities, e);
            died++;
        }
    }
    return visited;
}

/* The sprites grow at the end of the frame's memory, one block for all. */
static picture draw(th_frame *frame) {
    picture p = {NULL, 0, 0};
    sprite *list = NULL;
    for (const entity *e = th_pool_next(&entities, NULL); e != NULL;
         e = th_pool_next(&entities, e)) {
        size_t bytes = (p.count + 1) * sizeof *list;
        bool room = list == NULL ? (list = th_frame_alloc(frame, bytes)) != NULL
                                 : th_frame_resize_in_place(frame, list, bytes);
        if (room) {
            list[p.count++] = (sprite){e->id, e->x};
        } else {
            p.left_out++;
        }
    }
    p.sprites = list;
    return p;
}

/* How far what both frames show has moved, in all: reads the last frame's list and this one's. */
static size_t compare(const picture *before, const picture *now) {
    size_t seen = 0;
    for (size_t i = 0; i < now->count; i++) {
        for (size_t j = 0; j < before->count; j++) {
            if (before->sprites[j].id == now->sprites[i].id) {
                int way = now->sprites[i].x - before->sprites[j].x;
                EXPECT((way >= -3 && way <= 3) || way >= WORLD - 3 || way <= 3 - WORLD);
                seen++;
            }
        }
    }
    return seen;
}

/* The map of live objects, which the walk needs, makes an object cost a bit more. */
static void start_entities(void) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[16 * 1024];
    th_pool_config config = {.object_bytes = sizeof(entity),
                             .memory = memory,
                             .objects_max = ENTITIES_MAX,
                             .iterable = true,
                             .guarding = {.level = th_guard_max()}};
    config.memory_bytes = th_pool_bytes(&config, ENTITIES_MAX);
    EXPECT(config.memory_bytes <= sizeof memory);
    EXPECT(th_pool_init(&entities, &config) == TH_OK);
}

static void step(th_frame *frame, unsigned number, picture *last) {
    EXPECT(th_frame_flip(frame) == TH_OK); /* the frame before the last one is dead from here on */
    size_t live = born - died;
    EXPECT(move_all() == live); /* the live ones, each once, and no others */
    for (unsigned i = 0; i < 4; i++) {
        (void)spawn(number);
    }
    char *caption = th_frame_alloc(frame, 32);
    EXPECT(caption != NULL);
    (void)snprintf(caption, 32, "frame %u", number);
    picture p = draw(frame);
    live = born - died;
    EXPECT(p.count + p.left_out == live);
    size_t seen = compare(last, &p);
    EXPECT(last->left_out > 0 || p.left_out > 0 || seen + 4 >= p.count);
    EXPECT(th_frame_owns(frame, last->sprites) || last->count == 0);
    left_out += p.left_out;
    *last = p;
}

int main(void) {
    TH_ALLOCATOR_ALIGNAS static unsigned char memory[2 * FRAME_BYTES];
    const th_frame_config config = {
        .memory = memory, .memory_bytes = sizeof memory, .guarding = {.level = th_guard_max()}};
    th_frame frame;
    EXPECT(th_frame_init(&frame, &config) == TH_OK);
    start_entities();
    picture last = {NULL, 0, 0};
    for (unsigned i = 0; i < FRAMES; i++) {
        step(&frame, i, &last);
    }
    th_frame_stats stats = th_frame_get_stats(&frame);
    th_pool_stats pool = th_pool_get_stats(&entities);
    EXPECT(stats.frames == FRAMES && left_out > 0 && refused > 0);
    EXPECT(pool.live == born - died && pool.chunks == 1 && pool.failed_allocs == refused);
    EXPECT(th_frame_check(&frame, NULL) == TH_OK && th_pool_check(&entities, NULL) == TH_OK);
    printf("game_frame: %u frames, %u entities, at most %" PRIu64
           " at once, %u refused, %zu sprites without "
           "room in %d bytes\n",
           FRAMES, born, pool.live_max, refused, left_out, FRAME_BYTES);
    th_frame_clean_up(&frame);
    th_pool_clean_up(&entities);
    return 0;
}
