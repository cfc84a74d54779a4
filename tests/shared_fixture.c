/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include "shared_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/track.h"
#include "tagheap/shared_memory.h"

bool shared_next_config(th_shared_heap_config *config, unsigned *turn) {
    static const th_heap_layout layouts[] = {TH_HEAP_LAYOUT_CLASSIC, TH_HEAP_LAYOUT_WIDE,
                                             TH_HEAP_LAYOUT_LEAN};
    enum { LEVELS = 4 };
    while (*turn < 3 * LEVELS) {
        th_heap_layout layout = layouts[*turn / LEVELS];
        int level = (int)(*turn % LEVELS);
        ++*turn;
        if (th_heap_has_layout(layout) && level <= th_guard_max() &&
            (layout != TH_HEAP_LAYOUT_LEAN || level == 0)) {
            *config = (th_shared_heap_config){.layout = layout, .guarding.level = level};
            return true;
        }
    }
    return false;
}

void shared_map(shared_pair *p, size_t bytes) {
    char name[64];
    (void)snprintf(name, sizeof name, "/test_shared-%ld", (long)getpid());
    memset(p, 0, sizeof *p);
    p->bytes = bytes;
    th_file_map maps[2];
    CHECK_EQ(th_shared_memory_open_new(&maps[0], name, bytes, 0600), TH_OK);
    CHECK_EQ(th_shared_memory_open(&maps[1], name, TH_FILE_MAP_SHARED), TH_OK);
    CHECK_EQ(th_shared_memory_remove(name), TH_OK);
    p->memory[0] = maps[0].start;
    p->memory[1] = maps[1].start;
}

void shared_start(shared_pair *p, const th_shared_heap_config *config) {
    shared_map(p, SHARED_BYTES);
    CHECK_EQ(th_shared_heap_init(&p->one, p->memory[0], p->bytes, config), TH_OK);
    CHECK_EQ(th_shared_heap_attach(&p->other, p->memory[1], p->bytes, NULL), TH_OK);
}

void shared_stop(shared_pair *p) {
    th_shared_heap_clean_up(&p->one);
    th_shared_heap_clean_up(&p->other);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(munmap(p->memory[i], p->bytes), 0);
    }
}

static void die_now(int number) {
    (void)number;
    (void)kill(getpid(), SIGKILL);
}

/* AddressSanitizer keeps that signal to itself (allow_user_segv_handler=0), and would take a third
 * of a second to say where a child died that is to die. It calls this before it does. */
#if TH_TRACK_ASAN
static bool is_to_die;

void __asan_on_error(void) {
    if (is_to_die) {
        die_now(SIGSEGV);
    }
}
#endif

void shared_die(shared_pair *p, void (*act)(shared_pair *p)) {
    int status;
    (void)fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        (void)dup2(nowhere, STDERR_FILENO);
        (void)signal(SIGSEGV, die_now);
#if TH_TRACK_ASAN
        is_to_die = true;
#endif
        act(p);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0); /* not by its end */
}

void shared_trap(shared_pair *p, th_shared_ref ref, size_t pages_after) {
    size_t at = (size_t)((unsigned char *)th_shared_heap_at(&p->one, ref) - p->memory[0]);
    size_t page = at / SHARED_PAGE * SHARED_PAGE;
    if (mprotect(p->memory[0] + page, (pages_after + 1) * SHARED_PAGE, PROT_READ) != 0) {
        _exit(0);
    }
}

static unsigned char byte_of(size_t i, unsigned number) {
    return (unsigned char)(i * 7 + i / 256 + number);
}

void shared_fill(th_shared_heap *heap, th_shared_ref ref, size_t count, unsigned number) {
    unsigned char *payload = th_shared_heap_at(heap, ref);
    for (size_t i = 0; i < count; i++) {
        payload[i] = byte_of(i, number);
    }
}

bool shared_holds(const th_shared_heap *heap, th_shared_ref ref, size_t count, unsigned number) {
    const unsigned char *payload = th_shared_heap_at(heap, ref);
    bool same = payload != NULL;
    for (size_t i = 0; same && i < count; i++) {
        same = payload[i] == byte_of(i, number);
    }
    return same;
}
