/* SPDX-License-Identifier: MIT */
/* killtest: processes die in the shared heap.
 *
 *   killtest [--quick] [--kills N] [--stride N] [--nested N] [--only TEXT] [--seed N]
 *            [--timeout SECONDS]
 *
 * --quick      a sample, up to the first failure: 100 deaths at random, every 9th change
 * --kills N    deaths at random (10000; 0: none)
 * --stride N   dies at every N-th change of the shared memory (1; 0: not at all)
 * --nested N   of the deaths of each operation so many are followed by deaths at every change that
 *              the repair makes (3; 0: none)
 * The last line is "N passed, M failed"; exit status 0: none failed, 1: some did, or a hang, 2: it
 * could not be tried. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kill/kill.h"

enum { QUICK_KILLS = 100, QUICK_STRIDE = 9 };

#define USAGE                                                                                      \
    "killtest [--quick] [--kills N] [--stride N] [--nested N] [--only TEXT] [--seed N] "           \
    "[--timeout SECONDS]"

static void usage(const char *what, const char *text) {
    fprintf(stderr, "killtest: %s%s; " USAGE "\n", text, what);
    exit(LAB_KILL_REFUSED);
}

static uint64_t number(const char *text, const char *option, uint64_t most) {
    char *end;
    errno = 0;
    unsigned long long value = text != NULL ? strtoull(text, &end, 10) : 0;
    if (text == NULL || *text < '0' || *text > '9' || *end != '\0' || errno != 0) {
        usage(option, "a number must follow ");
    }
    if (value > most) {
        usage(option, "too large a number for ");
    }
    return value;
}

/* What an option counts; NULL: there is none that does. */
static unsigned *count_of(lab_kill_options *options, const char *option) {
    return strcmp(option, "--kills") == 0     ? &options->kills
           : strcmp(option, "--stride") == 0  ? &options->stride
           : strcmp(option, "--nested") == 0  ? &options->nested
           : strcmp(option, "--timeout") == 0 ? &options->seconds
                                              : NULL;
}

static lab_kill_options read_options(char **arguments) {
    lab_kill_options options = {.kills = 10000, .stride = 1, .nested = 3, .seed = 1, .seconds = 60};
    for (; *arguments != NULL; arguments += 2) {
        const char *option = arguments[0];
        if (strcmp(option, "--help") == 0) {
            puts("usage: " USAGE);
            exit(0);
        }
        if (strcmp(option, "--quick") == 0) {
            options.kills = QUICK_KILLS;
            options.stride = QUICK_STRIDE;
            options.nested = 1;
            options.quick = true;
            arguments--;
            continue;
        }
        if (strcmp(option, "--only") == 0) {
            if (arguments[1] == NULL) {
                usage(option, "a text must follow ");
            }
            options.only = arguments[1];
            continue;
        }
        unsigned *count = count_of(&options, option);
        if (count == NULL && strcmp(option, "--seed") != 0) {
            usage(option, "there is no option ");
        }
        uint64_t value = number(arguments[1], option, count != NULL ? UINT_MAX : UINT64_MAX);
        if (count != NULL) {
            *count = (unsigned)value;
        } else {
            options.seed = value;
        }
    }
    return options;
}

int main(int argc, char **argv) {
    (void)argc;
    lab_kill_options options = read_options(argv + 1);
    lab_kill_sum sum = {0};
    time_t began = time(NULL);
    lab_kill_begin();
    if (options.stride > 0) {
        lab_kill_at_stores(&options, &sum);
    }
    if (options.kills > 0 && !(options.quick && sum.failures > 0)) {
        lab_kill_at_random(&options, &sum);
    }
    uint64_t deaths = sum.deaths + sum.nested_deaths;
    printf("killtest: %" PRIu64 " deaths, %" PRIu64 " of them in a repair; %" PRIu64
           " repairs; seed %" PRIu64 "; %ld s\n",
           deaths, sum.nested_deaths, sum.repairs, options.seed, (long)(time(NULL) - began));
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", deaths - sum.failures, sum.failures);
    return sum.failures == 0 && deaths > 0 ? 0 : LAB_KILL_FAILED;
}
