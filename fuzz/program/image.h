/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_IMAGE_H
#define LAB_PROGRAM_IMAGE_H

#include "program/core.h"

/* Goes on with a copy of the heap in the other arena. */
void copy_heap(void);

#endif
