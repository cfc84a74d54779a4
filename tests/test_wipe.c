/* SPDX-License-Identifier: MIT */
/* Wiping: every byte and no other, also where nobody will read the memory again. What each compiler
 * makes of that at each level is asked in tests/scripts/test_wipe.py. */
#define _GNU_SOURCE

#include "tagheap/wipe.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/track.h"
#include "suite.h"

/* Where the tools do not put a function's arrays elsewhere. */
#define LOOKS_AT_STACKS (!TH_TRACK_ASAN && !TH_TRACK_MSAN && !TH_TRACK_VALGRIND)

static void every_byte_and_no_other(void) {
    enum { BYTES = 70, AREA = 100, BEFORE = 16 };
    unsigned char area[AREA];
    for (size_t bytes = 0; bytes <= BYTES; bytes++) {
        memset(area, 0xAA, sizeof area);
        th_memory_wipe(area + BEFORE, bytes);
        for (size_t i = 0; i < AREA; i++) {
            CHECK_EQ(area[i], i >= BEFORE && i < BEFORE + bytes ? 0 : 0xAA);
        }
    }
}

static void nothing_is_wiped(void) {
    unsigned char byte = 7;
    th_memory_wipe(NULL, 0);
    th_memory_wipe(NULL, 100);
    th_memory_wipe(&byte, 0);
    CHECK_EQ(byte, 7);
}

/* ---- a stack that can be read afterwards ---------------------------------------------------- */

enum { SECRET_BYTES = 64, STACK_BYTES = 1 << 16 };

static volatile unsigned char first = 0x80; /* so that no compiler has the secret beforehand */
static bool wipes;

static bool is_secret(const unsigned char *bytes) {
    for (size_t i = 0; i < SECRET_BYTES / 2; i++) {
        if (bytes[i] != (unsigned char)(0x80 + i)) {
            return false;
        }
    }
    return true;
}

static volatile unsigned sum; /* of the secret: it is used */

/* The last thing that it does is to wipe what nobody reads any more. */
static void use_a_secret(int number) {
    unsigned char secret[SECRET_BYTES];
    (void)number;
    for (size_t i = 0; i < SECRET_BYTES; i++) {
        secret[i] = (unsigned char)(first + i);
    }
    for (size_t i = 0; i < SECRET_BYTES; i++) {
        sum += secret[i];
    }
    if (wipes) {
        th_memory_wipe(secret, sizeof secret);
    }
}

/* Is the secret left on the stack of the function that has used it? */
static bool is_left(void) {
    unsigned char *stack = calloc(1, STACK_BYTES);
    const stack_t own = {.ss_sp = stack, .ss_size = STACK_BYTES};
    const stack_t none = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = use_a_secret, .sa_flags = SA_ONSTACK}, before;
    CHECK(stack != NULL && sigaltstack(&own, NULL) == 0);
    CHECK_EQ(sigaction(SIGUSR1, &action, &before), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(sigaction(SIGUSR1, &before, NULL), 0);
    CHECK_EQ(sigaltstack(&none, NULL), 0);
    th_track_release(stack, STACK_BYTES); /* to tools it is below the end of a stack */
    bool found = false;
    for (size_t i = 0; !found && i < STACK_BYTES - SECRET_BYTES; i++) {
        found = is_secret(stack + i);
    }
    free(stack);
    return found;
}

static void a_secret_does_not_stay_on_the_stack(void) {
    if (LOOKS_AT_STACKS) {
        wipes = false;
        CHECK(is_left()); /* or we look in the wrong place */
    }
    wipes = true;
    CHECK(!is_left());
}

TH_SUITE("wipe", TEST(every_byte_and_no_other), TEST(nothing_is_wiped),
         TEST(a_secret_does_not_stay_on_the_stack))
