/* SPDX-License-Identifier: MIT */
/* Plays recorded accesses on th_cache, and counts hits: which policy suits them, and how far is it
 * from the best that any could do?
 *
 *   cache_trace --lru | --sieve | --best  ENTRIES FILE
 *
 * FILE has a line for each access, which begins with a number: the key. The cache holds ENTRIES of
 * them. --best is Belady's rule, which knows the future: what is used again last goes first.
 * Entries are of one size here; for such, no policy has more hits (L. A. Belady, "A study of
 * replacement algorithms for a virtual-storage computer", IBM Systems Journal 5(2), 1966). It
 * prints accesses, distinct keys, hits. Without arguments a small trace is made up, whose counts
 * are known. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "expect.h"
#include "tagheap/cache.h"

#define NEVER SIZE_MAX

typedef struct trace {
    uint64_t *keys;
    size_t count, capacity;
    size_t distinct;
    size_t *next; /* the access that uses the same key next, or NEVER */
} trace;

static int refuse(const char *where, const char *what) {
    (void)fprintf(stderr, "cache_trace: %s: %s\n", where, what);
    return 2;
}

/* Sizes are small here, and the machine has memory for them. */
static void *grown(void *old, size_t bytes) {
    void *memory = realloc(old, bytes);
    EXPECT(memory != NULL);
    return memory;
}

static void append(trace *t, uint64_t key) {
    if (t->count == t->capacity) {
        t->capacity = t->capacity * 2 + 1024;
        t->keys = grown(t->keys, t->capacity * sizeof *t->keys);
    }
    t->keys[t->count++] = key;
}

static void forget(trace *t) {
    free(t->keys);
    free(t->next);
    *t = (trace){0};
}

static int by_key(const void *a, const void *b) {
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* Numbers the keys from 0 on, so that arrays can be used, and notes when each is used next. */
static void prepare(trace *t) {
    uint64_t *sorted = grown(NULL, (t->count + 1) * sizeof *sorted);
    memcpy(sorted, t->keys, t->count * sizeof *sorted);
    qsort(sorted, t->count, sizeof *sorted, by_key);
    t->distinct = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->distinct == 0 || sorted[t->distinct - 1] != sorted[i]) {
            sorted[t->distinct++] = sorted[i];
        }
    }
    size_t *last = grown(NULL, (t->distinct + 1) * sizeof *last);
    for (size_t i = 0; i < t->distinct; i++) {
        last[i] = NEVER;
    }
    t->next = grown(NULL, (t->count + 1) * sizeof *t->next);
    for (size_t i = t->count; i > 0; i--) {
        const uint64_t *at = bsearch(&t->keys[i - 1], sorted, t->distinct, sizeof *sorted, by_key);
        t->keys[i - 1] = (uint64_t)(at - sorted);
        t->next[i - 1] = last[t->keys[i - 1]];
        last[t->keys[i - 1]] = i - 1;
    }
    free(last);
    free(sorted);
}

/* A line that is no access is a mistake of the caller's: 2. */
static int read_trace(trace *t, const char *path) {
    char line[512];
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        return refuse(path, "cannot be opened; name a trace");
    }
    while (fgets(line, sizeof line, in) != NULL) {
        char *end;
        errno = 0;
        uint64_t key = strtoull(line, &end, 10);
        if (end == line || errno != 0 || (*end != ' ' && *end != '\n' && *end != '\0')) {
            (void)fclose(in);
            line[strcspn(line, "\n")] = '\0';
            return refuse(path, "has a line that does not begin with a number below 2^64");
        }
        append(t, key);
    }
    (void)fclose(in);
    if (t->count == 0) {
        return refuse(path, "has no accesses");
    }
    prepare(t);
    return 0;
}

/* ---- the cache ------------------------------------------------------------------------------ */

static th_status load(void *context, uint64_t key, void *payload, size_t bytes) {
    (void)context;
    memcpy(payload, &key, bytes);
    return TH_OK;
}

