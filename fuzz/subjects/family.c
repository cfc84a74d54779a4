/* SPDX-License-Identifier: MIT */
/* Apart from the list of subjects: what plays one of its own needs none of the others. */
#include "subjects/subjects.h"

lab_family lab_subject_family(const lab_subject *subject) {
    return subject->tags != NULL       ? LAB_FAMILY_TAGS
           : subject->rollback != NULL ? LAB_FAMILY_MARKS
           : subject->flip != NULL     ? LAB_FAMILY_FRAMES
                                       : LAB_FAMILY_BLOCKS;
}
