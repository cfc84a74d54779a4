/* SPDX-License-Identifier: MIT */
/* Ctrl-C as a request to end, for work that has something to say at its end. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>

#include "cli/cli.h"

/* timeout(1) signals us, and then our whole process group: that asks once. */
enum { SAME_REQUEST_MS = 500 };

static volatile sig_atomic_t asked; /* the signal's number */
static int64_t asked_ms;            /* when; of the handler */

static void on_signal(int number) {
    int64_t now_ms = lab_cli_now_ms();
    if (asked == 0) {
        asked = number;
        asked_ms = now_ms;
    } else if (now_ms - asked_ms > SAME_REQUEST_MS) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
}

/* Whoever ignores them, as nohup has it, goes on to do so. */
void lab_cli_await_interrupt(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_flags = SA_RESTART, .sa_handler = on_signal};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)sigaddset(&action.sa_mask, signals[i]);
    }
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

const char *lab_cli_interrupted_by(void) {
    switch (lab_cli_interrupt()) {
    case 0:
        return "";
    case SIGINT:
        return ", ended by Ctrl-C";
    case SIGTERM:
        return ", ended by SIGTERM";
    default:
        return ", ended by SIGHUP";
    }
}

int lab_cli_end_status(int status) {
    int interrupt = lab_cli_interrupt();
    return status == LAB_CLI_DONE && interrupt != 0 ? 128 + interrupt : status;
}
