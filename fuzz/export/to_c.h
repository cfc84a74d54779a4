/* SPDX-License-Identifier: MIT */
/* Turns a failing script into a C program. One for the heap needs the library only: its region, its
 * fault handler, its contents, the operations in order, and at the failing one what the exact model
 * expects, as constants. One for another subject holds the script and plays it by heaplab's sources
 * (export/replay.h): what is checked of a subject is much, and stands there once. The program
 * prints "reproduced: ..." and exits with 1 if the library fails in the same way; it exits with 0
 * if the library does as the model says, and with 2 if it fails in another way. */
#ifndef LAB_EXPORT_TO_C_H
#define LAB_EXPORT_TO_C_H

#include <stdbool.h>
#include <stdio.h>

#include "script/script.h"
#include "shrink/trial.h"

/* Prints the program for a script that fails as `outcome` says. False: no memory. Write errors are
 * left to ferror(out). `name` is the subject's, for people. */
bool lab_export_c(const lab_script *script, const lab_outcome *outcome, const char *name,
                  FILE *out);

#endif
