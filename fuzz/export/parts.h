/* SPDX-License-Identifier: MIT */
/* The text of a reproducer that does not depend on the script, in parts: each an array of lines
 * that ends in NULL. A part is printed only if the script needs it. */
#ifndef LAB_EXPORT_PARTS_H
#define LAB_EXPORT_PARTS_H

#include <stddef.h>

extern const char *const lab_part_core[];
extern const char *const lab_part_low_memory[];
extern const char *const lab_part_moves[];
extern const char *const lab_part_copy[];
extern const char *const lab_part_null[];
extern const char *const lab_part_attack[];

#endif
