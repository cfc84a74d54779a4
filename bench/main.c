/* SPDX-License-Identifier: MIT */
/* bench CASE N | bench --list | bench --sizes
 *
 * Prints "seconds S", the processor time of what is measured, and for some cases "memory USED
 * REQUESTED" in bytes. Exit status 2 if the case is not known, or what it needs is not there. */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sources.h"

enum { N_MAX = 10 * 1000 * 1000 };

static volatile uint64_t used;
static double seconds;
static size_t marked, noted, requested;

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

uint64_t bench_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static const bench_case *const tables[] = {bench_allocators, bench_layouts, bench_guards};

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

/* 0: it is no such number. */
static size_t read_count(const char *text) {
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);
    return *end == '\0' && n <= N_MAX ? n : 0;
}

int main(int argc, char **argv) {
    static char buffer[BUFSIZ]; /* else printf's first malloc would count with the measured ones */
    size_t n = argc == 3 ? read_count(argv[2]) : 0;
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list();
    } else if (argc == 2 && strcmp(argv[1], "--sizes") == 0) {
        bench_print_sizes();
    } else if (n > 0 && run(argv[1], n)) {
        printf("seconds %.9f\n", seconds);
        if (requested > 0) {
            printf("memory %zu %zu\n", noted, requested);
        }
    } else {
        (void)fprintf(stderr, "usage: bench CASE N (1 to %d) | bench --list | bench --sizes\n",
                      N_MAX);
        return 2;
    }
    return 0;
}
