/* SPDX-License-Identifier: MIT */
/* The search. It goes in rounds: the threads expand up to SLICES slices of states, only reading the
 * set of states; then one thread adds what they found, slice by slice. So states are numbered as
 * by a single thread that takes one after the other from a queue, whatever the number of threads,
 * and the first state with a violation has the fewest steps that lead to it. */
#define _DEFAULT_SOURCE

#include "explore/explore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "explore/worker.h"

enum { SLICES = 128, SLICE_STATES = 128, HANG_SECONDS = 20, TICK_MS = 100 };

typedef struct search {
    const lab_explore_config *config;
    lab_states *states;
    unsigned char noise[LAB_NOISE_BYTES];
    lab_worker *workers;
    unsigned workers_count, threads;
    uint32_t depth;
    struct timespec started;

    lab_slice slices[SLICES];
    unsigned slices_count;
    atomic_uint slices_taken;
    atomic_bool stopped; /* a slice failed, or it was told so: no further one is begun */
    bool told_to_stop;

    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t begin, end;
    uint64_t round; /* counts up when slices are ready */
    unsigned at_work;
    bool over;
} search;

/* ---- configuration ------------------------------------------------------------------------ */

static bool rises(const lab_explore_list *list, uint32_t least, uint32_t most) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->value[i] < least || list->value[i] > most ||
            (i > 0 && list->value[i] <= list->value[i - 1])) {
            return false;
        }
    }
    return list->count <= LAB_EXPLORE_LIST_MAX;
}

