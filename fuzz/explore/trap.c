/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "explore/trap.h"

#include <stddef.h>

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, LAB_TRAP_HANG};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static struct sigaction before[SIGNALS];

static _Thread_local sigjmp_buf *armed;

static void on_signal(int number) {
    sigjmp_buf *point = armed;
    if (point != NULL) {
        armed = NULL;
        siglongjmp(*point, number);
    }
    if (number != LAB_TRAP_HANG) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
}

void lab_trap_install(void) {
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        (void)sigaction(signals[i], &action, &before[i]);
    }
}

void lab_trap_remove(void) {
    for (int i = 0; i < SIGNALS; i++) {
        (void)sigaction(signals[i], &before[i], NULL);
    }
}

void lab_trap_arm(sigjmp_buf *point) {
    armed = point;
}

void lab_trap_disarm(void) {
    armed = NULL;
}
