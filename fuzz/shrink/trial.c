/* SPDX-License-Identifier: MIT */
/* The trial and its child. They share a board, on which the parent writes scripts and the child
 * results, and a pair of sockets, over which one byte says that there is something to read. The
 * child's standard error goes to a file without a name, from which the parent learns what a
 * sanitizer or an assertion said. */
#define _GNU_SOURCE

#include "shrink/trial.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "player/player.h"
#include "shrink/report.h"

enum {
    LIMIT_MS_MIN = 2000,
    OPS_PER_LIMIT_MS = 50,
    PATIENCE_MS = 20000,
    WAITING_SHARE = 10000, /* who waits uses less than this part of the time */
    CHILD_NO_MEMORY = 77   /* exit status */
};

typedef struct board {
    lab_config config;
    size_t count;
    unsigned limit_ms;
    bool keeps_player;
    bool answered;
    lab_property property;
    size_t op;
    uint64_t acted;
    char detail[128];
    char message[256];
    uint64_t op_start_us; /* processor time of the script so far, when the operation began */
    lab_report report;
    lab_op ops[];
} board;

struct lab_trial {
    board *board;
    size_t board_bytes;
    size_t ops_max;
    unsigned limit_ms;
    unsigned patience_ms;
    bool keeps_player;
    bool (*before)(void *context);
    void *context;
    pid_t child; /* 0: none */
    int socket;
    int errors; /* the child's standard error */
};

static uint64_t cpu_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

unsigned lab_trial_limit_ms(size_t ops) {
    size_t most = (UINT32_MAX - LIMIT_MS_MIN) / 2;
    size_t more = ops / OPS_PER_LIMIT_MS;
    return LIMIT_MS_MIN + (unsigned)(more < most ? more : most);
}

lab_trial *lab_trial_new(size_t ops_max) {
    lab_trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL) {
        return NULL;
    }
    trial->ops_max = ops_max;
    trial->board_bytes = sizeof(board) + ops_max * sizeof(lab_op);
    trial->limit_ms = lab_trial_limit_ms(ops_max);
    trial->patience_ms = PATIENCE_MS;
    trial->socket = -1;
    trial->errors = memfd_create("errors", MFD_CLOEXEC);
    trial->board =
        mmap(NULL, trial->board_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (trial->board == MAP_FAILED || trial->errors < 0) {
        trial->board = trial->board == MAP_FAILED ? NULL : trial->board;
        lab_trial_destroy(trial);
        return NULL;
    }
    lab_report_prepare();
    return trial;
}

void lab_trial_set_limit(lab_trial *trial, unsigned limit_ms) {
    trial->limit_ms = limit_ms;
}

void lab_trial_set_patience(lab_trial *trial, unsigned patience_ms) {
    trial->patience_ms = patience_ms;
}

void lab_trial_keep_player(lab_trial *trial) {
    trial->keeps_player = true;
}

void lab_trial_watch(lab_trial *trial, bool (*before)(void *context), void *context) {
    trial->before = before;
    trial->context = context;
}

/* Ends the child, if there is one; returns how it ended. */
static int end_child(lab_trial *trial) {
    int status = 0;
    if (trial->child == 0) {
        return 0;
    }
    (void)close(trial->socket); /* which tells an idle child to go */
    while (waitpid(trial->child, &status, 0) < 0 && errno == EINTR) {
    }
    trial->child = 0;
    trial->socket = -1;
    return status;
}

void lab_trial_destroy(lab_trial *trial) {
    if (trial == NULL) {
        return;
    }
    (void)end_child(trial);
    if (trial->errors >= 0) {
        (void)close(trial->errors);
    }
    if (trial->board != NULL) {
        (void)munmap(trial->board, trial->board_bytes);
    }
    free(trial);
}

/* ---- the child ---------------------------------------------------------------------------- */

typedef struct progress {
    board *board;
    uint64_t start_us;
} progress;

