/* SPDX-License-Identifier: MIT */
/* What deaths at stores and deaths at random share: an end that leaves nothing behind, neither
 * processes nor a name, and a shared memory object. */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "kill/kill.h"
#include "tagheap/shared_memory.h"

enum { NAME_BYTES = 64 };

static const char *watched = "";
static char object_name[NAME_BYTES];

/* Children end with us (lab_kill_fork). */
static void stop(int signal_number) {
    (void)th_shared_memory_remove(object_name);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

void lab_kill_begin(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    (void)snprintf(object_name, sizeof object_name, "/killtest-%ld", (long)getpid());
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (signal(signals[i], stop) == SIG_IGN) {
            (void)signal(signals[i], SIG_IGN);
        }
    }
}

const char *lab_kill_object_name(void) {
    return object_name;
}

pid_t lab_kill_fork(void) {
    pid_t parent = getpid(), child = fork();
    if (child < 0) {
        perror("killtest: fork");
        exit(LAB_KILL_REFUSED);
    }
    if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) {
        _exit(LAB_KILL_REFUSED);
    }
    return child;
}

static void hang(int signal_number) {
    static const char line[] = "killtest: a hang: ";
    (void)signal_number;
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    (void)!write(STDERR_FILENO, watched, strlen(watched));
    (void)!write(STDERR_FILENO, "\n", 1);
    (void)th_shared_memory_remove(object_name);
    _exit(LAB_KILL_FAILED);
}

void lab_kill_watch(const char *what, unsigned seconds) {
    watched = what;
    (void)signal(SIGALRM, hang);
    (void)alarm(seconds);
}

void lab_kill_map(th_file_map maps[2], size_t bytes) {
    if (th_shared_memory_open_new(&maps[0], object_name, bytes, 0600) != TH_OK ||
        th_shared_memory_open(&maps[1], object_name, TH_FILE_MAP_SHARED) != TH_OK ||
        th_shared_memory_remove(object_name) != TH_OK) {
        perror("killtest: shared memory");
        exit(LAB_KILL_REFUSED);
    }
}
