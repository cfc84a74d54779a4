/* SPDX-License-Identifier: MIT */
/* The subjects by number and by name (lab_subject_names). */
#ifndef LAB_SUBJECTS_SUBJECTS_H
#define LAB_SUBJECTS_SUBJECTS_H

#include "script/script.h"
#include "subjects/subject.h"

/* NULL: the heap, or a plug-in that is not there. */
const lab_subject *lab_subject_at(unsigned number);

/* The family that the subject belongs to, by what it can do. */
lab_family lab_subject_family(const lab_subject *subject);

/* The script is for that subject from here on. */
void lab_subject_choose(lab_config *config, unsigned number);

/* What keeps the subject from being played here, as a static string; NULL: nothing. */
const char *lab_subject_missing(const lab_subject *subject);

/* Part of what is missing where a peer's library finds no room for its thread-local variables; the
 * environment variable that makes room has to be there when the process starts. */
#define LAB_PEER_NO_ROOM "static TLS"
#define LAB_PEER_ROOM    "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384"

/* What is wrong with a subject's table, as a static string; NULL: nothing. */
const char *lab_subject_error(const lab_subject *subject);

/* The plug-in from here on (LAB_SUBJECT_PLUGIN). A program that lab_subject_export is linked into
 * has that one from the start. */
void lab_subject_plug_in(const lab_subject *subject);

#define LAB_SUBJECT_DECLARE(subject, name, family) extern const lab_subject lab_subject_##subject;
LAB_SUBJECTS(LAB_SUBJECT_DECLARE)

#endif
