/* SPDX-License-Identifier: MIT */
/* Death at random: four processes work in one heap, each with a ledger of what it has there, and
 * are killed, again and again. After each death the ledgers are compared with the heap: what the
 * dead one had is there, with its contents; what it was doing has happened as a whole or not at
 * all; nothing is there that nobody has. Every other death, another process is killed at once,
 * which may be repairing. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill/kill.h"
#include "mutate/random.h"
#include "tagheap/shared_memory.h"

enum {
    WORKERS = 4,
    ENTRIES = 24,
    GROUPS = 4, /* of each worker: its tags */
    OBJECT_BYTES = 96 * 1024,
    BYTES_MAX = 900,
    PAUSE_MAX = 1500, /* microseconds between deaths */
    SITE_SHIFT = 24,
    PROGRESS = 2000
};

/* What one block is to be. */
typedef struct entry {
    uint32_t site; /* 0: none */
    uint32_t tag;
    uint32_t bytes;
    uint32_t known; /* bytes of contents that are written */
} entry;

typedef enum deed { IDLE, MAKING, FREEING, FREEING_GROUP, RESIZING, RETAGGING, COMPACTING } deed;

/* What a worker has, and what it is doing; it lives longer than the worker. */
typedef struct ledger {
    entry entries[ENTRIES];
    volatile uint32_t deed;
    entry about; /* what is to be, of the block with that site */
    uint32_t sites;
    uint64_t deeds;
} ledger;

typedef struct scene {
    const lab_kill_options *options;
    lab_kill_sum *sum;
    ledger *ledgers;
    th_file_map map;
    th_shared_heap heap;
    pid_t workers[WORKERS];
    uint64_t random;
} scene;

static uint32_t below(uint64_t *state, uint32_t bound) {
    return (uint32_t)(lab_random_step(state) >> 33) % bound;
}

static uint32_t tag_of(unsigned worker, uint32_t group) {
    uint32_t base = group % 2 == 0 ? 0x1000 : 0x4000;
    return base + worker * GROUPS + group;
}

/* ---- a worker ------------------------------------------------------------------------------ */

static unsigned char byte_of(uint32_t site, uint32_t i) {
    return (unsigned char)(site * 37 + (site >> SITE_SHIFT) + i * 11 + (i >> 8));
}

static void fill(th_shared_heap *heap, th_shared_ref ref, entry *e) {
    unsigned char *payload = th_shared_heap_at(heap, ref);
    for (uint32_t i = e->known; i < e->bytes; i++) {
        payload[i] = byte_of(e->site, i);
    }
    e->known = e->bytes;
}

static void announce(ledger *l, deed what, const entry *about) {
    l->about = *about;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    l->deed = what;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void done(ledger *l) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    l->deed = IDLE;
    l->deeds++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void make(th_shared_heap *heap, ledger *l, entry *e, unsigned worker, uint64_t *random) {
    const entry made = {.site = (worker + 1) << SITE_SHIFT | ++l->sites,
                        .tag = tag_of(worker, below(random, GROUPS)),
                        .bytes = 1 + below(random, BYTES_MAX)};
    announce(l, MAKING, &made);
    size_t alignment = below(random, 8) == 0 ? 128 : 1;
    th_shared_ref ref = th_shared_heap_alloc_at(heap, made.bytes, alignment, made.tag, made.site);
    if (ref != 0) {
        *e = made;
        fill(heap, ref, e);
    }
    done(l);
}

static void free_group(th_shared_heap *heap, ledger *l, unsigned worker, uint32_t group) {
    const entry about = {.tag = tag_of(worker, group)};
    announce(l, FREEING_GROUP, &about);
    (void)th_shared_heap_free_tags(heap, about.tag, about.tag);
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (l->entries[i].site != 0 && l->entries[i].tag == about.tag) {
            l->entries[i].site = 0;
        }
    }
    done(l);
}

static void resize(th_shared_heap *heap, ledger *l, entry *e, th_shared_ref ref, uint64_t *random) {
    entry about = *e;
    about.bytes = 1 + below(random, BYTES_MAX);
    about.known = about.bytes < e->known ? about.bytes : e->known;
    announce(l, RESIZING, &about);
    ref = th_shared_heap_resize(heap, ref, about.bytes);
    if (ref != 0) {
        *e = about;
        fill(heap, ref, e);
    }
    done(l);
}

static void retag(th_shared_heap *heap, ledger *l, entry *e, th_shared_ref ref, unsigned worker) {
    entry about = *e;
    uint32_t base = about.tag - worker * GROUPS;
    about.tag = (base ^ 2) + worker * GROUPS;
    announce(l, RETAGGING, &about);
    if (th_shared_heap_retag(heap, ref, about.tag)) {
        e->tag = about.tag;
    }
    done(l);
}

