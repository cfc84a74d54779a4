/* SPDX-License-Identifier: MIT */
/* A program that loses memory, in all the ways that a tracker has to tell apart, and ends in all
 * the ways that a program can end.
 *
 *   track_guest SCENARIO [FOLDER]
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, EACH = 50, LINKS = 10, DESCRIPTORS = 256 };

typedef struct link link_of;
struct link {
    link_of *next;
    char *name;
};

static link_of *kept;
static char *kept_inside;

static link_of *make_link(link_of *next) {
    link_of *fresh = malloc(sizeof *fresh);
    fresh->next = next;
    fresh->name = strdup("a name");
    return fresh;
}

static link_of *make_list(int links) {
    link_of *first = NULL;
    for (int i = 0; i < links; i++) {
        first = make_link(first);
    }
    return first;
}

/* One list is lost, another one kept. */
static void lose_list(void) {
    (void)make_list(LINKS);
    kept = make_list(3);
}

static void lose_cycle(void) {
    link_of *one = make_link(NULL), *other = make_link(one);
    one->next = other;
    kept_inside = (char *)malloc(100) + 50;
    link_of *owner = make_link(NULL);
    owner->next = (link_of *)(void *)((char *)malloc(64) + 16); /* from inside of a lost one */
}

/* A function that fails in the middle, and forgets what it has. */
static int fail_early(int step) {
    char *buffer = calloc(10, 10);
    if (step == 0) {
        return -1;
    }
    buffer = realloc(buffer, 5000);
    void *aligned = NULL;
    if (posix_memalign(&aligned, 256, 300) != 0 || step == 1) {
        return -1;
    }
    char *text = strndup("some text", 4);
    if (step == 2) {
        return -1;
    }
    free(text);
    free(aligned);
    free(buffer);
    return 0;
}

static void lose_on_errors(void) {
    for (int step = 0; step < 4; step++) {
        (void)fail_early(step);
        (void)fail_early(step);
    }
}

static void use_sisters(void) {
    char *block = malloc(1);
    block = reallocarray(block, 7, 11);
    memset(block, 1, malloc_usable_size(block));
    block = realloc(block, 1000);
    (void)memalign(64, 101);
    (void)aligned_alloc(32, 128);
    (void)valloc(103);
    (void)pvalloc(104); /* a page */
    free(malloc(0));
    free(realloc(NULL, 5));
    (void)realloc(malloc(6), 0);
    if (realloc(block, PTRDIFF_MAX) != NULL || calloc(SIZE_MAX / 2, 3) != NULL ||
        reallocarray(block, SIZE_MAX / 2, 3) != NULL) {
        abort();
    }
}

static void *work(void *unused) {
    for (int i = 0; i < EACH; i++) {
        void *lost = malloc(32);
        free(malloc((size_t)i + 1));
        (void)lost;
    }
    return unused;
}

static void *wait_forever(void *ready) {
    char *volatile held = malloc(77);
    pthread_barrier_wait(ready);
    for (;;) {
        pause();
    }
    return held;
}

/* And one that still runs in the end, and holds a block on its stack. */
static void use_threads(void) {
    static pthread_barrier_t ready;
    pthread_t threads[THREADS], waiting;
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&waiting, NULL, wait_forever, &ready);
    pthread_barrier_wait(&ready);
    usleep(20000);
}

static void lose(size_t bytes) {
    (void)malloc(bytes);
}

static int wait_for(pid_t child) {
    int status;
    return waitpid(child, &status, 0) == child ? status : -1;
}

static void use_processes(void) {
    pid_t child = fork();
    if (child == 0) {
        lose(1111);
        exit(0);
    }
    wait_for(child);
    child = vfork();
    if (child == 0) {
        _exit(0);
    }
    wait_for(child);
    child = fork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    wait_for(child);
    lose(222);
}

static void use_plugin(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/plugin.so", folder);
    void *plugin = dlopen(path, RTLD_NOW);
    void (*lose_there)(size_t);
    *(void **)(void *)&lose_there = dlsym(plugin, "plugin_loses");
    for (int i = 0; i < 2; i++) {
        lose_there(333);
    }
    dlclose(plugin);
}

int main(int count, char **arguments) {
    const char *what = arguments[1];
    if (strcmp(what, "list") == 0) {
        lose_list();
    } else if (strcmp(what, "cycle") == 0) {
        lose_cycle();
    } else if (strcmp(what, "errors") == 0) {
        lose_on_errors();
    } else if (strcmp(what, "sisters") == 0) {
        use_sisters();
    } else if (strcmp(what, "threads") == 0) {
        use_threads();
    } else if (strcmp(what, "processes") == 0) {
        use_processes();
    } else if (strcmp(what, "plugin") == 0 && count == 3) {
        use_plugin(arguments[2]);
    } else if (strcmp(what, "exec") == 0) {
        lose(999);
        execl(arguments[0], arguments[0], "errors", (char *)NULL);
    } else if (strcmp(what, "exit") == 0) {
        lose(44);
        exit(7);
    } else if (strcmp(what, "_exit") == 0) {
        lose(45);
        _exit(7);
    } else if (strcmp(what, "quick_exit") == 0) {
        lose(46);
        quick_exit(7);
    } else if (strcmp(what, "crash") == 0) {
        lose(55);
        raise(SIGSEGV);
    } else if (strcmp(what, "kill") == 0) {
        lose(66);
        raise(SIGKILL);
    } else if (strcmp(what, "close") == 0) {
        for (int fd = 0; fd < DESCRIPTORS; fd++) {
            close(fd);
        }
        lose(88);
    } else {
        return 3;
    }
    return 0;
}
