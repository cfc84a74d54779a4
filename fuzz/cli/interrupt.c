/* SPDX-License-Identifier: MIT */
/* Ctrl-C as a wish to end, for work that has something to say at its end. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>

#include "cli/cli.h"

static volatile sig_atomic_t asked; /* the signal's number */

static void on_signal(int number) {
    asked = number;
}

/* Whoever ignores them, as nohup has it, goes on to do so. */
void lab_cli_await_interrupt(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_flags = SA_RESTART | (int)SA_RESETHAND,
                                     .sa_handler = on_signal};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            (void)sigaction(signals[i], &action, NULL);
        }
    }
}

int lab_cli_interrupt(void) {
    return (int)asked;
}