static void act(th_shared_heap *heap, ledger *l, unsigned worker, uint64_t *random) {
    static const entry nothing = {0};
    entry *e = &l->entries[below(random, ENTRIES)];
    uint32_t choice = below(random, 100);
    if (choice < 2) {
        free_group(heap, l, worker, below(random, GROUPS));
    } else if (choice < 8) {
        announce(l, COMPACTING, &nothing);
        (void)th_shared_heap_compact(heap, 1 + below(random, 4000), NULL, NULL);
        done(l);
    } else if (e->site == 0) {
        make(heap, l, e, worker, random);
    } else {
        th_shared_ref ref = th_shared_heap_find(heap, e->tag, e->site);
        if (choice < 60) {
            announce(l, FREEING, e);
            (void)th_shared_heap_free(heap, ref);
            e->site = 0;
            done(l);
        } else if (choice < 85) {
            resize(heap, l, e, ref, random);
        } else if (choice < 90) {
            retag(heap, l, e, ref, worker);
        } else {
            (void)th_shared_heap_trim(heap, ref);
        }
    }
}

/* An unrelated process: all that it is given is a name, and its ledger. */
static void work(const scene *s, unsigned worker, uint64_t random) {
    th_file_map map;
    th_shared_heap heap;
    if (th_shared_memory_open(&map, lab_kill_object_name(), TH_FILE_MAP_SHARED) != TH_OK ||
        th_shared_heap_attach(&heap, map.start, map.bytes, NULL) != TH_OK) {
        _exit(3);
    }
    for (;;) {
        if (th_shared_heap_lock(&heap) != TH_OK) {
            _exit(4);
        }
        act(&heap, &s->ledgers[worker], worker, &random);
        th_shared_heap_unlock(&heap);
    }
}

static void start(scene *s, unsigned worker) {
    uint64_t random = lab_random_step(&s->random);
    pid_t child = lab_kill_fork();
    if (child == 0) {
        work(s, worker, random);
        _exit(0);
    }
    s->workers[worker] = child;
}

/* ---- comparing ----------------------------------------------------------------------------- */

static void fail(scene *s, unsigned worker, uint32_t site, const char *what) {
    s->sum->failures++;
    if (s->sum->failures <= 5) {
        printf("  FAILED worker %u, site 0x%" PRIX32 ", deed %u: %s\n", worker, site,
               (unsigned)s->ledgers[worker].deed, what);
    }
}

static bool holds(const th_heap_block *block, const entry *e, uint32_t known) {
    const unsigned char *payload = block->payload;
    bool same = true;
    for (uint32_t i = 0; i < known && same; i++) {
        same = payload[i] == byte_of(e->site, i);
    }
    return same;
}

static entry *entry_of(ledger *l, uint32_t site) {
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (l->entries[i].site == site) {
            return &l->entries[i];
        }
    }
    return NULL;
}

static bool fits(const th_heap_block *block, const entry *e) {
    return block->tag == e->tag && block->requested_bytes == e->bytes;
}

/* A block that is there: is it as the ledger says, or as what was being done makes it? The ledger
 * is brought into line. */
static void settle_block(scene *s, unsigned worker, const th_heap_block *block, bool *seen) {
    ledger *l = &s->ledgers[worker];
    entry *e = entry_of(l, block->site);
    bool about = l->deed != IDLE && l->about.site == block->site;
    if (e == NULL && about && l->deed == MAKING) {
        unsigned i = 0;
        while (l->entries[i].site != 0) {
            i++;
        }
        e = &l->entries[i]; /* it was to be there, hence there is room */
        *e = l->about;
        e->known = 0;
    }
    if (e == NULL) {
        fail(s, worker, block->site, "a block that nobody has");
        return;
    }
    if (!fits(block, e) && about && fits(block, &l->about)) {
        uint32_t known = l->about.known < e->known ? l->about.known : e->known;
        *e = l->about;
        e->known = known;
    }
    seen[e - l->entries] = true;
    if (!fits(block, e)) {
        fail(s, worker, block->site, "neither what it was nor what it was to be");
    } else if (!holds(block, e, e->known)) {
        fail(s, worker, block->site, "contents are lost");
    }
}

/* What is missing was to go; of a group all is, or nothing. */
static void settle_missing(scene *s, unsigned worker, const bool *seen) {
    ledger *l = &s->ledgers[worker];
    unsigned gone = 0;
    unsigned left = 0;
    for (unsigned i = 0; i < ENTRIES; i++) {
        entry *e = &l->entries[i];
        if (e->site == 0) {
            continue;
        }
        bool of_group = l->deed == FREEING_GROUP && l->about.tag == e->tag;
        left += of_group && seen[i];
        if (!seen[i]) {
            gone += of_group;
            if (!of_group && !(l->deed == FREEING && l->about.site == e->site)) {
                fail(s, worker, e->site, "a block is lost");
            }
            e->site = 0;
        }
    }
    /* What the worker itself has struck off after the call counts as gone. */
    if (gone > 0 && left > 0) {
        fail(s, worker, 0, "half of a group is gone");
    }
}

