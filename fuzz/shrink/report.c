/* SPDX-License-Identifier: MIT */
/* Signatures of processes that ended. */
#define _GNU_SOURCE

#include "shrink/report.h"

#include <ctype.h>
#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#endif

#ifndef ASAN
#define ASAN 0
#endif

enum { TEXT_BYTES_MAX = 16384, NAMES_MAX = 256, NAME_BYTES_MAX = 256 };

#if ASAN

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* Frames that say nothing about a failure, because every report comes through them. */
static const char *const reporters[] = {"src/base/fault.c", "src/os/port.c", "fuzz/shrink/"};

static lab_report *current;

void __asan_on_error(void);

/* Called by the sanitizer before it prints its report. */
void __asan_on_error(void) {
    if (current == NULL) {
        return;
    }
    current->frames_count = backtrace(current->frames, LAB_REPORT_FRAMES_MAX);
    (void)snprintf(current->kind, sizeof current->kind, "%s", __asan_get_report_description());
    _exit(1);
}

void lab_report_begin(lab_report *report) {
    current = report;
    report->frames_count = 0;
    report->kind[0] = '\0';
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

static void describe_frames(const lab_report *report, char *signature, size_t capacity) {
    (void)snprintf(signature, capacity, "AddressSanitizer: %s", report->kind);
    for (int i = 0; i < report->frames_count; i++) {
        const char *name = name_frame(report->frames[i]);
        const char *space = strchr(name, ' ');
        const char *path = space == NULL ? NULL : strstr(space, "/src/");
        path = path != NULL || space == NULL ? path : strstr(space, "/fuzz/");
        bool tells = path != NULL && strstr(path, "compiler-rt") == NULL;
        for (size_t k = 0; tells && k < sizeof reporters / sizeof reporters[0]; k++) {
            tells = strncmp(path + 1, reporters[k], strlen(reporters[k])) != 0;
        }
        if (tells) {
            (void)snprintf(signature, capacity, "AddressSanitizer: %s at %.*s %s", report->kind,
                           (int)(space - name), name, path + 1);
            return;
        }
    }
}

#else

void lab_report_begin(lab_report *report) {
    report->frames_count = 0;
    report->kind[0] = '\0';
}

static void describe_frames(const lab_report *report, char *signature, size_t capacity) {
    (void)snprintf(signature, capacity, "%s", report->kind);
}

#endif

void lab_report_prepare(void) {
    void *frame;
    (void)backtrace(&frame, 1); /* its first call loads a library, which needs memory */
}

/* The line of `text` that begins at `at`, into line[0 .. capacity-1]. */
static void copy_line(const char *at, char *line, size_t capacity) {
    (void)snprintf(line, capacity, "%.*s", (int)strcspn(at, "\n"), at);
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
        if (isdigit((unsigned char)*c)) {
            size_t digits = strspn(c, "0123456789abcdefx");
            c += digits;
            signature[used++] = 'N';
        } else {
            signature[used++] = *c++;
        }
    }
    signature[used] = '\0';
    (void)snprintf(signature + used, capacity - used, " at %s", place);
}

void lab_report_describe(lab_report *report, int errors, int status, char *signature,
                         size_t capacity) {
    static char text[TEXT_BYTES_MAX];
    ssize_t size = pread(errors, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    const char *runtime = strstr(text, "runtime error: ");
    const char *panic = strstr(text, "tagheap: ");
    if (report->kind[0] != '\0') {
        describe_frames(report, signature, capacity);
    } else if (runtime != NULL) {
        describe_runtime_error(text, runtime, signature, capacity);
    } else if (panic != NULL) {
        copy_line(panic, signature, capacity);
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(signature, capacity, "signal %d", WTERMSIG(status));
    } else {
        (void)snprintf(signature, capacity, "exit status %d", WEXITSTATUS(status));
    }
}
