/* SPDX-License-Identifier: MIT */
/* Whether a byte may be read or written, asked of the system: it answers where an access would be
 * SIGSEGV. */
#ifndef LAB_RESOURCES_PROBE_H
#define LAB_RESOURCES_PROBE_H

#include <stdbool.h>

bool lab_probe_readable(const unsigned char *at);

/* The byte is written, as `value`, if it can be. */
bool lab_probe_writable(unsigned char *at, unsigned char value);

/* Does the page that begins there belong to anything? */
bool lab_probe_mapped(const unsigned char *page);

#endif
