/* SPDX-License-Identifier: MIT */
/* Crashes and hangs of the code under test, turned into a jump back to whoever tries it: signals
 * that a thread raises by its own mistake, abort, and LAB_TRAP_HANG, which a watchdog sends. */
#ifndef LAB_EXPLORE_TRAP_H
#define LAB_EXPLORE_TRAP_H

/* For sigjmp_buf, whoever includes this. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <setjmp.h>
#include <signal.h>

#define LAB_TRAP_HANG SIGALRM

/* Installs the handlers for the whole process; gives back those that were there before. */
void lab_trap_install(void);
void lab_trap_remove(void);

/* From here to lab_trap_disarm, such a signal in this thread jumps to *point with its number. In
 * a thread that is not armed it does what it does by default; LAB_TRAP_HANG does nothing. */
void lab_trap_arm(sigjmp_buf *point);
void lab_trap_disarm(void);

#endif