static void compare(scene *s) {
    th_fault fault;
    bool seen[WORKERS][ENTRIES] = {{false}};
    th_status status = th_shared_heap_lock(&s->heap);
    if (status != TH_OK || th_shared_heap_check(&s->heap, &fault) != TH_OK) {
        fail(s, 0, 0, status != TH_OK ? th_status_name(status) : "the heap is not sound");
        return;
    }
    if (!lab_kill_is_used(&s->heap.heap)) {
        fail(s, 0, 0, "a block lies where nothing was ever used");
    }
    th_heap_block block;
    for (bool more = th_heap_first(&s->heap.heap, &block); more;
         more = th_heap_next(&s->heap.heap, &block)) {
        unsigned worker = (block.site >> SITE_SHIFT) - 1;
        if (block.site != 0 && worker < WORKERS) {
            settle_block(s, worker, &block, seen[worker]);
        } else if (block.requested_bytes != 0) {
            fail(s, 0, block.site, "a block of no worker");
        }
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        settle_missing(s, worker, seen[worker]);
    }
    th_shared_heap_unlock(&s->heap);
}

/* ---- deaths -------------------------------------------------------------------------------- */

static void end(scene *s, unsigned worker) {
    int status;
    if (kill(s->workers[worker], SIGKILL) != 0 ||
        waitpid(s->workers[worker], &status, 0) != s->workers[worker]) {
        perror("killtest: kill");
        exit(2);
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail(s, worker, 0, "it ended by itself");
    }
    s->sum->deaths++;
}

/* Live workers are in the middle of nothing while we have the lock; what a dead one was doing is
 * settled. */
static void bury(scene *s, unsigned first, unsigned count) {
    compare(s);
    for (unsigned i = 0; i < count; i++) {
        unsigned worker = (first + i) % WORKERS;
        s->ledgers[worker].deed = IDLE;
        start(s, worker);
    }
}

static void run(scene *s, unsigned kills) {
    uint64_t reported = s->sum->deaths;
    uint64_t to = s->sum->deaths + kills;
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        start(s, worker);
    }
    while (s->sum->deaths < to && s->sum->failures == 0) {
        lab_kill_watch("deaths at random", s->options->seconds);
        (void)usleep(below(&s->random, PAUSE_MAX));
        unsigned first = below(&s->random, WORKERS);
        unsigned count = 1 + below(&s->random, 2);
        for (unsigned i = 0; i < count; i++) {
            end(s, (first + i) % WORKERS);
        }
        bury(s, first, count);
        if (s->sum->deaths - reported >= PROGRESS) {
            reported = s->sum->deaths;
            printf("  %" PRIu64 " deaths, %" PRIu64 " repairs\n", s->sum->deaths,
                   th_shared_heap_get_stats(&s->heap).repairs);
            (void)fflush(stdout);
        }
    }
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        end(s, worker);
        s->sum->deaths--; /* these were not asked for */
    }
    compare(s);
}

static void play(const lab_kill_options *options, lab_kill_sum *sum, th_heap_layout layout,
                 int guard, unsigned kills) {
    static scene s;
    const th_shared_heap_config config = {.layout = layout, .guarding.level = guard};
    s = (scene){.options = options, .sum = sum, .random = options->seed + (uint64_t)guard};
    s.ledgers = mmap(NULL, WORKERS * sizeof *s.ledgers, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s.ledgers == MAP_FAILED ||
        th_shared_memory_open_new(&s.map, lab_kill_object_name(), OBJECT_BYTES, 0600) != TH_OK ||
        th_shared_heap_init(&s.heap, s.map.start, s.map.bytes, &config) != TH_OK) {
        perror("killtest: shared memory");
        exit(2);
    }
    uint64_t deaths = sum->deaths;
    run(&s, kills);
    th_shared_heap_stats stats = th_shared_heap_get_stats(&s.heap);
    uint64_t deeds = 0;
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        deeds += s.ledgers[worker].deeds;
    }
    printf("four processes, guard %d: %" PRIu64 " deaths, %" PRIu64 " in a call that had to be "
           "repaired, %" PRIu64 " operations, %" PRIu64 " moves, %" PRIu64
           " live blocks at the end\n",
           guard, sum->deaths - deaths, stats.repairs, deeds, stats.moves,
           stats.head_blocks + stats.tail_blocks);
    sum->repairs += stats.repairs;
    th_shared_heap_clean_up(&s.heap);
    th_file_map_close(&s.map);
    (void)th_shared_memory_remove(lab_kill_object_name());
    (void)munmap(s.ledgers, WORKERS * sizeof *s.ledgers);
}

void lab_kill_at_random(const lab_kill_options *options, lab_kill_sum *sum) {
    static const th_heap_layout layouts[] = {TH_HEAP_LAYOUT_CLASSIC, TH_HEAP_LAYOUT_WIDE,
                                             TH_HEAP_LAYOUT_CLASSIC, TH_HEAP_LAYOUT_WIDE};
    for (int guard = 0; guard <= th_guard_max(); guard++) {
        unsigned share = options->kills / (unsigned)(th_guard_max() + 1);
        play(options, sum, layouts[guard], guard,
             guard < th_guard_max() ? share : options->kills - share * (unsigned)th_guard_max());
    }
}
