/* SPDX-License-Identifier: MIT */
/* Signatures of processes that ended. */
#define _GNU_SOURCE

#include "shrink/report.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program/sanitizer.h"

enum { TEXT_BYTES_MAX = 16384, NAMES_MAX = 256, NAME_BYTES_MAX = 256, STACK_BYTES = 1 << 16 };

static lab_report *current; /* the child's */

#if ASAN

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* Frames that say nothing about a failure, because every report comes through them. */
static const char *const reporters[] = {"src/base/fault.c", "src/os/port.c", "fuzz/shrink/",
                                        "fuzz/engines/"};

void __asan_on_error(void);

/* Of what a wild pointer did there are many descriptions, but the report's last line has one. */
static const char *kind_of_report(void) {
    const char *kind = __asan_get_report_description();
    bool wild = strcmp(kind, "null-deref") == 0 || strncmp(kind, "wild-", 5) == 0;
    return wild ? "SEGV" : kind;
}

/* Called by the sanitizer before it prints its report. */
void __asan_on_error(void) {
    if (current == NULL) {
        return;
    }
    current->frames_count = lab_frames_take(current->frames);
    (void)snprintf(current->kind, sizeof current->kind, "%s", kind_of_report());
    _exit(1);
}

/* "FUNCTION FILE:LINE" of the address, for a frame of the project; else NULL. */
static const char *name_frame(void *address) {
    static struct {
        void *address;
        char name[NAME_BYTES_MAX];
    } names[NAMES_MAX];
    static unsigned used;
    unsigned i = 0;
    while (i < used && names[i].address != address) {
        i++;
    }
    if (i == used) {
        i = used < NAMES_MAX ? used++ : NAMES_MAX - 1;
        names[i].address = address;
        /* A return address is that of the next instruction. */
        __sanitizer_symbolize_pc((char *)address - 1, "%f %s:%l", names[i].name, NAME_BYTES_MAX);
    }
    return names[i].name;
}

/* Where the tree lay when this was compiled, with a slash at the end: known by this file's own
 * path. */
static const char *tree(void) {
    static char path[NAME_BYTES_MAX];
    if (path[0] == '\0') {
        __sanitizer_symbolize_pc((char *)(uintptr_t)lab_report_describe + 1, "%s", path,
                                 sizeof path);
        char *mine = strstr(path, "fuzz/shrink/report.c");
        *(mine != NULL ? mine : path) = '\0';
    }
    return path;
}

/* "FILE:LINE" of a path with it, FILE from the tree's root or, elsewhere, its last name. NULL: it
 * is the system's or a reporter's, and tells nothing. */
static const char *place_that_tells(const char *path) {
    size_t prefix = strlen(tree());
    if (path[0] != '/' || strncmp(path, "/usr/", 5) == 0 || strstr(path, "compiler-rt") != NULL) {
        return NULL;
    }
    if (prefix == 0 || strncmp(path, tree(), prefix) != 0) {
        return strrchr(path, '/') + 1;
    }
    for (size_t i = 0; i < sizeof reporters / sizeof reporters[0]; i++) {
        if (strncmp(path + prefix, reporters[i], strlen(reporters[i])) == 0) {
            return NULL;
        }
    }
    return path + prefix;
}

/* A path as a signature has it. */
static const char *shown(const char *path) {
    const char *tells = place_that_tells(path);
    return tells != NULL ? tells : path;
}

static void describe_report(const lab_report *report, char *signature, size_t capacity) {
    (void)snprintf(signature, capacity, "AddressSanitizer: %s", report->kind);
    for (int i = 0; i < report->frames_count; i++) {
        const char *name = name_frame(report->frames[i]);
        const char *space = strchr(name, ' ');
        const char *where = space != NULL ? place_that_tells(space + 1) : NULL;
        if (where != NULL) {
            (void)snprintf(signature, capacity, "AddressSanitizer: %s at %.*s %s", report->kind,
                           (int)(space - name), name, where);
            return;
        }
    }
}

#else

static const char *shown(const char *path) {
    return path;
}

static void describe_report(const lab_report *report, char *signature, size_t capacity) {
    (void)snprintf(signature, capacity, "%s", report->kind);
}

#endif

/* ---- signals ------------------------------------------------------------------------------ */

