/* SPDX-License-Identifier: MIT */
/* The end of the program, for Frama-C: it must not come to that. Faults and failed assertions of
 * the library end here. */
#include "tagheap/port.h"

void th_port_panic(const char *line, size_t length) {
    (void)line;
    (void)length;
    //@ assert never: \false;
    for (;;) {
    }
}
