/* SPDX-License-Identifier: MIT */
/* How a program ends by itself. */
#ifndef LAB_TRACK_ENDING_H
#define LAB_TRACK_ENDING_H

#include <stdint.h>

/* Called once (further calls do nothing) when the program ends by itself. What of this thread's
 * stack lies below the address is no concern of the program's any more. */
void lab_track_end(uintptr_t stack);

#endif
