/* SPDX-License-Identifier: MIT */
/* Which script is being played, on which subject: what comes to light only when it ends the
 * process, or does not end. */
#define _DEFAULT_SOURCE

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { TEXT_BYTES_MAX = 4096 + 512, STACK_BYTES = 1 << 16 };

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGINT, SIGTERM};

enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* Handlers read these: what is played, as a line begins; empty: nothing is. */
static char played[TEXT_BYTES_MAX];
static const char *clear; /* on a terminal, what stands on the line before */
static time_t start;
static struct sigaction before[SIGNALS];

/* Only what a signal handler may do. */
static void say(const char *what, int number, const char *rest) {
    char line[TEXT_BYTES_MAX + 256];
    char digits[12];
    size_t size = 0;
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    for (; number > 0; number /= 10) {
        digits[--at] = (char)('0' + number % 10);
    }
    const char *const parts[] = {clear, played, what, digits + at, rest, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (const char *from = parts[i]; *from != '\0' && size < sizeof line; from++) {
            line[size++] = *from;
        }
    }
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written;
}

static time_t now_seconds(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void on_alarm(int number) {
    (void)number;
    if (played[0] != '\0') {
        say(" has been played for ", (int)(now_seconds() - start),
            " s; if it hangs: Ctrl-C, then `heaplab minimize`, which ends what takes too long");
        (void)alarm(LAB_CLI_LOG_SECONDS);
    }
}

/* Whoever had the signal before gets it next. A fault comes again by itself. */
static void on_end(int number, siginfo_t *info, void *context) {
    (void)context;
    if (played[0] != '\0') {
        bool asked = number == SIGINT || number == SIGTERM;
        say(asked ? " was being played when signal " : " was ended by signal ", number,
            asked ? " came" : "; `heaplab minimize` outlives that, and makes the script short");
    }
    for (int i = 0; i < SIGNALS; i++) {
        if (signals[i] == number) {
            (void)sigaction(number, &before[i], NULL);
        }
    }
    bool fault = number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL;
    if (!fault || info->si_code <= 0) {
        (void)raise(number);
    }
}

/* A subject may use up its stack. */
static void give_handlers_a_stack(void) {
    static char room[STACK_BYTES];
    const stack_t mine = {.ss_sp = room, .ss_size = sizeof room};
    stack_t other = {0}; /* MSan does not know every form of sigaltstack */
    if (sigaltstack(NULL, &other) == 0 && (other.ss_flags & SS_DISABLE) != 0) {
        (void)sigaltstack(&mine, NULL);
    }
}

static void install_handlers(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK, .sa_sigaction = on_end};
    struct sigaction tick = {.sa_flags = SA_RESTART | SA_ONSTACK, .sa_handler = on_alarm};
    give_handlers_a_stack();
    for (int i = 0; i < SIGNALS; i++) {
        if (sigaction(signals[i], &action, &before[i]) == 0 && before[i].sa_handler == SIG_IGN) {
            (void)sigaction(signals[i], &before[i], NULL);
        }
    }
    (void)sigaction(SIGALRM, &tick, NULL);
}

void lab_cli_playing(const char *name, const char *path, const char *subject, bool ticks) {
    static bool installed;
    if (!installed) {
        installed = true;
        install_handlers();
    }
    (void)snprintf(played, sizeof played, "heaplab %s: %.4096s on subject %s", name, path, subject);
    for (char *at = played; *at != '\0'; at++) {
        *at = (unsigned char)*at < ' ' || *at == 0x7F ? '?' : *at;
    }
    clear = lab_cli_is_terminal() ? "\r\033[K" : "";
    start = now_seconds();
    (void)alarm(ticks ? LAB_CLI_LOG_SECONDS : 0);
}

void lab_cli_still_playing(void) {
    (void)alarm(LAB_CLI_LOG_SECONDS);
}

void lab_cli_played(void) {
    (void)alarm(0);
    played[0] = '\0';
}

const char *lab_cli_what_is_played(void) {
    return played[0] != '\0' ? played : NULL;
}
