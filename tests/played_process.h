/* SPDX-License-Identifier: MIT */
/* A suite's processes have numbers of its own making: its program's getpid is this one. For one
 * file of a program; not in the archive of fixtures, from which every suite that asks for its
 * number would get it. */
#ifndef TESTS_PLAYED_PROCESS_H
#define TESTS_PLAYED_PROCESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall; where this comes first */
#endif
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pid_t played_process; /* 0: as the system says */

pid_t getpid(void) {
    return played_process != 0 ? played_process : (pid_t)syscall(SYS_getpid);
}

#endif
