/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE

#include "worst/count.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the process that is stepped shares with the one that steps it. */
typedef struct shared {
    volatile uint32_t flag;
    volatile uint64_t steps; /* of the last call that was counted */
} shared;

static shared own; /* of a process that nobody steps */
static shared *mark = &own;
static uint64_t blocks_before;

volatile uint32_t *lab_count_flag = &own.flag;

bool lab_count_has_blocks(void) {
    return &lab_blocks_entered != NULL;
}

void lab_count_begin(lab_count_how how) {
    if (how == LAB_COUNT_BLOCKS) {
        blocks_before = lab_blocks_entered;
    } else if (how == LAB_COUNT_STEPS) {
        (void)raise(SIGTRAP); /* from here on we are stepped, until the flag falls */
    }
}

uint64_t lab_count_end(lab_count_how how) {
    switch (how) {
    case LAB_COUNT_BLOCKS:
        return lab_blocks_entered - blocks_before;
    case LAB_COUNT_STEPS:
        return mark->steps;
    case LAB_COUNT_NOTHING:
        break;
    }
    return 0;
}

void lab_count_nothing(void) {
    __asm__ volatile("");
}

static _Noreturn void be_stepped(int (*work)(void *context), void *context) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
        _exit(errno);
    }
    (void)raise(SIGSTOP);
    int status = work(context);
    (void)fflush(NULL);
    _exit(status);
}

/* Waits for the next stop; false: the process has ended. */
static bool await_stop(pid_t process, int *status) {
    pid_t found;
    do {
        found = waitpid(process, status, 0);
    } while (found < 0 && errno == EINTR);
    return found == process && WIFSTOPPED(*status);
}

/* From stop to stop. Between two calls that are counted the process runs freely. */
static int step(pid_t process, int status) {
    bool stepping = false;
    uint64_t steps = 0;
    int number = 0; /* a signal to be handed on */
    for (;;) {
        (void)ptrace(stepping ? PTRACE_SINGLESTEP : PTRACE_CONT, process, NULL,
                     (void *)(ptrdiff_t)number);
        if (!await_stop(process, &status)) {
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
        number = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        if (number != 0) {
            continue;
        }
        if (!stepping) {
            stepping = true;
            steps = 0;
        } else if (mark->flag != 0) {
            steps++;
        } else if (steps > 0) {
            mark->steps = steps;
            stepping = false;
        }
    }
}

int lab_count_stepped(int (*work)(void *context), void *context) {
    int status = 0;
    void *memory =
        mmap(NULL, sizeof *mark, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return -1;
    }
    mark = memory;
    lab_count_flag = &mark->flag;
    (void)fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        be_stepped(work, context);
    }
    int result = -1;
    if (process > 0 && await_stop(process, &status)) {
        (void)ptrace(PTRACE_SETOPTIONS, process, NULL, (void *)(ptrdiff_t)PTRACE_O_EXITKILL);
        result = step(process, status);
    } else if (process > 0) { /* the only way to end without a stop */
        errno = WEXITSTATUS(status);
    }
    int reason = errno;
    mark = &own;
    lab_count_flag = &own.flag;
    (void)munmap(memory, sizeof *mark);
    errno = reason;
    return result;
}
