/* SPDX-License-Identifier: MIT */
/* heaplab subjects, and what --subject means. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "subjects/subjects.h"

/* Starts this process again, with its own arguments and the room that a library has not found. Does
 * nothing if that has been tried, or cannot be. */
static void start_again_with_room(void) {
    static char words[1 << 20];
    char *argv[4096];
    static char room[] = LAB_PEER_ROOM;
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = file >= 0 ? read(file, words, sizeof words - 1) : 0;
    size_t count = 0;
    if (file >= 0) {
        (void)close(file);
    }
    for (ssize_t at = 0; at < size && count < 4095; at += (ssize_t)strlen(words + at) + 1) {
        argv[count++] = words + at;
    }
    argv[count] = NULL;
    bool whole = size > 0 && size < (ssize_t)sizeof words - 1 && count < 4095;
    if (whole && getenv("GLIBC_TUNABLES") == NULL && putenv(room) == 0) {
        (void)execv("/proc/self/exe", argv);
        (void)unsetenv("GLIBC_TUNABLES");
    }
}

/* Why the subject cannot be played; NULL: it can. */
static const char *find_missing(unsigned number) {
    const lab_subject *subject = lab_subject_at(number);
    const char *missing = subject != NULL ? lab_subject_missing(subject) : NULL;
    if (missing != NULL && strstr(missing, LAB_PEER_NO_ROOM) != NULL) {
        start_again_with_room();
    }
    return missing;
}

int lab_cli_subjects(int argc, char **argv) {
    if (argc > 1) {
        return lab_cli_refuse(argv[0], "unexpected argument", argv[1]);
    }
    for (unsigned i = LAB_SUBJECT_PLUGIN + 1; i < lab_subject_names_count; i++) {
        (void)find_missing(i);
    }
    (void)printf("%-*s  the tagged heap, classic layout, against the exact model\n",
                 LAB_SUBJECT_NAME_MAX, lab_subject_names[LAB_SUBJECT_HEAP]);
    for (unsigned i = LAB_SUBJECT_PLUGIN + 1; i < lab_subject_names_count; i++) {
        const lab_subject *subject = lab_subject_at(i);
        const char *missing = lab_subject_missing(subject);
        (void)printf("%-*s  %s%s%s%s\n", LAB_SUBJECT_NAME_MAX, lab_subject_names[i],
                     subject->purpose, missing != NULL ? " (" : "", missing != NULL ? missing : "",
                     missing != NULL ? ")" : "");
    }
    (void)printf("PATH.so          the subject that a shared object exports "
                 "(docs/your-allocator.md)\n");
    return LAB_CLI_DONE;
}

/* The object stays loaded until the end. */
static int load(const char *name, const char *path) {
    char what[1024];
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        const char *error = dlerror(); /* which names the path */
        return lab_cli_complain(name, error != NULL ? error : path), -1;
    }
    const lab_subject *subject = dlsym(object, LAB_SUBJECT_EXPORT);
    const char *wrong =
        subject != NULL ? lab_subject_error(subject) : "it exports no " LAB_SUBJECT_EXPORT;
    if (wrong != NULL) {
        (void)snprintf(what, sizeof what, "is no subject: %s", wrong);
        return lab_cli_complain_of(name, path, what), -1;
    }
    lab_subject_plug_in(subject);
    return LAB_SUBJECT_PLUGIN;
}

const char *lab_cli_subject_shown(unsigned number) {
    static char shown[2 * LAB_SUBJECT_NAME_MAX + 16];
    const lab_subject *subject = lab_subject_at(number);
    if (number != LAB_SUBJECT_PLUGIN || subject == NULL) {
        return lab_subject_names[number];
    }
    (void)snprintf(shown, sizeof shown, "%.15s (a plug-in)", subject->name);
    return shown;
}

bool lab_cli_has_subject(const char *name, const char *path, unsigned number) {
    char what[1024];
    const lab_subject *subject = lab_subject_at(number);
    const char *missing = subject != NULL ? lab_subject_missing(subject) : NULL;
    if (number == LAB_SUBJECT_PLUGIN && subject == NULL) {
        missing = "not named: --subject ./PATH.so";
    }
    if (missing == NULL) {
        return true;
    }
    (void)snprintf(what, sizeof what, "%s%ssubject %s is %s", path, path[0] != '\0' ? ": " : "",
                   lab_subject_names[number], missing);
    return lab_cli_complain(name, what), false;
}

int lab_cli_subject(const char *name, const char *value) {
    if (strchr(value, '/') != NULL) {
        return load(name, value);
    }
    for (unsigned i = 0; i < lab_subject_names_count; i++) {
        if (i != LAB_SUBJECT_PLUGIN && strcmp(lab_subject_names[i], value) == 0) {
            (void)find_missing(i);
            return lab_cli_has_subject(name, "", i) ? (int)i : -1;
        }
    }
    (void)lab_cli_refuse(name,
                         "unknown subject (`heaplab subjects` lists them; a plug-in's path "
                         "needs a slash)",
                         value);
    return -1;
}
