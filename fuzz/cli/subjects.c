/* SPDX-License-Identifier: MIT */
/* heaplab subjects, and what --subject means. */
#include <dlfcn.h>
#include <string.h>

#include "cli/cli.h"
#include "subjects/subjects.h"

int lab_cli_subjects(int argc, char **argv) {
    if (argc > 1) {
        return lab_cli_refuse(argv[0], "unexpected argument", argv[1]);
    }
    (void)printf("%-*s  the tagged heap, classic layout, against the exact model\n",
                 LAB_SUBJECT_NAME_MAX, lab_subject_names[LAB_SUBJECT_HEAP]);
    for (unsigned i = LAB_SUBJECT_PLUGIN + 1; i < lab_subject_names_count; i++) {
        (void)printf("%-*s  %s\n", LAB_SUBJECT_NAME_MAX, lab_subject_names[i],
                     lab_subject_at(i)->purpose);
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
    const char *objection =
        subject != NULL ? lab_subject_objection(subject) : "it exports no " LAB_SUBJECT_EXPORT;
    if (objection != NULL) {
        (void)snprintf(what, sizeof what, "is no subject: %s", objection);
        return lab_cli_complain_of(name, path, what), -1;
    }
    lab_subject_plug_in(subject);
    return LAB_SUBJECT_PLUGIN;
}

int lab_cli_subject(const char *name, const char *value) {
    if (strchr(value, '/') != NULL) {
        return load(name, value);
    }
    for (unsigned i = 0; i < lab_subject_names_count; i++) {
        if (i != LAB_SUBJECT_PLUGIN && strcmp(lab_subject_names[i], value) == 0) {
            return (int)i;
        }
    }
    (void)lab_cli_refuse(name,
                         "unknown subject (`heaplab subjects` lists them; a plug-in's path "
                         "needs a slash)",
                         value);
    return -1;
}
