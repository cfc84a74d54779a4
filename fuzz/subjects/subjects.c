/* SPDX-License-Identifier: MIT */
#include "subjects/subjects.h"

#include <string.h>

/* In the order of lab_subject_names. */
#define ADDRESS(subject, name, family) &lab_subject_##subject,
static const lab_subject *const subjects[] = {
    [LAB_SUBJECT_HEAP] = NULL, [LAB_SUBJECT_PLUGIN] = NULL, LAB_SUBJECTS(ADDRESS)};

enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

extern const lab_subject lab_subject_export __attribute__((weak));

static const lab_subject *plugin;

void lab_subject_plug_in(const lab_subject *subject) {
    plugin = subject;
}

const lab_subject *lab_subject_at(unsigned number) {
    if (number == LAB_SUBJECT_PLUGIN) {
        return plugin != NULL ? plugin : &lab_subject_export;
    }
    return number < SUBJECTS ? subjects[number] : NULL;
}

void lab_subject_choose(lab_config *config, unsigned number) {
    const lab_subject *subject = lab_subject_at(number);
    bool is_plugin = number == LAB_SUBJECT_PLUGIN && subject != NULL;
    config->subject = (uint8_t)number;
    config->plugin_family = (uint8_t)(is_plugin ? lab_subject_family(subject) : 0);
}

const char *lab_subject_missing(const lab_subject *subject) {
    return subject->missing != NULL ? subject->missing() : NULL;
}

const char *lab_subject_error(const lab_subject *subject) {
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
    if (subject->tags != NULL &&
        (subject->tags->alloc == NULL || subject->tags->free_tags == NULL)) {
        return "it has tags, and lacks alloc or free_tags of them";
    }
    if ((subject->flags & LAB_SUBJECT_ZERO_GIVES) != 0 &&
        (subject->flags & LAB_SUBJECT_ZERO_REFUSED) != 0) {
        return "it says of 0 bytes that they are given, and that they are refused";
    }
    if ((subject->flags & LAB_SUBJECT_NEEDS_THREADS) != 0) {
        return "it needs several threads, and scripts are played by one";
    }
    return NULL;
}
