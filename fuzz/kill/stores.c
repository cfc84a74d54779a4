/* SPDX-License-Identifier: MIT */
/* Death at each store: a child does the operation one instruction at a time, and after each that
 * has changed the shared memory it is killed, in a run of its own. What the next process makes of
 * it must be the heap before the operation or after it (or after some of its moves). The next
 * process is then killed in its turn, after each change that it makes.
 *
 * What may be there is what a plain tagged heap in memory of our own has, on which the same is
 * played. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill/kill.h"

enum {
    OBJECT_BYTES = 8192,
    STATES_MAX = 16,
    PROBE_TAG = 0x2FFF,
    PROBE_BYTES = 24,
    LOCK_END = 256,    /* the lock lies before it */
    POINTS_MAX = 4096, /* changes of one operation, or one repair */
    PLACES = 16384,    /* instructions, a power of two */
    QUICK_STRIDE = 23  /* of changes of a repair */
};

static_assert(OBJECT_BYTES % 4096 == 0, "whole pages");

typedef struct variant {
    const char *name;
    th_heap_layout layout;
    int guard;
    size_t alignment;
    size_t bytes;
} variant;

static const variant variants[] = {
    {"classic, guard 0, index", TH_HEAP_LAYOUT_CLASSIC, 0, 8, OBJECT_BYTES},
    {"classic, guard 1", TH_HEAP_LAYOUT_CLASSIC, 1, 8, OBJECT_BYTES / 2},
    {"classic, guard 2, index", TH_HEAP_LAYOUT_CLASSIC, 2, 16, OBJECT_BYTES},
    {"classic, guard 3, index", TH_HEAP_LAYOUT_CLASSIC, 3, 4, OBJECT_BYTES},
    {"wide, guard 2", TH_HEAP_LAYOUT_WIDE, 2, 8, OBJECT_BYTES / 2},
    {"lean, index", TH_HEAP_LAYOUT_LEAN, 0, 4, OBJECT_BYTES},
};

/* Where a process is when the shared memory has just changed: it has come to that instruction for
 * the so-manieth time, and has done so many steps of it (string instructions repeat themselves). */
typedef struct point {
    uint64_t at;
    unsigned arrivals;
    unsigned steps;
    uint64_t sum; /* of the memory then */
} point;

/* One play on one variant. */
typedef struct stage {
    const lab_kill_options *options;
    lab_kill_sum *sum;
    const lab_kill_play *play;
    const variant *variant;
    th_file_map maps[2];
    th_shared_heap first;  /* who dies */
    th_shared_heap second; /* who repairs, elsewhere */
    th_shared_heap third;  /* who comes later, and has seen the heap before */
    unsigned char before[OBJECT_BYTES];
    unsigned char dead[OBJECT_BYTES]; /* as the one who died has left it */
    unsigned char seen[OBJECT_BYTES];
    unsigned char after[OBJECT_BYTES];
    lab_kill_state allowed[STATES_MAX];
    unsigned allowed_count;
    uint32_t fresh; /* contents of this block are not known beyond .known */
    size_t known;
    uint64_t reported;
} stage;

