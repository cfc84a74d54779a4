/* SPDX-License-Identifier: MIT */
/* bench CASE N | bench --list | bench --sizes */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_MAX = 10 * 1000 * 1000 };

static volatile uint64_t used;
static double seconds;

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

void *bench_memory(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL) {
        (void)fprintf(stderr, "bench: no memory for %zu bytes\n", bytes);
        exit(2);
    }
    return memory;
}

uint64_t bench_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static const bench_case *const tables[] = {bench_allocators, bench_layouts};

#define TABLES (sizeof tables / sizeof tables[0])

static void list(void) {
    for (size_t t = 0; t < TABLES; t++) {
        for (const bench_case *c = tables[t]; c->name != NULL; c++) {
            (void)puts(c->name);
        }
    }
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

int main(int argc, char **argv) {
    const bench_case *c = argc == 3 ? find(argv[1]) : NULL;
    char *end = NULL;
    unsigned long n = c != NULL ? strtoul(argv[2], &end, 10) : 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list();
    } else if (argc == 2 && strcmp(argv[1], "--sizes") == 0) {
        bench_print_sizes();
    } else if (c != NULL && *end == '\0' && n >= 1 && n <= N_MAX) {
        c->run(n);
        printf("seconds %.9f\n", seconds);
    } else {
        (void)fprintf(stderr, "usage: bench CASE N (1 to %d) | bench --list | bench --sizes\n",
                      N_MAX);
        return 2;
    }
    return 0;
}
