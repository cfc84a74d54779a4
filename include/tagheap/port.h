/* SPDX-License-Identifier: MIT */
/* The one function that the library needs of its platform. Hosted builds get it from
 * src/os/port.c; on a microcontroller you write it (print to a UART and reset, say). */
#ifndef TAGHEAP_PORT_H
#define TAGHEAP_PORT_H

#include <stddef.h>

#include "tagheap/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reports a line of `length` bytes (no newline, no NUL needed) and ends the program. Must not
 * return, must not allocate, must be callable from any context that calls the library. */
TH_NORETURN void th_port_panic(const char *line, size_t length);

#ifdef __cplusplus
}
#endif
#endif
