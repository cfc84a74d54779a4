/* SPDX-License-Identifier: MIT */
/* Where a signal struck, as the name of a function: taken from the symbol tables of the files that
 * the process was loaded from, so that static functions have names too, without a tool. Both calls
 * use no heap and may be made in a signal's handler. */
#ifndef LAB_SHRINK_FRAMES_H
#define LAB_SHRINK_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#define LAB_FRAMES_MAX         64
#define LAB_FUNCTION_BYTES_MAX 128

/* Once, before the first handler is installed: the first call of backtrace needs memory. */
void lab_frames_prepare(void);

/* In a signal's handler: the addresses of this stack, innermost first. Returns how many. */
int lab_frames_take(void *frames[LAB_FRAMES_MAX]);

/* The innermost function above the signal that belongs neither to the C library nor to a sanitizer,
 * of frames taken in this process, or in one that it has forked. False: it has no name. */
bool lab_frames_name(void *const *frames, int count, char name[LAB_FUNCTION_BYTES_MAX]);

#endif
