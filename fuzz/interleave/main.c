/* SPDX-License-Identifier: MIT */
/* make interleave: all programs of so many actors with up to so many operations each, every one in
 * every interleaving of its atomic operations.
 *
 * usage: interleave [--quick] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "interleave/worlds.h"

enum { WORD_MAX = 8 };

/* All words of up to `length` letters, of which the first is 'a', for each of the actors. */
typedef struct family {
    const char *name;
    lab_shared_world (*world)(const lab_program *program);
    const char *letters;
    unsigned actors, length, capacity;
    int guard;
    bool is_quick; /* a part of the sample */
} family;

static const family families[] = {
    {"pool", lab_pool_world, "afr", 2, 3, 1, 0, true},
    {"pool", lab_pool_world, "afr", 2, 3, 2, 0, true},
    {"pool", lab_pool_world, "af", 2, 3, 2, 2, true},
    {"pool", lab_pool_world, "afr", 2, 4, 2, 0, false},
    {"pool", lab_pool_world, "afr", 2, 4, 3, 0, false},
    {"pool", lab_pool_world, "afr", 2, 4, 3, 2, false},
    {"pool", lab_pool_world, "af", 3, 2, 1, 0, true},
    {"pool", lab_pool_world, "af", 3, 2, 2, 2, true},
    {"pool", lab_pool_world, "af", 3, 3, 2, 0, false},
    {"caches", lab_cache_world, "axf", 2, 3, 2, 1, true},
    {"caches", lab_cache_world, "axfl", 2, 4, 2, 0, false},
    {"caches", lab_cache_world, "axfj", 2, 4, 3, 1, false},
    {"caches", lab_cache_world, "axf", 2, 5, 2, 0, false},
};

static uint64_t programs_all, states_all;
static unsigned passed, failed;
static lab_cli_progress progress;

static uint64_t add(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void print_violation(const family *f, const lab_program *program, const lab_explored *e) {
    printf("VIOLATION interleave %s: %s\n  objects %u, guard level %d, words", f->name,
           e->violation, program->capacity, program->guard);
    for (unsigned a = 0; a < program->actors; a++) {
        printf(" %s", program->words[a]);
    }
    printf("\n  who went on: ");
    for (unsigned i = 0; i < e->choices_count; i++) {
        printf("%u", e->choices[i]);
    }
    printf("\n");
}

/* The word of this number; false: there is no more. Numbers count in the base of the letters. */
static bool word_at(const family *f, unsigned number, char word[WORD_MAX + 1]) {
    unsigned base = (unsigned)strlen(f->letters), length = 1, of_length = 1;
    while (number >= of_length) {
        number -= of_length;
        of_length *= base;
        if (++length > f->length) {
            return false;
        }
    }
    word[0] = f->letters[0];
    for (unsigned i = 1; i < length; i++, number /= base) {
        word[i] = f->letters[number % base];
    }
    word[length] = '\0';
    return true;
}

typedef struct tally {
    uint64_t programs, interleavings, states;
    bool is_clean;
} tally;

/* Gives the actors from `actor` on their words: those of an actor come no earlier than those of the
 * one before it, for actors are alike. */
static void explore_words(const family *f, lab_program *program, unsigned actor, unsigned from,
                          tally *sum) {
    char word[WORD_MAX + 1];
    if (actor == f->actors) {
        lab_shared_world world = f->world(program);
        lab_explored e = lab_explore_interleavings(&world);
        sum->programs++;
        sum->interleavings = add(sum->interleavings, e.interleavings);
        sum->states += e.states;
        if (lab_cli_progress_is_due(&progress)) {
            lab_cli_progress_show(&progress,
                                  "  %s, words of up to %u of %s: %" PRIu64 " programs, %" PRIu64
                                  " states so far",
                                  f->name, f->length, f->letters, sum->programs, sum->states);
        }
        if (e.violation != NULL) {
            sum->is_clean = false;
            print_violation(f, program, &e);
        }
        return;
    }
    for (unsigned i = from; sum->is_clean && word_at(f, i, word); i++) {
        program->words[actor] = word;
        explore_words(f, program, actor + 1, i, sum);
    }
}

static void explore_family(const family *f) {
    lab_program program = {f->actors, f->capacity, f->guard, {NULL}};
    tally sum = {.is_clean = true};
    lab_cli_progress_begin(&progress);
    explore_words(f, &program, 0, 0, &sum);
    lab_cli_progress_end(&progress);
    printf("  %s: %u actors, words of up to %u of %s, %u objects, level %d: %" PRIu64
           " programs, %" PRIu64 "%s interleavings, %" PRIu64 " states  %s\n",
           f->name, f->actors, f->length, f->letters, f->capacity, f->guard, sum.programs,
           sum.interleavings, sum.interleavings == UINT64_MAX ? " or more" : "", sum.states,
           sum.is_clean ? "clean" : "VIOLATED");
    fflush(stdout);
    programs_all += sum.programs;
    states_all += sum.states;
    passed += sum.is_clean;
    failed += !sum.is_clean;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: interleave [--quick]");
        return EXIT_SUCCESS;
    }
    bool is_quick = argc == 2 && strcmp(argv[1], "--quick") == 0;
    if (argc > 2 || (argc == 2 && !is_quick)) {
        fputs("usage: interleave [--quick]\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (families[i].is_quick || !is_quick) {
            explore_family(&families[i]);
        }
    }
    printf("%" PRIu64 " programs, %" PRIu64 " states explored\n", programs_all, states_all);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
