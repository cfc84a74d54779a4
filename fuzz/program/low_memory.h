/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_LOW_MEMORY_H
#define LAB_PROGRAM_LOW_MEMORY_H

#include "program/core.h"

extern size_t low_bytes; /* what the low-memory callback must be asked for */

/* The callback. */
bool low_memory(void *context, th_heap *from, size_t bytes);

#endif