static uint64_t play(const trace *t, th_cache_policy policy, size_t entries) {
    th_heap heap;
    th_handles handles;
    th_cache cache;
    size_t region_bytes = entries * 64 + 8192; /* an entry's block is smaller; room for all */
    void *region = grown(NULL, region_bytes);
    const th_handles_config handles_config = {.memory =
                                                  grown(NULL, entries * sizeof(th_handles_slot)),
                                              .memory_bytes = entries * sizeof(th_handles_slot)};
    const th_cache_config config = {.handles = &handles,
                                    .memory = grown(NULL, th_cache_table_bytes(entries)),
                                    .memory_bytes = th_cache_table_bytes(entries),
                                    .policy = policy};
    EXPECT(th_heap_init(&heap, region, region_bytes, NULL) == TH_OK);
    EXPECT(th_handles_init(&handles, &heap, &handles_config) == TH_OK);
    EXPECT(th_cache_init(&cache, &config) == TH_OK);
    for (size_t i = 0; i < t->count; i++) {
        void *payload;
        uint64_t found = 0;
        EXPECT(th_cache_load(&cache, t->keys[i], sizeof found, 1, load, NULL, &payload) == TH_OK);
        memcpy(&found, payload, sizeof found);
        EXPECT(found == t->keys[i]);
    }
    th_cache_stats stats = th_cache_get_stats(&cache);
    EXPECT(stats.entries <= entries && stats.hits + stats.misses == t->count);
    th_cache_clean_up(&cache);
    th_handles_clean_up(&handles);
    th_heap_clean_up(&heap);
    free(config.memory);
    free(handles_config.memory);
    free(region);
    return stats.hits;
}

/* Belady: of those that are in, the one that is used again last goes. */
static uint64_t play_best(const trace *t, size_t entries) {
    struct {
        uint64_t key;
        size_t next;
    } *in = grown(NULL, entries * sizeof *in);
    bool *is_in = grown(NULL, t->distinct * sizeof *is_in);
    size_t count = 0;
    uint64_t hits = 0;
    memset(is_in, 0, t->distinct * sizeof *is_in);
    for (size_t i = 0; i < t->count; i++) {
        size_t at = 0;
        if (is_in[t->keys[i]]) {
            hits++;
            while (in[at].key != t->keys[i]) {
                at++;
            }
        } else if (count < entries) {
            at = count++;
        } else {
            for (size_t j = 1; j < count; j++) {
                at = in[j].next > in[at].next ? j : at;
            }
            is_in[in[at].key] = false;
        }
        is_in[t->keys[i]] = true;
        in[at].key = t->keys[i];
        in[at].next = t->next[i];
    }
    free(in);
    free(is_in);
    return hits;
}

/* ---- what is made up ------------------------------------------------------------------------- */

/* Ten keys in turn, of which eight fit: LRU never has the next one. */
static void check_a_loop(void) {
    trace t = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        append(&t, i % 10 * 1000003);
    }
    prepare(&t);
    EXPECT(t.distinct == 10);
    EXPECT(play(&t, TH_CACHE_LRU, 8) == 0);
    EXPECT(play(&t, TH_CACHE_LRU, 10) == 990);
    EXPECT(play(&t, TH_CACHE_SIEVE, 10) == 990);
    /* The first eight come in; from then on, of nine accesses two are misses: one of the ten keys
     * is always left out, and never the next but one. */
    EXPECT(play_best(&t, 10) == 990 && play_best(&t, 8) == 770);
    EXPECT(play_best(&t, 1) == 0);
    forget(&t);
}

/* Four keys that come again and again among many that come once: SIEVE keeps the four. */
static void check_a_scan(void) {
    trace t = {0};
    for (uint64_t i = 0; i < 8; i++) {
        append(&t, i % 4);
    }
    for (uint64_t i = 0; i < 400; i++) {
        append(&t, i % 4);
        append(&t, 100 + 2 * i);
        append(&t, 101 + 2 * i);
    }
    prepare(&t);
    uint64_t best = play_best(&t, 8);
    EXPECT(best == 404);
    EXPECT(play(&t, TH_CACHE_SIEVE, 8) == 404);
    EXPECT(play(&t, TH_CACHE_LRU, 8) == 7);
    EXPECT(play(&t, TH_CACHE_LRU, 12) == 404);
    forget(&t);
}

int main(int argc, char **argv) {
    trace t = {0};
    if (argc == 1) {
        check_a_loop();
        check_a_scan();
        return 0;
    }
    size_t entries = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (entries == 0 || entries > 1u << 20) {
        return refuse("arguments",
                      "usage: cache_trace --lru | --sieve | --best ENTRIES FILE; up to "
                      "1048576 entries");
    }
    int status = read_trace(&t, argv[3]);
    uint64_t hits = 0;
    if (status == 0 && strcmp(argv[1], "--best") == 0) {
        hits = play_best(&t, entries);
    } else if (status == 0 && strcmp(argv[1], "--lru") == 0) {
        hits = play(&t, TH_CACHE_LRU, entries);
    } else if (status == 0 && strcmp(argv[1], "--sieve") == 0) {
        hits = play(&t, TH_CACHE_SIEVE, entries);
    } else if (status == 0) {
        status = refuse(argv[1], "is no policy: --lru, --sieve or --best");
    }
    if (status == 0) {
        (void)printf("%zu %zu %" PRIu64 "\n", t.count, t.distinct, hits);
    }
    forget(&t);
    return status;
}