static void die(const char *what) {
    fprintf(stderr, "killtest: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- one instruction at a time ------------------------------------------------------------- */

/* Parent and child take turns. */
static void stay_on_one_processor(void) {
    cpu_set_t here;
    int cpu = sched_getcpu();
    if (cpu >= 0) {
        CPU_ZERO(&here);
        CPU_SET((size_t)cpu, &here);
        (void)sched_setaffinity(0, sizeof here, &here);
    }
}

/* What the C libraries call it. */
#ifdef __GLIBC__
typedef enum __ptrace_request request_kind;
#else
typedef int request_kind;
#endif

static long trace(request_kind request, pid_t child, uint64_t address, uint64_t data) {
    errno = 0;
    long result = ptrace(request, child, (void *)(uintptr_t)address, (void *)(uintptr_t)data);
    if (errno != 0) {
        die("ptrace");
    }
    return result;
}

/* A child that is about to do the operation or, without one, what any call does first: repair. */
static pid_t start(th_shared_heap *heap, const lab_kill_op *op) {
    int status;
    pid_t child = lab_kill_fork();
    if (child == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        if (op != NULL) {
            lab_kill_play_op((lab_kill_side){.shared = heap}, op);
        } else if (th_shared_heap_lock(heap) == TH_OK) {
            th_shared_heap_unlock(heap);
        }
        (void)raise(SIGUSR1);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        die("waitpid");
    }
    return child;
}

/* Lets it go on, for one instruction or to the next trap; the signal that stops it, 0: it has
 * ended. */
static int go_on(request_kind request, pid_t child) {
    int status;
    (void)trace(request, child, 0, 0);
    if (waitpid(child, &status, 0) != child) {
        die("waitpid");
    }
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static void end(pid_t child) {
    int status;
    (void)kill(child, SIGKILL);
    do {
        if (waitpid(child, &status, 0) != child) {
            die("waitpid");
        }
    } while (!WIFEXITED(status) && !WIFSIGNALED(status));
}

static uint64_t counter_of(pid_t child) {
    return (uint64_t)trace(PTRACE_PEEKUSER, child, offsetof(struct user_regs_struct, rip), 0);
}

/* A sum over the object. Not over its first bytes, with the lock, which has the number of its
 * holder. */
static uint64_t sum_of(const stage *s) {
    const unsigned char *memory = s->maps[0].start;
    uint64_t sum = 0;
    for (size_t i = LOCK_END; i < s->variant->bytes; i += sizeof sum) {
        uint64_t word;
        memcpy(&word, memory + i, sizeof word);
        sum = (sum ^ word) * UINT64_C(0x100000001B3);
        sum ^= sum >> 29;
    }
    return sum;
}

/* How often each instruction has been come to. */
static unsigned *arrivals_at(uint64_t at) {
    static struct {
        uint64_t at;
        unsigned run;
        unsigned count;
    } table[PLACES];
    static unsigned run;
    if (at == 0) {
        run++;
        return NULL;
    }
    size_t i = (size_t)((at * UINT64_C(0x9E3779B97F4A7C15)) >> 48) % PLACES;
    while (table[i].run == run && table[i].at != at) {
        i = (i + 1) % PLACES;
    }
    if (table[i].run != run) {
        table[i].at = at;
        table[i].run = run;
        table[i].count = 0;
    }
    return &table[i].count;
}

/* Does it all, one instruction after the other, and notes after which of them the shared memory has
 * changed. */
static unsigned discover(stage *s, th_shared_heap *heap, const lab_kill_op *op, point *points) {
    const unsigned char *memory = s->maps[0].start;
    size_t bytes = s->variant->bytes;
    unsigned count = 0;
    uint64_t last = 0;
    point here = {0};
    (void)arrivals_at(0);
    memcpy(s->seen, memory, bytes);
    pid_t child = start(heap, op);
    for (;;) {
        uint64_t at = counter_of(child);
        if (at != last) { /* else it goes on with what repeats itself */
            here = (point){.at = at, .arrivals = ++*arrivals_at(at)};
        }
        last = at;
        here.steps++;
        int stopped = go_on(PTRACE_SINGLESTEP, child);
        if (stopped != SIGTRAP) {
            if (stopped != SIGUSR1) {
                printf("  %s: %s: the process has ended by itself\n", s->variant->name,
                       s->play->name);
                s->sum->failures++;
            }
            break;
        }
        if (memcmp(s->seen, memory, bytes) != 0) {
            memcpy(s->seen, memory, bytes);
            here.sum = sum_of(s);
            if (count == POINTS_MAX) {
                fprintf(stderr, "killtest: %s: too many changes\n", s->play->name);
                exit(2);
            }
            points[count++] = here;
        }
    }
    end(child);
    return count;
}

/* Lets a child come to that point, by way of a breakpoint, and kills it there. */
static void kill_at(stage *s, th_shared_heap *heap, const lab_kill_op *op, const point *there) {
    const uint64_t trap = 0xCC;
    pid_t child = start(heap, op);
    uint64_t code = (uint64_t)trace(PTRACE_PEEKTEXT, child, there->at, 0);
    uint64_t stop = (code & ~(uint64_t)0xFF) | trap;
    for (unsigned i = 0; i < there->arrivals; i++) {
        (void)trace(PTRACE_POKETEXT, child, there->at, stop);
        if (go_on(PTRACE_CONT, child) != SIGTRAP || counter_of(child) != there->at + 1) {
            fprintf(stderr, "killtest: %s: a run is not like the one before\n", s->play->name);
            exit(2);
        }
        (void)trace(PTRACE_POKETEXT, child, there->at, code);
        (void)trace(PTRACE_POKEUSER, child, offsetof(struct user_regs_struct, rip), there->at);
        while (i + 1 < there->arrivals && counter_of(child) == there->at) {
            (void)go_on(PTRACE_SINGLESTEP, child);
        }
    }
    for (unsigned i = 0; i < there->steps; i++) {
        (void)go_on(PTRACE_SINGLESTEP, child);
    }
    end(child);
    if (sum_of(s) != there->sum) {
        fprintf(stderr, "killtest: %s: a run is not like the one before\n", s->play->name);
        exit(2);
    }
}

/* ---- what the next one finds --------------------------------------------------------------- */

static void report(stage *s, const char *what, unsigned change, int nested, th_status status) {
    s->sum->failures++;
    if (s->reported++ >= 3) {
        return;
    }
    printf("  FAILED %s: %s: killed after change %u", s->variant->name, s->play->name, change);
    if (nested >= 0) {
        printf(", and in the repair after change %d", nested);
    }
    printf(": %s (%s)\n", what, th_status_name(status));
    if (status == TH_OK) {
        lab_kill_state now;
        lab_kill_look(&s->second.heap, s->fresh, s->known, &now);
        lab_kill_print("found", &now);
        lab_kill_print("before", &s->allowed[0]);
        lab_kill_print("after", &s->allowed[s->allowed_count - 1]);
    }
}

static bool is_allowed(const stage *s, const th_heap *heap) {
    lab_kill_state now;
    lab_kill_look(heap, s->fresh, s->known, &now);
    bool same = false;
    for (unsigned i = 0; i < s->allowed_count && !same; i++) {
        same = lab_kill_same(&now, &s->allowed[i]);
    }
    return same;
}

/* Repairs, looks, and works on, as two processes that come after the dead one. */
static void expect_repaired(stage *s, unsigned change, int nested) {
    const th_shared_heap second = s->second;
    const th_shared_heap third = s->third;
    lab_kill_watch(s->play->name, s->options->seconds);
    th_fault fault;
    th_status status = th_shared_heap_check(&s->second, &fault);
    s->sum->repairs += s->second.repairs != second.repairs;
    if (status != TH_OK) {
        report(s, "the heap is not sound", change, nested, status);
    } else if (!lab_kill_is_used(&s->second.heap)) {
        report(s, "a block lies where nothing was ever used", change, nested, TH_OK);
    } else if (!is_allowed(s, &s->second.heap)) {
        report(s, "neither before nor after", change, nested, TH_OK);
    } else if (th_shared_heap_check(&s->third, &fault) != TH_OK || !is_allowed(s, &s->third.heap)) {
        report(s, "another process does not see it", change, nested,
               th_shared_heap_status(&s->third));
    } else {
        th_shared_ref probe = th_shared_heap_alloc(&s->third, PROBE_BYTES, PROBE_TAG);
        bool made = probe != 0;
        if (made) {
            memset(th_shared_heap_at(&s->third, probe), 0x77, PROBE_BYTES);
        }
        /* Two operations, which the third process has to notice. */
        bool freed = th_shared_heap_free(&s->second, probe) != 0;
        probe = th_shared_heap_alloc(&s->second, 2 * PROBE_BYTES, PROBE_TAG);
        made = made && probe != 0;
        freed = freed && th_shared_heap_check(&s->third, &fault) == TH_OK &&
                th_shared_heap_free(&s->third, probe) != 0;
        if (!made || !freed || th_shared_heap_check(&s->second, &fault) != TH_OK ||
            !is_allowed(s, &s->second.heap)) {
            report(s, "it does not work on", change, nested, th_shared_heap_status(&s->second));
        }
    }
    s->second = second;
    s->third = third;
}

/* The next process dies, too: after each change that it makes. */
static void die_again(stage *s, unsigned change) {
    static point points[POINTS_MAX];
    unsigned char *memory = s->maps[0].start;
    size_t bytes = s->variant->bytes;
    memcpy(s->dead, memory, bytes);
    unsigned count = discover(s, &s->second, NULL, points);
    for (unsigned i = 0; i < count; i += s->options->quick ? QUICK_STRIDE : 1) {
        memcpy(memory, s->dead, bytes);
        kill_at(s, &s->second, NULL, &points[i]);
        s->sum->nested_deaths++;
        expect_repaired(s, change, (int)i + 1);
    }
    memcpy(memory, s->dead, bytes);
}

/* ---- the plays ----------------------------------------------------------------------------- */

/* Everything that may be there, from a heap of our own that is divided in the same way. */
static void foresee(stage *s) {
    static _Alignas(TH_SHARED_HEAP_ALIGNMENT_MAX) unsigned char memory[OBJECT_BYTES];
    size_t start = (size_t)(s->first.heap.base - (unsigned char *)s->maps[0].start);
    th_heap plain;
    const th_heap_config config = {.alignment = s->variant->alignment,
                                   .layout = s->variant->layout,
                                   .guarding.level = s->variant->guard,
                                   .index = TH_HEAP_INDEX_NONE};
    const lab_kill_side side = {.plain = &plain};
    const lab_kill_op *op = &s->play->op;
    memset(memory, 0, sizeof memory);
    if (th_heap_init(&plain, memory + start, s->variant->bytes - start, &config) != TH_OK) {
        die("th_heap_init");
    }
    for (unsigned i = 0; i < s->play->setup_count; i++) {
        lab_kill_play_op(side, &s->play->setup[i]);
        lab_kill_fill(side, &s->play->setup[i]);
    }
    s->fresh = op->verb == LAB_KILL_ALLOC || op->verb == LAB_KILL_RESIZE ? op->tag : 0;
    s->known = 0;
    for (unsigned i = 0; i < s->play->setup_count; i++) {
        const lab_kill_op *was = &s->play->setup[i];
        if (op->verb == LAB_KILL_RESIZE && was->tag == op->tag) {
            s->known = op->bytes < was->bytes ? op->bytes : was->bytes;
        }
    }
    lab_kill_look(&plain, s->fresh, s->known, &s->allowed[0]);
    s->allowed_count = 1;
    lab_kill_op step = *op;
    step.bytes = op->verb == LAB_KILL_COMPACT ? 1 : op->bytes;
    do {
        lab_kill_play_op(side, &step);
        lab_kill_look(&plain, s->fresh, s->known, &s->allowed[s->allowed_count]);
        s->allowed_count++;
    } while (op->verb == LAB_KILL_COMPACT && op->bytes == SIZE_MAX && plain.compact_cursor != 0 &&
             s->allowed_count < STATES_MAX);
}

static void set_up(stage *s) {
    const th_shared_heap_config config = {.alignment = s->variant->alignment,
                                          .layout = s->variant->layout,
                                          .guarding.level = s->variant->guard};
    lab_kill_map(s->maps, s->variant->bytes);
    if (th_shared_heap_init(&s->first, s->maps[0].start, s->variant->bytes, &config) != TH_OK) {
        die("th_shared_heap_init");
    }
    const lab_kill_side side = {.shared = &s->first};
    for (unsigned i = 0; i < s->play->setup_count; i++) {
        lab_kill_play_op(side, &s->play->setup[i]);
        lab_kill_fill(side, &s->play->setup[i]);
    }
    if (th_shared_heap_attach(&s->second, s->maps[1].start, s->variant->bytes, NULL) != TH_OK ||
        th_shared_heap_attach(&s->third, s->maps[1].start, s->variant->bytes, NULL) != TH_OK) {
        die("th_shared_heap_attach");
    }
    memcpy(s->before, s->maps[0].start, s->variant->bytes);
    foresee(s);
}

static void play(stage *s) {
    static point points[POINTS_MAX];
    unsigned stride = s->options->stride;
    set_up(s);
    unsigned char *memory = s->maps[0].start;
    unsigned count = discover(s, &s->first, &s->play->op, points);
    memcpy(s->after, memory, s->variant->bytes);
    unsigned every = s->options->nested != 0 ? count / s->options->nested + 1 : POINTS_MAX + 1;
    unsigned next = s->options->nested != 0 ? every / 2 : POINTS_MAX;
    for (unsigned i = 0; i < count; i += stride) {
        memcpy(memory, s->before, s->variant->bytes);
        kill_at(s, &s->first, &s->play->op, &points[i]);
        s->sum->deaths++;
        if (i >= next) {
            next += every;
            die_again(s, i + 1);
        }
        expect_repaired(s, i + 1, -1);
    }
    s->sum->plays++;
    /* It has come to its end: the heap is what it is after the operation. */
    memcpy(memory, s->after, s->variant->bytes);
    s->allowed[0] = s->allowed[s->allowed_count - 1];
    s->allowed_count = 1;
    expect_repaired(s, 0, -1);
    th_file_map_close(&s->maps[0]);
    th_file_map_close(&s->maps[1]);
}

void lab_kill_at_stores(const lab_kill_options *options, lab_kill_sum *sum) {
    static stage s;
    stay_on_one_processor();
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v += options->quick ? 2 : 1) {
        if (!th_heap_has_layout(variants[v].layout) || variants[v].guard > th_guard_max()) {
            continue;
        }
        lab_kill_sum before = *sum;
        for (size_t i = 0; i < lab_kill_plays_count; i++) {
            if (options->quick && sum->failures > 0) {
                return;
            }
            if (options->only == NULL || strstr(lab_kill_plays[i].name, options->only) != NULL) {
                s = (stage){.options = options,
                            .sum = sum,
                            .play = &lab_kill_plays[i],
                            .variant = &variants[v]};
                play(&s);
            }
        }
        printf("%s: %llu operations, %llu deaths, %llu deaths in repairs, %llu failed\n",
               variants[v].name, (unsigned long long)(sum->plays - before.plays),
               (unsigned long long)(sum->deaths - before.deaths),
               (unsigned long long)(sum->nested_deaths - before.nested_deaths),
               (unsigned long long)(sum->failures - before.failures));
        (void)fflush(stdout);
    }
}
