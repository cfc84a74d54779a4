/* SPDX-License-Identifier: MIT */
/* What deaths at stores and deaths at random share: an end for what hangs, and an object that no
 * name leads to. */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kill/kill.h"
#include "tagheap/shared_memory.h"

enum { NAME_BYTES = 64 };

static const char *watched = "";

static void hang(int signal_number) {
    static const char line[] = "killtest: a hang: ";
    (void)signal_number;
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    (void)!write(STDERR_FILENO, watched, strlen(watched));
    (void)!write(STDERR_FILENO, "\n", 1);
    (void)kill(0, SIGKILL); /* those that wait, too: they are of our process group */
}

void lab_kill_watch(const char *what, unsigned seconds) {
    watched = what;
    (void)signal(SIGALRM, hang);
    (void)alarm(seconds);
}

void lab_kill_map(th_file_map maps[2], size_t bytes) {
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "/killtest-%ld", (long)getpid());
    if (th_shared_memory_open_new(&maps[0], name, bytes, 0600) != TH_OK ||
        th_shared_memory_open(&maps[1], name, TH_FILE_MAP_SHARED) != TH_OK ||
        th_shared_memory_remove(name) != TH_OK) {
        perror("killtest: shared memory");
        exit(LAB_KILL_REFUSED);
    }
}
