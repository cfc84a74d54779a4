/* SPDX-License-Identifier: MIT */
/* A fuzz target with known bugs, for testing scripts/fuzz. The environment variable
 * STANDIN_<target> lists what is wrong with it, as words; most bugs wait for an input
 * that begins with two certain bytes. */
#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engines/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void *volatile sink;
static volatile int largest = 2147483647;

static int has(const char *word) {
    static char name[64];
    const char *target = strrchr(program_invocation_short_name, '_');
    (void)snprintf(name, sizeof name, "STANDIN%s", target != NULL ? target : "");
    const char *words = getenv(name);
    return words != NULL && strstr(words, word) != NULL;
}

static void fail(const char *signature) {
    (void)fprintf(stderr, "FAILURE %s\n  expected 1, found 2\n", signature);
    abort();
}

static void overflow(void) {
    char *block = malloc(10);
    sink = block;
    ((volatile char *)sink)[10] = 1;
    free(block);
}

static void leak(void) {
    sink = malloc(10);
    sink = NULL;
}

static void hang(void) {
    for (;;) {
        (void)pause();
    }
}

/* Only where no other process has done so before: as if the machine had been busy. */
static void hang_once(void) {
    FILE *mark = fopen("standin-late", "wx");
    if (mark != NULL) {
        (void)fclose(mark);
        hang();
    }
}

/* What is wrong before the first input. */
__attribute__((constructor)) static void begin(void) {
    if (has("exits")) {
        _exit(0);
    }
    if (has("stuck")) {
        (void)signal(SIGUSR1, SIG_IGN);
        (void)signal(SIGINT, SIG_IGN);
    }
    if (has("never") || has("stuck")) {
        (void)sleep(1000);
    }
}

/* Fails every other time, in whatever process. */
static void fail_at_times(void) {
    if (unlink("standin-flaky") != 0) {
        (void)fclose(fopen("standin-flaky", "w"));
        fail("property=result detail=null op=1 kind=alloc");
    }
}

static void run_bug(unsigned char a, unsigned char b, size_t size) {
    if (a == 'B' && b == '1' && has("bug1")) {
        fail(size % 2 ? "property=blocks detail=size op=7 kind=free"
                      : "property=blocks detail=size op=8 kind=free");
    }
    const char *layout = getenv("LAB_LAYOUT");
    if (layout != NULL && strcmp(layout, "lean") == 0 && has("lean")) {
        fail("property=blocks detail=lean op=0 kind=alloc");
    }
    if (a == '#' && b == ' ' && has("comment")) {
        fail("property=blocks detail=tag op=0 kind=alloc");
    }
    if (a == 'B' && b == '2' && has("bug2")) {
        fail("property=stats detail=used op=3 kind=alloc");
    }
    if (a == 'F' && b == 'L' && has("flaky")) {
        fail_at_times();
    }
    if (a == 'O' && b == 'V' && has("overflow")) {
        overflow();
    }
    if (a == 'U' && b == 'B' && has("undefined")) {
        largest += a;
    }
    if (a == 'L' && b == 'K' && has("leak")) {
        leak();
    }
    if (a == 'H' && b == 'G' && has("hang")) {
        hang();
    }
    if (a == 'L' && b == 'T' && has("late")) {
        hang_once();
    }
    if (a == 'M' && b == 'M' && has("memory")) {
        sink = malloc((size_t)3 << 30);
        free(sink);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static uint64_t inputs;
    inputs++;
    lab_stats_name(0, "checked");
    lab_stats_name(1, has("idle") ? "resize" : "free");
    lab_stats_set(0, has("dead") ? 0 : inputs * 1000);
    lab_stats_set(1, has("idle") ? 0 : inputs);
    if (inputs == 1000 && has("killed")) {
        (void)kill(getpid(), SIGKILL);
    }
    if (size >= 2) {
        run_bug(bytes[0], bytes[1], size);
    }
    if (size == 0 && has("empty")) {
        fail("property=empty detail=none op=0 kind=init");
    }
    return 0;
}
