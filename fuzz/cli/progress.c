/* SPDX-License-Identifier: MIT */
/* How far the work is, on standard error. */
#define _POSIX_C_SOURCE 200809L

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { REFRESH_MS = 100 };

int64_t lab_cli_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool lab_cli_is_terminal(void) {
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

void lab_cli_progress_begin(lab_cli_progress *progress) {
    progress->terminal = lab_cli_is_terminal();
    progress->interval_ms = progress->terminal ? REFRESH_MS : LAB_CLI_LOG_SECONDS * 1000;
    progress->next_ms = lab_cli_now_ms() + (progress->terminal ? 0 : progress->interval_ms);
}

bool lab_cli_progress_is_due(lab_cli_progress *progress) {
    int64_t now = lab_cli_now_ms();
    bool due = now >= progress->next_ms;
    if (due) {
        progress->next_ms = now + progress->interval_ms;
    }
    return due;
}

void lab_cli_progress_show(const lab_cli_progress *progress, const char *format, ...) {
    va_list arguments;
    (void)fputs(progress->terminal ? "\r\033[K" : "", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputs(progress->terminal ? "" : "\n", stderr);
    (void)fflush(stderr);
}

void lab_cli_progress_end(const lab_cli_progress *progress) {
    if (progress->terminal) {
        (void)fputs("\r\033[K", stderr);
    }
}
