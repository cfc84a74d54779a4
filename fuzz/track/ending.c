/* SPDX-License-Identifier: MIT */
/* The ways out of a program: main returns, exit, quick_exit, _exit. The first three come to our
 * destructor; what of the stack was still the program's is noted on the way, because the functions
 * that are called in between leave their traces where main's variables were. */
#define _GNU_SOURCE
#include "track/ending.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/preload.h"

typedef int main_function(int count, char **arguments, char **environment);

static main_function *program_main;
static uintptr_t stack_at_end;

#define STACK_HERE ((uintptr_t)__builtin_frame_address(0))

static int run_main(int count, char **arguments, char **environment) {
    int status = program_main(count, arguments, environment);
    stack_at_end = STACK_HERE;
    return status;
}

/* The C library's own start calls main by this. */
LAB_PRELOAD_PUBLIC int __libc_start_main(main_function *main, int count, char **arguments,
                                         void (*start)(void), void (*end)(void),
                                         void (*linker_end)(void), void *stack) {
    int (*real)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                void *);
    lab_preload_real(&real, "__libc_start_main");
    program_main = main;
    return real(run_main, count, arguments, start, end, linker_end, stack);
}

LAB_PRELOAD_PUBLIC void exit(int status) {
    void (*real)(int) __attribute__((noreturn));
    stack_at_end = STACK_HERE;
    lab_preload_real(&real, "exit");
    real(status);
}

LAB_PRELOAD_PUBLIC void quick_exit(int status) {
    void (*real)(int) __attribute__((noreturn));
    stack_at_end = STACK_HERE;
    lab_track_end(STACK_HERE);
    lab_preload_real(&real, "quick_exit");
    real(status);
}

LAB_PRELOAD_PUBLIC void _exit(int status) {
    lab_track_end(STACK_HERE);
    for (;;) {
        (void)syscall(SYS_exit_group, status);
    }
}

LAB_PRELOAD_PUBLIC void _Exit(int status) {
    _exit(status);
}

__attribute__((destructor)) static void destruct(void) {
    lab_track_end(stack_at_end != 0 ? stack_at_end : STACK_HERE);
}