static bool is_power(uint32_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

const char *lab_explore_refusal(const lab_explore_config *config) {
    if (config->alignment != 4 && config->alignment != 8 && config->alignment != 16) {
        return "the heap's alignment is 4, 8 or 16";
    }
    if (config->guard < 0 || config->guard > th_guard_max()) {
        return "this build has no such guard level";
    }
    if (config->layout == LAB_LAYOUT_LEAN && config->guard != 0) {
        return "a lean heap has no guards";
    }
    static const uint32_t headers[LAB_LAYOUT_COUNT] = {[LAB_LAYOUT_CLASSIC] = 6,
                                                       [LAB_LAYOUT_LEAN] = 2,
                                                       [LAB_LAYOUT_WIDE] = 7,
                                                       [LAB_LAYOUT_AUTO] = 6};
    uint32_t unit = config->alignment / 4;
    uint32_t header = (headers[config->layout] + unit - 1) / unit * unit;
    if (config->dwords < 2 * header + 4) {
        return "the region is too small for a heap";
    }
    if (config->dwords / unit > UINT8_MAX ||
        (config->dwords - header) / (header + unit) > LAB_BLOCKS_MAX) {
        return "the region is too large to be explored";
    }
    if (config->sizes.count == 0 || !rises(&config->sizes, 1, LAB_EXPLORE_BYTES_MAX)) {
        return "the sizes must be 1 to 12 numbers from 1 to 1020, in rising order";
    }
    if (config->tags.count == 0 || !rises(&config->tags, 0, TH_TAG_TAIL_MAX)) {
        return "the tags must be 1 to 12 numbers from 0 to 0x7ffe, in rising order";
    }
    if (!rises(&config->aligned, config->alignment + 1, LAB_EXPLORE_ALIGN_MAX)) {
        return "further alignments must lie above the heap's own, up to 1024, in rising order";
    }
    for (uint32_t i = 0; i < config->aligned.count; i++) {
        if (!is_power(config->aligned.value[i])) {
            return "further alignments must be powers of two";
        }
    }
    if (!rises(&config->budgets, 0, LAB_SIZE_VALUE_MAX)) {
        return "the budgets must be at most 12 numbers, in rising order";
    }
    if (config->sizes.count * config->tags.count * (1 + config->aligned.count) >= UINT8_MAX) {
        return "there are more than 254 combinations of size, tag and alignment";
    }
    return config->jobs > LAB_EXPLORE_JOBS_MAX ? "there are at most 256 threads" : NULL;
}

/* ---- threads ------------------------------------------------------------------------------ */

typedef struct thread_start {
    search *search;
    lab_worker *worker;
} thread_start;

static void take_slices(search *s, lab_worker *worker) {
    while (!atomic_load(&s->stopped)) {
        unsigned i = atomic_fetch_add(&s->slices_taken, 1);
        if (i >= s->slices_count) {
            return;
        }
        lab_slice *slice = &s->slices[i];
        lab_worker_run(worker, slice, s->depth);
        if (slice->failure.property != LAB_PROPERTY_NONE || slice->out_of_memory) {
            atomic_store(&s->stopped, true);
        }
    }
}

static void *run_thread(void *context) {
    thread_start start = *(thread_start *)context;
    search *s = start.search;
    uint64_t round = 0;
    free(context);
    (void)pthread_mutex_lock(&s->mutex);
    for (;;) {
        while (s->round == round && !s->over) {
            (void)pthread_cond_wait(&s->begin, &s->mutex);
        }
        if (s->over) {
            break;
        }
        round = s->round;
        (void)pthread_mutex_unlock(&s->mutex);
        take_slices(s, start.worker);
        (void)pthread_mutex_lock(&s->mutex);
        if (--s->at_work == 0) {
            (void)pthread_cond_signal(&s->end);
        }
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static bool start_threads(search *s) {
    for (; s->threads < s->workers_count; s->threads++) {
        thread_start *start = malloc(sizeof *start);
        if (start == NULL) {
            return false;
        }
        *start = (thread_start){s, &s->workers[s->threads]};
        if (pthread_create(&s->workers[s->threads].thread, NULL, run_thread, start) != 0) {
            free(start);
            return false;
        }
    }
    return true;
}

static void stop_threads(search *s) {
    (void)pthread_mutex_lock(&s->mutex);
    s->over = true;
    (void)pthread_cond_broadcast(&s->begin);
    (void)pthread_mutex_unlock(&s->mutex);
    for (unsigned i = 0; i < s->threads; i++) {
        (void)pthread_join(s->workers[i].thread, NULL);
    }
}

/* ---- progress ----------------------------------------------------------------------------- */

static double seconds_since(const struct timespec *then) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static void count(search *s, lab_explore_counts *counts) {
    *counts = (lab_explore_counts){.states = lab_states_count(s->states),
                                   .depth = s->depth,
                                   .bytes = lab_states_bytes(s->states),
                                   .seconds = seconds_since(&s->started)};
    for (unsigned i = 0; i < s->workers_count; i++) {
        counts->transitions += atomic_load(&s->workers[i].transitions);
        counts->expanded += atomic_load(&s->workers[i].expanded);
    }
    for (unsigned i = 0; i < s->slices_count; i++) {
        counts->bytes += s->slices[i].out_capacity;
    }
    counts->frontier = counts->states - counts->expanded;
}

typedef struct watch {
    double progress_at; /* seconds since the start */
    double moved_at;
    uint64_t transitions[LAB_EXPLORE_JOBS_MAX];
    double moved[LAB_EXPLORE_JOBS_MAX];
} watch;

/* Threads that have finished their part of the round are not armed and take no notice. */
static void watch_over(search *s, watch *w) {
    double now = seconds_since(&s->started);
    for (unsigned i = 0; i < s->workers_count; i++) {
        uint64_t transitions = atomic_load(&s->workers[i].transitions);
        if (transitions != w->transitions[i] || w->moved[i] < w->moved_at) {
            w->transitions[i] = transitions;
            w->moved[i] = now;
        } else if (now - w->moved[i] > (double)HANG_SECONDS) {
            (void)pthread_kill(s->workers[i].thread, LAB_TRAP_HANG);
            w->moved[i] = now;
        }
    }
    if (s->config->progress_ms != 0 && now >= w->progress_at) {
        lab_explore_counts counts;
        count(s, &counts);
        s->config->progress(s->config->context, &counts);
        w->progress_at = now + s->config->progress_ms / 1e3;
    }
    if (s->config->go_on != NULL && !s->told_to_stop && !s->config->go_on(s->config->context)) {
        s->told_to_stop = true;
        atomic_store(&s->stopped, true);
    }
}

/* Lets the threads expand the slices. */
static void run_round(search *s, watch *w) {
    (void)pthread_mutex_lock(&s->mutex);
    atomic_store(&s->slices_taken, 0);
    s->round++;
    s->at_work = s->threads;
    w->moved_at = seconds_since(&s->started);
    (void)pthread_cond_broadcast(&s->begin);
    while (s->at_work > 0) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&s->end, &s->mutex, &until) == ETIMEDOUT) {
            (void)pthread_mutex_unlock(&s->mutex);
            watch_over(s, w);
            (void)pthread_mutex_lock(&s->mutex);
        }
    }
    (void)pthread_mutex_unlock(&s->mutex);
    watch_over(s, w);
}

