/* SPDX-License-Identifier: MIT */
/* Linked into every program of the cov variant, with --wrap for each function here.
 *
 * clang counts as little as it can: how often a condition was false it computes from how often it
 * was evaluated and how often it was true. A call that never comes back, because the program ends
 * in it or jumps out of it, was evaluated and not true, and would count as false. So a process is
 * trusted only if it came back from everything, up to the end of main. What another one leaves is
 * a cut profile and goes to the file named by TH_CUT_PROFILE; scripts/coverage says what of it
 * counts. What a signal ends leaves no profile at all. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/resource.h>

/* Of the compiler's profile run-time. */
int __llvm_profile_write_file(void);
void __llvm_profile_set_filename(const char *name);

noreturn void __real_abort(void);
noreturn void __real_exit(int status);
noreturn void __real__exit(int status);
noreturn void __real_longjmp(jmp_buf point, int value);
noreturn void __real_siglongjmp(sigjmp_buf point, int value);

noreturn void __wrap_abort(void);
noreturn void __wrap_exit(int status);
noreturn void __wrap__exit(int status);
noreturn void __wrap_longjmp(jmp_buf point, int value);
noreturn void __wrap_siglongjmp(sigjmp_buf point, int value);

/* A test may have limited the size of files, and half a profile is none. */
static void lift_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_FSIZE, &limit);
    }
}

static void cut(void) {
    lift_limit();
    const char *name = getenv("TH_CUT_PROFILE");
    __llvm_profile_set_filename(name != NULL ? name : "/dev/null");
}

void __wrap_abort(void) {
    cut();
    (void)__llvm_profile_write_file();
    __real_abort();
}

void __wrap_exit(int status) {
    cut();
    __real_exit(status);
}

void __wrap__exit(int status) {
    cut();
    (void)__llvm_profile_write_file();
    __real__exit(status);
}

void __wrap_longjmp(jmp_buf point, int value) {
    cut();
    __real_longjmp(point, value);
}

void __wrap_siglongjmp(sigjmp_buf point, int value) {
    cut();
    __real_siglongjmp(point, value);
}
