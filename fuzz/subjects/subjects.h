/* SPDX-License-Identifier: MIT */
/* The subjects by number and by name (lab_subject_names). */
#ifndef LAB_SUBJECTS_SUBJECTS_H
#define LAB_SUBJECTS_SUBJECTS_H

#include "script/script.h"
#include "subjects/subject.h"

/* NULL: the heap, or a plug-in that is not there. */
const lab_subject *lab_subject_at(unsigned number);

/* What is wrong with a subject's table, as a static string; NULL: nothing. */
const char *lab_subject_objection(const lab_subject *subject);

/* The plug-in from here on (LAB_SUBJECT_PLUGIN). A program that lab_subject_export is linked into
 * has that one from the start. */
void lab_subject_plug_in(const lab_subject *subject);

#define LAB_SUBJECT_DECLARE(subject, name) extern const lab_subject lab_subject_##subject;
LAB_SUBJECTS(LAB_SUBJECT_DECLARE)

#endif
