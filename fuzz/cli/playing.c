/* SPDX-License-Identifier: MIT */
/* Which script is being played, on which subject: what comes to light only when it ends the
 * process, or does not end. */
#define _DEFAULT_SOURCE

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "script/deeds.h"
#include "script/words.h"
#include "shrink/frames.h"

enum { TEXT_BYTES_MAX = 4096 + 512, STACK_BYTES = 1 << 16 };

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGINT, SIGTERM, SIGHUP};

enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* Handlers read these: what is played, as a line begins; empty: nothing is. */
static char played[TEXT_BYTES_MAX];
static const char *clear; /* on a terminal, what stands on the line before */
static time_t start;
static const lab_script *volatile script; /* NULL: which operation is not known */
static volatile size_t operation;
static struct sigaction before[SIGNALS];

/* The functions from here on to on_end do only what a signal handler may do. */
static void say(lab_line *line) {
    ssize_t written = write(STDERR_FILENO, line->bytes, line->size);
    (void)written;
    line->size = 0;
}

static void put_operation(lab_line *line, const lab_script *of, size_t at) {
    if (of != NULL && at < of->count) {
        lab_put_text(line, " at operation ");
        lab_put_decimal(line, at);
        lab_put_text(line, " (");
        lab_put_text(line, lab_op_word(&of->config, &of->ops[at]));
        lab_put_text(line, ")");
    } else if (of != NULL) {
        lab_put_text(line, " in the end");
    }
}

static time_t now_seconds(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void on_alarm(int number) {
    (void)number;
    if (played[0] != '\0') {
        char text[TEXT_BYTES_MAX + 256];
        lab_line line = {text, 0, sizeof text};
        lab_put_text(&line, clear);
        lab_put_text(&line, played);
        lab_put_text(&line, " has been played for ");
        lab_put_decimal(&line, (size_t)(now_seconds() - start));
        lab_put_text(&line,
                     " s; if it hangs: Ctrl-C, then `heaplab minimize`, which ends what takes "
                     "too long\n");
        say(&line);
        (void)alarm(LAB_CLI_LOG_SECONDS);
    }
}

/* The name of the function comes from files, after the rest has been said. */
static void say_end(int number) {
    char text[TEXT_BYTES_MAX + 256];
    char function[LAB_FUNCTION_BYTES_MAX];
    void *frames[LAB_FRAMES_MAX];
    lab_line line = {text, 0, sizeof text};
    bool asked = number == SIGINT || number == SIGTERM || number == SIGHUP;
    lab_put_text(&line, clear);
    lab_put_text(&line, played);
    lab_put_text(&line, asked ? " was being played when signal " : " was ended by signal ");
    lab_put_decimal(&line, (size_t)number);
    lab_put_text(&line, asked ? " came" : "");
    put_operation(&line, script, operation);
    say(&line);
    if (!asked && lab_frames_name(frames, lab_frames_take(frames), function)) {
        lab_put_text(&line, " in ");
        lab_put_text(&line, function);
    }
    lab_put_text(&line,
                 asked ? "\n" : "; `heaplab minimize` outlives that, and makes the script short\n");
    say(&line);
}

/* Whoever had the signal before gets it next. A fault comes again by itself. */
static void on_end(int number, siginfo_t *info, void *context) {
    (void)context;
    if (played[0] != '\0') {
        say_end(number);
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
    lab_frames_prepare();
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
    script = NULL;
    (void)alarm(ticks ? LAB_CLI_LOG_SECONDS : 0);
}

void lab_cli_at_operation(const lab_script *of, size_t index) {
    operation = index;
    script = of;
}

void lab_cli_still_playing(void) {
    (void)alarm(LAB_CLI_LOG_SECONDS);
}

void lab_cli_played(void) {
    (void)alarm(0);
    played[0] = '\0';
}

const char *lab_cli_what_is_played(void) {
    static char text[TEXT_BYTES_MAX + 64];
    lab_line line = {text, 0, sizeof text - 1};
    lab_put_text(&line, played);
    put_operation(&line, script, operation);
    text[line.size] = '\0';
    return played[0] != '\0' ? text : NULL;
}
