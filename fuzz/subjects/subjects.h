/* SPDX-License-Identifier: MIT */
/* The subjects that are built in. */
#ifndef LAB_SUBJECTS_SUBJECTS_H
#define LAB_SUBJECTS_SUBJECTS_H

#include "subjects/subject.h"

/* In the order of their numbers, which the fuzz target's inputs are made of: new ones are added at
 * the end. */
extern const lab_subject *const lab_subjects[];
extern const size_t lab_subjects_count;

/* NULL: there is none of that name. */
const lab_subject *lab_subject_find(const char *name);

/* What is wrong with a subject's table, as a static string; NULL: nothing. */
const char *lab_subject_objection(const lab_subject *subject);

extern const lab_subject lab_subject_malloc;
extern const lab_subject lab_subject_tagged;

#endif