static void on_signal(int number) {
    current->frames_count = lab_frames_take(current->frames);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* What a tool handles is the tool's. A subject may use up its stack. */
static void await_signals(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    static char room[STACK_BYTES];
    const stack_t mine = {.ss_sp = room, .ss_size = sizeof room};
    const struct sigaction action = {.sa_flags = SA_ONSTACK, .sa_handler = on_signal};
    struct sigaction before;
    stack_t other = {0}; /* MSan does not know every form of sigaltstack */
    if (sigaltstack(NULL, &other) == 0 && (other.ss_flags & SS_DISABLE) != 0) {
        (void)sigaltstack(&mine, NULL);
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
            (void)sigaction(signals[i], &action, NULL);
        }
    }
}

static void describe_signal(const lab_report *report, int number, char *signature,
                            size_t capacity) {
    char name[LAB_FUNCTION_BYTES_MAX];
    bool named = lab_frames_name(report->frames, report->frames_count, name);
    (void)snprintf(signature, capacity, "signal %d%s%s", number, named ? " at " : "",
                   named ? name : "");
}

void lab_report_prepare(void) {
    lab_frames_prepare();
}

void lab_report_begin(lab_report *report) {
    current = report;
    report->frames_count = 0;
    report->kind[0] = '\0';
    await_signals();
}

/* ---- texts -------------------------------------------------------------------------------- */

/* The panic's line: all of an assertion, of a fault what kind it is, without the numbers. */
static void describe_panic(const char *panic, char *signature, size_t capacity) {
    static const char assertion[] = "tagheap: assertion failed: ";
    bool asserts = strncmp(panic, assertion, sizeof assertion - 1) == 0;
    size_t mark = strcspn(panic, ":") + 1;
    size_t size = asserts ? strcspn(panic, "\n")
                          : mark + strspn(panic + mark, " -abcdefghijklmnopqrstuvwxyz");
    while (size > 0 && panic[size - 1] == ' ') {
        size--;
    }
    (void)snprintf(signature, capacity, "%.*s", (int)size, panic);
}

/* The length of a number, with its sign; 0: there is none. */
static size_t number_at(const char *text) {
    size_t sign = text[0] == '-' ? 1 : 0;
    if (strncmp(text + sign, "0x", 2) == 0) {
        size_t digits = strspn(text + sign + 2, "0123456789abcdef");
        return digits > 0 ? sign + 2 + digits : 0;
    }
    size_t digits = strspn(text + sign, "0123456789");
    return digits > 0 ? sign + digits : 0;
}

/* PATH:LINE:COLUMN: runtime error: TEXT  =>  runtime error: TEXT at PATH:LINE, numbers as N. */
static void describe_runtime_error(const char *text, const char *error, char *signature,
                                   size_t capacity) {
    const char *start = error;
    while (start > text && start[-1] != '\n') {
        start--;
    }
    char place[NAME_BYTES_MAX];
    (void)snprintf(place, sizeof place, "%.*s", (int)(error - start), start);
    for (unsigned colons = 0; colons < 2; colons++) { /* the space's, then the column's */
        char *colon = strrchr(place, ':');
        if (colon != NULL) {
            *colon = '\0';
        }
    }
    size_t used = 0;
    for (const char *c = error; *c != '\0' && *c != '\n' && used + 2 < capacity;) {
        size_t number = number_at(c);
        signature[used++] = number > 0 ? 'N' : *c;
        c += number > 0 ? number : 1;
    }
    signature[used] = '\0';
    (void)snprintf(signature + used, capacity - used, " at %s", shown(place));
}

void lab_report_describe(lab_report *report, int errors, int status, char *signature,
                         size_t capacity) {
    static char text[TEXT_BYTES_MAX];
    ssize_t size = pread(errors, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    const char *runtime = strstr(text, "runtime error: ");
    const char *panic = strstr(text, "tagheap: ");
    if (report->kind[0] != '\0') {
        describe_report(report, signature, capacity);
    } else if (runtime != NULL) {
        describe_runtime_error(text, runtime, signature, capacity);
    } else if (panic != NULL) {
        describe_panic(panic, signature, capacity);
    } else if (WIFSIGNALED(status)) {
        describe_signal(report, WTERMSIG(status), signature, capacity);
    } else {
        (void)snprintf(signature, capacity, "exit status %d", WEXITSTATUS(status));
    }
}