/* ---- the search --------------------------------------------------------------------------- */

/* Cuts [*next, end) into slices, as far as they go. */
static void cut_slices(search *s, uint32_t *next, uint32_t end) {
    s->slices_count = 0;
    while (s->slices_count < SLICES && *next < end) {
        lab_slice *slice = &s->slices[s->slices_count++];
        slice->from = *next;
        slice->to = end - *next > SLICE_STATES ? *next + SLICE_STATES : end;
        slice->out_bytes = 0;
        *next = slice->to;
    }
}

/* Adds the states that a slice found; false where there is no memory, or more than the limit. */
static bool add_states(search *s, const lab_slice *slice, lab_explore_result *result) {
    lab_key key;
    uint32_t parent;
    uint32_t step;
    size_t at = 0;
    while (lab_slice_next(slice, &at, &key, &parent, &step)) {
        if (!lab_states_add(s->states, &key, parent, step)) {
            result->end = LAB_EXPLORE_MEMORY;
            return false;
        }
        if (s->config->states_max != 0 && lab_states_count(s->states) > s->config->states_max) {
            result->end = LAB_EXPLORE_LIMIT;
            return false;
        }
    }
    return true;
}

/* The steps to the slice's state and the one tried there, as a script. */
static void write_script(search *s, const lab_slice *slice, lab_explore_result *result) {
    lab_explore_config config = *s->config;
    lab_pair_checker checker;
    lab_pair pair;
    uint32_t length = 1;
    for (uint32_t state = slice->state; state != 0; state = lab_states_parent(s->states, state)) {
        length++;
    }
    config.tamper = NULL;
    lab_pair_checker_init(&checker, &config, s->noise);
    lab_step *steps = malloc(length * sizeof steps[0]);
    bool ready = lab_pair_init(&pair, &checker) && steps != NULL;
    uint32_t state = slice->state;
    if (ready) {
        steps[length - 1] = slice->step;
    }
    for (uint32_t i = length - 1; ready && i > 0; i--) {
        steps[i - 1] = lab_step_unpack(lab_states_step(s->states, state));
        state = lab_states_parent(s->states, state);
    }
    result->script.config = lab_explore_script_config(&config);
    for (uint32_t i = 0; ready && i < length; i++) {
        ready = lab_script_append(&result->script, lab_pair_op(&pair, &config, steps[i]));
        if (ready && i + 1 < length) {
            (void)lab_pair_step(&pair, &checker, steps[i]);
            lab_pair_settle(&pair, &checker);
        }
    }
    free(steps);
    lab_pair_clean_up(&pair);
    result->end = ready ? LAB_EXPLORE_VIOLATION : LAB_EXPLORE_MEMORY;
    result->failure = slice->failure;
    result->crashed = slice->crashed;
    result->failure.op = length - 1;
}

/* False: the search is over, and result->end says how. Slices that were begun are finished; those
 * that were not found nothing. */
static bool add_round(search *s, lab_explore_result *result) {
    for (unsigned i = 0; i < s->slices_count; i++) {
        const lab_slice *slice = &s->slices[i];
        if (slice->failure.property == LAB_PROPERTY_MEMORY || slice->out_of_memory) {
            result->end = LAB_EXPLORE_MEMORY;
            return false;
        }
        if (slice->failure.property != LAB_PROPERTY_NONE) {
            write_script(s, slice, result);
            return false;
        }
        if (!add_states(s, slice, result)) {
            return false;
        }
    }
    if (s->told_to_stop) {
        result->end = LAB_EXPLORE_STOPPED;
    }
    return !s->told_to_stop;
}