static void note_op(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    progress *p = context;
    (void)heap;
    p->board->op = op == NULL ? 0 : index + 1;
    p->board->op_start_us = cpu_us() - p->start_us;
}

/* Processor time ends the child by SIGPROF, however the script hangs. */
static void arm(unsigned limit_ms) {
    struct itimerval timer = {0};
    timer.it_value.tv_sec = (time_t)(limit_ms / 1000);
    timer.it_value.tv_usec = (suseconds_t)(limit_ms % 1000) * 1000;
    (void)setitimer(ITIMER_PROF, &timer, NULL);
}

/* With the child's player, which this makes and ends. */
static void play(board *b, lab_player **kept) {
    const lab_script script = {
        .config = b->config, .ops = b->ops, .count = b->count, .capacity = b->count};
    progress so_far = {b, cpu_us()};
    lab_run_options options = {.guard = -1, .after_op = note_op, .context = &so_far};
    lab_failure failure;
    lab_run_counts counts = {0};
    arm(b->limit_ms);
    lab_player *player = *kept != NULL ? *kept : lab_player_new();
    if (player == NULL) {
        _exit(CHILD_NO_MEMORY);
    }
    bool passed = lab_player_play(player, &script, &options, &failure, &counts);
    *kept = passed && b->keeps_player ? player : NULL;
    if (*kept == NULL) {
        lab_player_destroy(player);
    }
    arm(0);
    b->property = failure.property;
    b->op = failure.op;
    b->acted = counts.acted - counts.by_kind[LAB_OP_INIT];
    (void)snprintf(b->detail, sizeof b->detail, "%s", failure.detail);
    (void)snprintf(b->message, sizeof b->message, "%s", failure.message);
    b->answered = true;
}

/* Never returns. */
static void serve(lab_trial *trial, int socket) {
    const struct rlimit no_core = {0, 0};
    lab_player *kept = NULL;
    char byte;
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGPROF, SIG_DFL);
    (void)dup2(trial->errors, STDERR_FILENO);
    (void)dup2(trial->errors, STDOUT_FILENO);
    lab_report_begin(&trial->board->report);
    while (recv(socket, &byte, 1, 0) == 1) {
        play(trial->board, &kept);
        if (send(socket, &byte, 1, MSG_NOSIGNAL) != 1) {
            break;
        }
    }
    _exit(0);
}

