/* SPDX-License-Identifier: MIT */
/* bench [OPTION VALUE]... CASE N | bench --list | bench --sizes | bench --needs SCRIPT
 *       | bench --accepts PLUGIN
 *
 * Prints "seconds S", the processor time of what is measured; for some cases "memory USED
 * REQUESTED" in bytes, and "operations K". The options are those of bench_options. Exit status 2 if
 * the case is not known, or what it needs is not there; 3 if the library of this build cannot do
 * it. */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sources.h"
#include "tagheap/heap.h"

enum { N_MAX = 10 * 1000 * 1000, LIVE_USUAL = 1000, MOST_USUAL = 143, MOST_MAX = 64 * 1024 };
enum { GUARD_MAX = 3 };

#define REGION_MAX ((size_t)1 << 34)

bench_options bench_asked = {.live = LIVE_USUAL, .warm = SIZE_MAX, .most = MOST_USUAL};

static volatile uint64_t used;
static double seconds;
static size_t marked, noted, requested, operations;

static double cpu_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

__attribute__((noinline)) void bench_measure(void (*work)(void *context), void *context) {
    double start = cpu_seconds();
    work(context);
    seconds += cpu_seconds() - start;
}

void bench_use(uint64_t value) {
    used = value;
}

_Noreturn void bench_fail(const char *what, const char *which) {
    (void)fprintf(stderr, "bench: %s: %s\n", what, which);
    exit(2);
}

_Noreturn void bench_refuse(const char *what, const char *which) {
    (void)fprintf(stderr, "bench: %s: %s\n", what, which);
    exit(3);
}

void *bench_memory(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL) {
        bench_fail("no memory", "malloc");
    }
    return memory;
}

/* The kernel's exact count (that of statm is off by up to 64 pages), read without an allocation. */
static size_t anonymous_bytes(void) {
    static const char label[] = "Anonymous:";
    static char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    const char *at = length > 0 ? strstr(text, label) : NULL;
    if (at == NULL) {
        bench_fail("no count of memory", "/proc/self/smaps_rollup");
    }
    (void)close(file);
    return (size_t)strtoull(at + sizeof label - 1, NULL, 10) * 1024;
}

void bench_mark_memory(void) {
    marked = anonymous_bytes();
}

void bench_note_memory(size_t bytes) {
    noted = anonymous_bytes() - marked;
    requested = bytes;
}

void bench_note_operations(size_t count) {
    operations = count;
}

static const bench_case *const tables[] = {bench_allocators, bench_layouts};

#define TABLES (sizeof tables / sizeof tables[0])

static void list(void) {
    for (size_t t = 0; t < TABLES; t++) {
        for (const bench_case *c = tables[t]; c->name != NULL; c++) {
            (void)puts(c->name);
        }
    }
    bench_list_scripts();
}

static const bench_case *find(const char *name) {
    for (size_t t = 0; t < TABLES; t++) {
        for (const bench_case *c = tables[t]; c->name != NULL; c++) {
            if (strcmp(c->name, name) == 0) {
                return c;
            }
        }
    }
    return NULL;
}

static bool run(const char *name, size_t n) {
    const bench_case *c = find(name);
    if (c == NULL) {
        return bench_play(name, n);
    }
    c->run(n);
    return true;
}

/* False: it is no such number. */
static bool read_count(const char *text, size_t low, size_t high, size_t *count) {
    char *end = NULL;
    unsigned long long n = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < low || n > high) {
        return false;
    }
    *count = (size_t)n;
    return true;
}

static bool read_guard(const char *text, int *guard) {
    size_t level = 0;
    bool ok = read_count(text, 0, GUARD_MAX, &level);
    *guard = (int)level;
    return ok;
}

/* Which of the words it is. */
static bool read_word(const char *text, const char *const *words, int *number) {
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

static bool read_option(const char *name, const char *value) {
    static const char *const layouts[] = {[TH_HEAP_LAYOUT_AUTO] = "auto",
                                          [TH_HEAP_LAYOUT_CLASSIC] = "classic",
                                          [TH_HEAP_LAYOUT_LEAN] = "lean",
                                          [TH_HEAP_LAYOUT_WIDE] = "wide",
                                          NULL};
    static const char *const indexes[] = {
        [TH_HEAP_INDEX_AUTO] = "auto", [TH_HEAP_INDEX_NONE] = "none", NULL};
    bench_options *o = &bench_asked;
    if (strcmp(name, "--script") == 0) {
        o->script = value;
        return true;
    }
    if (strcmp(name, "--plugin") == 0) {
        o->plugin = value;
        return true;
    }
    return strcmp(name, "--live") == 0   ? read_count(value, 1, N_MAX, &o->live)
           : strcmp(name, "--warm") == 0 ? read_count(value, 0, N_MAX, &o->warm)
           : strcmp(name, "--most") == 0 ? read_count(value, BENCH_CHURN_LEAST, MOST_MAX, &o->most)
           : strcmp(name, "--region") == 0 ? read_count(value, 1, REGION_MAX, &o->region_bytes)
           : strcmp(name, "--guard") == 0  ? read_guard(value, &o->guard)
           : strcmp(name, "--layout") == 0 ? read_word(value, layouts, &o->layout)
           : strcmp(name, "--index") == 0  ? read_word(value, indexes, &o->index)
                                           : false;
}

/* CASE and N, after the options. */
static bool run_case(int argc, char **argv) {
    int at = 1;
    size_t n = 0;
    while (at + 1 < argc && strncmp(argv[at], "--", 2) == 0) {
        if (!read_option(argv[at], argv[at + 1])) {
            return false;
        }
        at += 2;
    }
    return argc - at == 2 && read_count(argv[at + 1], 1, N_MAX, &n) && run(argv[at], n);
}

int main(int argc, char **argv) {
    static char buffer[BUFSIZ]; /* else printf's first malloc would count with the measured ones */
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list();
    } else if (argc == 2 && strcmp(argv[1], "--sizes") == 0) {
        bench_print_sizes();
    } else if (argc == 3 && strcmp(argv[1], "--needs") == 0) {
        bench_print_needs(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "--accepts") == 0) {
        bench_load_plugin(argv[2]);
    } else if (run_case(argc, argv)) {
        printf("seconds %.9f\n", seconds);
        if (requested > 0) {
            printf("memory %zu %zu\n", noted, requested);
        }
        if (operations > 0) {
            printf("operations %zu\n", operations);
        }
    } else {
        (void)fprintf(stderr,
                      "usage: bench [--live N] [--warm N] [--most BYTES] [--region BYTES] [--guard "
                      "LEVEL] [--layout NAME] [--index auto|none] [--script FILE] [--plugin FILE] "
                      "CASE N (1 to %d) | bench --list | "
                      "bench --sizes | bench --needs SCRIPT | bench --accepts PLUGIN\n",
                      N_MAX);
        return 2;
    }
    return 0;
}