static void run_search(search *s, lab_explore_result *result) {
    watch w = {.progress_at = s->config->progress_ms / 1e3};
    uint32_t next = 0;
    result->end = LAB_EXPLORE_COMPLETE;
    for (;;) {
        uint32_t end = lab_states_count(s->states);
        result->deepest = s->depth;
        while (next < end) {
            cut_slices(s, &next, end);
            run_round(s, &w);
            if (!add_round(s, result)) {
                return;
            }
        }
        if (lab_states_count(s->states) == end) {
            return;
        }
        s->depth++;
    }
}

static bool prepare(search *s) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = s->config->jobs != 0 ? s->config->jobs
                    : processors > 0     ? (unsigned)processors
                                         : 1;
    lab_noise_fill(s->noise);
    s->states = lab_states_new();
    s->workers = calloc(jobs, sizeof s->workers[0]);
    if (s->states == NULL || s->workers == NULL) {
        return false;
    }
    for (; s->workers_count < jobs; s->workers_count++) {
        lab_worker *worker = &s->workers[s->workers_count];
        if (!lab_worker_init(worker, s->config, s->states, s->noise)) {
            lab_worker_clean_up(worker);
            return false;
        }
    }
    lab_key key;
    lab_pair_key(&s->workers[0].work, &s->workers[0].checker, &key);
    return lab_states_add(s->states, &key, 0, 0) && start_threads(s);
}

void lab_explore(const lab_explore_config *config, lab_explore_result *result) {
    *result = (lab_explore_result){.end = LAB_EXPLORE_MEMORY};
    search *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return;
    }
    s->config = config;
    (void)clock_gettime(CLOCK_MONOTONIC, &s->started);
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->begin, NULL);
    (void)pthread_cond_init(&s->end, NULL);
    lab_trap_install();
    if (prepare(s)) {
        run_search(s, result);
        count(s, &result->counts);
    }
    stop_threads(s);
    lab_trap_remove();
    for (unsigned i = 0; i < s->workers_count; i++) {
        lab_worker_clean_up(&s->workers[i]);
    }
    for (unsigned i = 0; i < SLICES; i++) {
        free(s->slices[i].out);
    }
    (void)pthread_cond_destroy(&s->end);
    (void)pthread_cond_destroy(&s->begin);
    (void)pthread_mutex_destroy(&s->mutex);
    lab_states_destroy(s->states);
    free(s->workers);
    free(s);
}

/* ---- confirming --------------------------------------------------------------------------- */

/* The script with a copy before each operation if `copies`, and `more` compactions at the end. */
static bool vary(const lab_script *script, bool copies, unsigned more, lab_script *varied) {
    const lab_op copy = {.kind = LAB_OP_COPY};
    const lab_op compaction = {.kind = LAB_OP_COMPACT_SOME};
    bool done = true;
    varied->config = script->config;
    varied->count = 0;
    for (size_t i = 0; done && i < script->count; i++) {
        done = (!copies || lab_script_append(varied, copy)) &&
               lab_script_append(varied, script->ops[i]);
    }
    for (unsigned i = 0; done && i < more; i++) {
        done = lab_script_append(varied, compaction);
    }
    return done;
}

bool lab_explore_confirm(lab_explore_result *result, lab_runner *runner, lab_failure *failure) {
    enum { MORE_MAX = 3 };
    const lab_run_options options = {.guard = -1};
    if (result->crashed) {
        return false;
    }
    for (unsigned i = 0; i < 2 * (MORE_MAX + 1); i++) {
        lab_script varied = {0};
        bool fails = vary(&result->script, i > MORE_MAX, i % (MORE_MAX + 1), &varied) &&
                     !lab_runner_play(runner, &varied, &options, failure, NULL);
        if (fails) {
            lab_script_clean_up(&result->script);
            result->script = varied;
            return true;
        }
        lab_script_clean_up(&varied);
    }
    return false;
}