static bool start_child(lab_trial *trial) {
    int pair[2];
    if (trial->child != 0) {
        return true;
    }
    if (ftruncate(trial->errors, 0) != 0 || lseek(trial->errors, 0, SEEK_SET) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    (void)fflush(NULL); /* or the child could write it a second time */
    trial->child = fork();
    if (trial->child == 0) {
        (void)close(pair[0]);
        serve(trial, pair[1]);
    }
    (void)close(pair[1]);
    if (trial->child < 0) {
        trial->child = 0;
        (void)close(pair[0]);
        return false;
    }
    trial->socket = pair[0];
    return true;
}

/* ---- the parent --------------------------------------------------------------------------- */

static int64_t wall_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The child's processor time so far; 0 if it has none any more. */
static uint64_t child_cpu_us(const lab_trial *trial) {
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(trial->child, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * 1000000u + (uint64_t)used.tv_nsec / 1000u;
}

/* Does the child have something to do, though it may not get to do it? */
static bool child_is_runnable(const lab_trial *trial) {
    char text[512];
    (void)snprintf(text, sizeof text, "/proc/%ld/stat", (long)trial->child);
    FILE *file = fopen(text, "re");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    text[size] = '\0';
    const char *name_end = strrchr(text, ')'); /* "PID (NAME) STATE ..." */
    return name_end != NULL && strncmp(name_end, ") R", 3) == 0;
}

/* Waits for the child's answer. False: there will be none. *late: because it does nothing any more.
 * On a busy machine a child may get little processor time, and needs long for what is allowed. */
static bool wait_for_answer(lab_trial *trial, bool *late) {
    uint64_t used_us = child_cpu_us(trial);
    int64_t end = wall_ms() + trial->patience_ms;
    char byte;
    for (;;) {
        struct pollfd fd = {.fd = trial->socket, .events = POLLIN};
        int64_t left = end - wall_ms();
        int ready = left > 0 ? poll(&fd, 1, (int)left) : 0;
        if (ready == 0) {
            uint64_t now_us = child_cpu_us(trial);
            uint64_t least_us = (uint64_t)trial->patience_ms * 1000 / WAITING_SHARE;
            *late = now_us < used_us + least_us && !child_is_runnable(trial);
            used_us = now_us;
            end = wall_ms() + trial->patience_ms;
        }
        if (*late) {
            return false;
        }
        if (ready > 0) {
            return recv(trial->socket, &byte, 1, 0) == 1 && trial->board->answered;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
}

/* The child has ended, or must end now: what was it? */
static bool describe_end(lab_trial *trial, bool late, lab_outcome *outcome) {
    if (late) {
        (void)kill(trial->child, SIGKILL);
    }
    int status = end_child(trial);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_NO_MEMORY) {
        errno = ENOMEM;
        return false;
    }
    if (late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)) {
        outcome->end = LAB_END_HUNG;
        (void)snprintf(outcome->signature, sizeof outcome->signature, "timeout");
        return true;
    }
    outcome->end = LAB_END_DIED;
    lab_report_describe(&trial->board->report, trial->errors, status, outcome->signature,
                        sizeof outcome->signature);
    return true;
}

static void put(lab_trial *trial, const lab_script *script) {
    board *b = trial->board;
    b->config = script->config;
    b->count = script->count;
    b->limit_ms = trial->limit_ms;
    b->keeps_player = trial->keeps_player;
    b->answered = false;
    b->op = 0;
    b->op_start_us = 0;
    if (script->count > 0) {
        memcpy(b->ops, script->ops, script->count * sizeof *script->ops);
    }
}

bool lab_trial_try(lab_trial *trial, const lab_script *script, lab_outcome *outcome) {
    const board *b = trial->board;
    bool late = false;
    char byte = 0;
    memset(outcome, 0, sizeof *outcome);
    if (trial->before != NULL && !trial->before(trial->context)) {
        errno = ECANCELED;
        return false;
    }
    if (script->count > trial->ops_max) {
        errno = EINVAL;
        return false;
    }
    put(trial, script);
    if (!start_child(trial)) {
        return false;
    }
    bool sent = send(trial->socket, &byte, 1, MSG_NOSIGNAL) == 1;
    bool answered = sent && wait_for_answer(trial, &late);
    bool known = answered || describe_end(trial, late, outcome);
    outcome->op = b->op;
    outcome->start_ms = (unsigned)(b->op_start_us / 1000);
    if (!answered || b->property == LAB_PROPERTY_NONE) {
        outcome->acted = answered ? b->acted : 0;
        return known;
    }
    if (b->property == LAB_PROPERTY_MEMORY) {
        errno = ENOMEM;
        return false;
    }
    outcome->end = LAB_END_FAILED;
    outcome->property = b->property;
    memcpy(outcome->detail, b->detail, sizeof outcome->detail);
    memcpy(outcome->message, b->message, sizeof outcome->message);
    lab_failure_signature(b->property, b->detail, outcome->signature);
    return true;
}

bool lab_trial_settle(lab_trial *trial, const lab_script *script, lab_outcome *outcome,
                      lab_outcome *other, bool *same) {
    *same = true;
    if (!lab_trial_try(trial, script, outcome)) {
        return false;
    }
    for (unsigned i = 1; *same && i < LAB_TRIAL_REPETITIONS; i++) {
        if (!lab_trial_try(trial, script, other)) {
            return false;
        }
        *same = strcmp(other->signature, outcome->signature) == 0;
    }
    return true;
}
