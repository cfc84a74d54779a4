/* SPDX-License-Identifier: MIT */
/* The FIFO allocator (include/tagheap/fifo.h) against the simplest model. */
#include <stdalign.h>
#include <string.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "tagheap/fifo.h"

enum { MEMORY_BYTES = 1024 };

static alignas(64) unsigned char memory[MEMORY_BYTES + 64];
static th_fifo fifo;
static fault_log faults;

/* The simplest one: live and waiting blocks in a row, oldest first. */
enum { MODEL_MAX = 40 };

typedef struct model_block {
    unsigned char *at;
    size_t bytes;
    unsigned char fill;
    bool live;
} model_block;

typedef struct model {
    model_block blocks[MODEL_MAX];
    size_t count;
} model;

static void drop_freed(model *m) {
    size_t gone = 0;
    while (gone < m->count && !m->blocks[gone].live) {
        gone++;
    }
    m->count -= gone;
    memmove(m->blocks, m->blocks + gone, m->count * sizeof m->blocks[0]);
}

static void compare(const model *m) {
    size_t live = 0, live_bytes = 0;
    for (size_t i = 0; i < m->count; i++) {
        const model_block *b = &m->blocks[i];
        live += b->live;
        live_bytes += b->live ? b->bytes : 0;
        for (size_t k = 0; k < b->bytes && b->live; k++) {
            CHECK_EQ(b->at[k], b->fill);
        }
    }
    CHECK_EQ(th_fifo_get_stats(&fifo).live, live);
    CHECK_EQ(th_fifo_get_stats(&fifo).live_bytes, live_bytes);
    CHECK_EQ(th_fifo_get_stats(&fifo).waiting, m->count - live);
    CHECK_PTR_EQ(th_fifo_oldest(&fifo, NULL), m->count > 0 ? m->blocks[0].at : NULL);
    CHECK_EQ(th_fifo_check(&fifo, NULL), TH_OK);
}

static void play_random_at(int level) {
    uint64_t state = th_test_seed(31 + (uint64_t)level);
    model m = {.count = 0};
    const th_fifo_config config = {.guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_fifo_init(&fifo, memory + 8, MEMORY_BYTES, &config), TH_OK);
    for (unsigned i = 0; i < (TH_TRACK_VALGRIND ? 300 : 5000); i++) {
        uint64_t r = th_test_random(&state);
        size_t bytes = 1 + (size_t)(r >> 8) % 150;
        model_block *b = m.count > 0 ? &m.blocks[(r >> 24) % m.count] : NULL;
        if (r % 8 < 4 && m.count < MODEL_MAX) {
            unsigned char *at = th_fifo_alloc_aligned(&fifo, bytes, (size_t)1 << (r >> 40) % 7);
            if (at != NULL) {
                m.blocks[m.count++] = (model_block){at, bytes, (unsigned char)i, true};
                memset(at, (unsigned char)i, bytes);
            }
        } else if (b != NULL && b->live && r % 8 == 4) {
            if (th_fifo_resize_in_place(&fifo, b->at, bytes)) {
                b->bytes = bytes;
                memset(b->at, b->fill, bytes);
            }
        } else if (b != NULL && (r % 8 < 6 || m.blocks[0].live)) {
            b = r % 8 < 6 ? b : &m.blocks[0]; /* mostly the oldest */
            if (b->live) {
                th_fifo_free(&fifo, b->at);
                b->live = false;
            }
        }
        drop_freed(&m);
        compare(&m);
    }
    CHECK(th_fifo_get_stats(&fifo).high_water_bytes > MEMORY_BYTES / 2 &&
          th_fifo_get_stats(&fifo).failed_allocs > 10);
    CHECK_EQ(faults.count, 0);
    th_fifo_clean_up(&fifo);
}

static void random_work_agrees_with_the_model(void) {
    at_levels(0, play_random_at);
}

TH_SUITE("fifo_model", TEST(random_work_agrees_with_the_model))
