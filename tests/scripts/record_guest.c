/* SPDX-License-Identifier: MIT */
/* A program that uses up, gives away or forbids itself what the recorder might need, and then
 * allocates more than one piece of the trace holds. What it prints must be the same with and
 * without the recorder.
 *
 *   record_guest SCENARIO...     performed one after the other
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS      5000 /* two records each: five pieces of the trace */
#define THREADS     16
#define NOBODY      65534
#define DESCRIPTORS 256
#define SHORT_BYTES (3 * 65536 - 4096) /* all but the last page of the second piece */
#define ODD_ERRNO   77
#define TIGHT_BYTES (1 << 20)

static volatile sig_atomic_t asked;

static void demand(int holds, const char *what) {
    if (!holds) {
        dprintf(STDOUT_FILENO, "FAILED: %s\n", what);
        _exit(99);
    }
}

static void work(void) {
    for (int i = 0; i < ROUNDS; i++) {
        errno = ODD_ERRNO;
        void *volatile block = malloc(16 + (size_t)i % 100);
        demand(block != NULL, "malloc");
        free(block);
        demand(errno == ODD_ERRNO, "errno is kept");
    }
}

static void *work_in_thread(void *unused) {
    work();
    return unused;
}

static void use_threads(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        demand(pthread_create(&threads[i], NULL, work_in_thread, NULL) == 0, "a thread");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- what a program can know of itself ------------------------------------------------------ */

static void print_self(void) {
    sigset_t mask;
    struct sigaction action;
    struct rlimit limit;
    char folder[PATH_MAX];
    mode_t before = umask(0);
    umask(before);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    dprintf(STDOUT_FILENO, "umask %o, in %s, with its parent %d, descriptors", (unsigned)before,
            getcwd(folder, sizeof folder),
            getpgrp() == getpgid(getppid()) && getsid(0) == getsid(getppid()));
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (fcntl(i, F_GETFD) >= 0) {
            dprintf(STDOUT_FILENO, " %d", i);
        }
    }
    dprintf(STDOUT_FILENO, ", signals");
    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &action) == 0 &&
            (action.sa_handler != SIG_DFL || sigismember(&mask, i) == 1)) {
            dprintf(STDOUT_FILENO, " %d", i);
        }
    }
    dprintf(STDOUT_FILENO, ", limits");
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        getrlimit(i, &limit);
        dprintf(STDOUT_FILENO, " %ju", (uintmax_t)limit.rlim_cur);
    }
    dprintf(STDOUT_FILENO, "\n");
}

/* ---- what it does to itself ----------------------------------------------------------------- */

static void limit_to(int which, rlim_t bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    demand(setrlimit(which, &limit) == 0, "setrlimit");
}

static unsigned long count_pages(void) {
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY);
    demand(read(fd, text, sizeof text - 1) > 0, "statm");
    close(fd);
    return strtoul(text, NULL, 10);
}

/* The addresses in use, and as many more. */
static void limit_addresses(rlim_t more) {
    limit_to(RLIMIT_AS, count_pages() * (rlim_t)sysconf(_SC_PAGESIZE) + more);
}

static void print_growth(void) {
    unsigned long before = count_pages();
    work();
    dprintf(STDOUT_FILENO, "%lu pages more\n", count_pages() - before);
}

static void take_all_descriptors(void) {
    int count = 0;
    limit_to(RLIMIT_NOFILE, DESCRIPTORS);
    while (open("/dev/null", O_RDONLY) >= 0) {
        count++;
    }
    dprintf(STDOUT_FILENO, "%d more descriptors\n", count);
}

static void close_all_descriptors(void) {
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (i != STDOUT_FILENO) {
            close(i);
        }
    }
}

/* As a full disk: there is no more of the file. */
static void shorten_the_trace(void) {
    const char *path = getenv("LAB_RECORD_FILE");
    demand(path == NULL || truncate(path, SHORT_BYTES) == 0, "truncate");
}

static void fork_and_exec(void) {
    int status = 0;
    char name[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", name, sizeof name - 1);
    name[length < 0 ? 0 : length] = '\0';
    pid_t child = fork();
    if (child == 0) {
        work();
        execl(name, name, "work", "say", (char *)NULL);
        _exit(98);
    }
    work();
    demand(waitpid(child, &status, 0) == child, "waitpid");
    dprintf(STDOUT_FILENO, "the child ended with %d\n", WEXITSTATUS(status));
}

static void on_request(int number) {
    asked = number;
}

static void wait_for_a_request(void) {
    const struct sigaction action = {.sa_handler = on_request};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    dprintf(STDOUT_FILENO, "ready %d\n", (int)getpid());
    while (asked == 0) {
        work();
        usleep(1000);
    }
    dprintf(STDOUT_FILENO, "asked by %d\n", (int)asked);
    exit(5);
}

static void ignore_requests(void) {
    signal(SIGTERM, SIG_IGN);
    dprintf(STDOUT_FILENO, "ready %d\n", (int)getpid());
    for (;;) {
        work();
        usleep(1000);
    }
}

static void go_into_the_background(void) {
    if (fork() != 0) {
        _exit(6);
    }
    setsid();
    usleep(300000);
    work();
    demand(write(STDOUT_FILENO, "from the background\n", 20) == 20, "write");
    _exit(7);
}

static void write_too_much(void) {
    char bytes[4096] = "";
    int fd = open("too-much", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    signal(SIGXFSZ, on_request);
    while (write(fd, bytes, sizeof bytes) > 0) {
    }
    dprintf(STDOUT_FILENO, "signal %d, %s\n", (int)asked, strerror(errno));
    close(fd);
}

static void perform(const char *scenario) {
    static const struct {
        const char *name;
        void (*act)(void);
    } acts[] = {
        {"work", work},
        {"threads", use_threads},
        {"self", print_self},
        {"growth", print_growth},
        {"take-descriptors", take_all_descriptors},
        {"close-descriptors", close_all_descriptors},
        {"shorten", shorten_the_trace},
        {"exec", fork_and_exec},
        {"daemon", wait_for_a_request},
        {"stubborn", ignore_requests},
        {"background", go_into_the_background},
        {"write", write_too_much},
    };
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(scenario, acts[i].name) == 0) {
            acts[i].act();
            return;
        }
    }
    if (strcmp(scenario, "nobody") == 0) {
        demand(setgid(NOBODY) == 0 && setuid(NOBODY) == 0, "setuid");
    } else if (strcmp(scenario, "root") == 0) {
        demand(mkdir("jail", 0700) == 0 && chroot("jail") == 0 && chdir("/") == 0, "chroot");
    } else if (strcmp(scenario, "file-limit") == 0) {
        limit_to(RLIMIT_FSIZE, 8192);
    } else if (strcmp(scenario, "memory-limit") == 0) {
        limit_addresses(TIGHT_BYTES);
    } else if (strcmp(scenario, "no-more-memory") == 0) {
        limit_addresses(0);
    } else if (strcmp(scenario, "kill") == 0) {
        raise(SIGSEGV);
    } else {
        dprintf(STDOUT_FILENO, "%s\n", scenario);
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        perform(argv[i]);
    }
    return 3;
}
