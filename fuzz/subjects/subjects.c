/* SPDX-License-Identifier: MIT */
#include "subjects/subjects.h"

#include <string.h>

const lab_subject *const lab_subjects[] = {
    &lab_subject_malloc,
    &lab_subject_tagged,
};

const size_t lab_subjects_count = sizeof lab_subjects / sizeof lab_subjects[0];

const lab_subject *lab_subject_find(const char *name) {
    for (size_t i = 0; i < lab_subjects_count; i++) {
        if (strcmp(lab_subjects[i]->name, name) == 0) {
            return lab_subjects[i];
        }
    }
    return NULL;
}

const char *lab_subject_objection(const lab_subject *subject) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    if (subject->version != LAB_SUBJECT_VERSION) {
        return "it was made for another version of heaplab";
    }
    if (subject->name == NULL || subject->name[0] == '\0' ||
        strlen(subject->name) > LAB_SUBJECT_NAME_MAX ||
        strspn(subject->name, letters) != strlen(subject->name)) {
        return "its name must be 1 to 15 letters a-z, digits and '-'";
    }
    if (subject->create == NULL || subject->destroy == NULL) {
        return "it lacks create or destroy";
    }
    return NULL;
}
