/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "death.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

size_t death_text(void (*act)(void), char text[DEATH_TEXT_BYTES]) {
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    (void)close(ends[1]);
    size_t length = 0;
    for (;;) {
        ssize_t got = read(ends[0], text + length, DEATH_TEXT_BYTES - 1 - length);
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
    }
    text[length] = '\0';
    char *emulators = strstr(text, "qemu: "); /* where qemu runs the program, it says so, too */
    if (emulators != NULL) {
        *emulators = '\0';
        length = (size_t)(emulators - text);
    }
    (void)close(ends[0]);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    return length;
}

void expect_death(void (*act)(void), const char *line) {
    char text[DEATH_TEXT_BYTES];
    size_t length = death_text(act, text);
    size_t expected = strlen(line);
    CHECK(length > expected);
    CHECK_EQ(memcmp(text, line, expected), 0);
    CHECK_EQ(text[expected], '\n');
    CHECK_EQ(length, expected + 1);
}

void expect_assertion(void (*act)(void), const char *file, const char *condition) {
    char text[DEATH_TEXT_BYTES];
    static const char start_of_line[] = "tagheap: assertion failed: ";
    size_t length = death_text(act, text);
    const char *at = strstr(text, file);
    CHECK_EQ(strncmp(text, start_of_line, strlen(start_of_line)), 0);
    CHECK(at != NULL);
    for (at += strlen(file); *at == ':' || isdigit((unsigned char)*at); at++) {
    }
    CHECK_EQ(*at, ' ');
    CHECK_EQ(strncmp(at + 1, condition, strlen(condition)), 0);
    CHECK(at + 1 + strlen(condition) + 1 == text + length);
}

bool holds_in_child(bool (*act)(void *context), void *context) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGSEGV, SIG_DFL);
        _exit(act(context) ? 0 : 1);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool read_byte(void *at) {
    volatile unsigned char value = *(volatile unsigned char *)at;
    (void)value;
    return true;
}

static bool write_byte(void *at) {
    volatile unsigned char *byte = at;
    *byte = *byte;
    return true;
}

bool may_access(unsigned char *at, bool write) {
    return holds_in_child(write ? write_byte : read_byte, at);
}
