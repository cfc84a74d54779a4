/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "cli/filming.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "film/shots.h"
#include "runner/runner.h"
#include "subjects/subjects.h"

#define FILM_BYTES_MAX ((size_t)256 << 20) /* more than browsers like to open */

enum {
    PIECE_BYTES = 1 << 16,
    OPS_OF_LIFE = 256 /* between two signs of life */,
    NO_MEMORY = 119 /* how the process that plays ends then; a subject might end it otherwise */
};

/* ---- in the process that plays ------------------------------------------------------------ */

typedef struct filming {
    lab_film_writer writer;
    const lab_script *script;
    int out;
} filming;

static bool send_bytes(void *context, const uint8_t *bytes, size_t size) {
    const filming *f = context;
    while (size > 0) {
        ssize_t written = write(f->out, bytes, size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

static void after_op(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    filming *f = context;
    lab_film_shoot_heap(&f->writer, heap, NULL);
    lab_cli_at_operation(f->script, op == NULL ? 0 : index + 1);
    if (index % OPS_OF_LIFE == 0) {
        lab_cli_still_playing();
    }
}

static void on_failure(void *context, const th_heap *heap, const lab_exact *model) {
    filming *f = context;
    lab_film_shoot_heap(&f->writer, heap, model);
}

/* Both return false if there is no memory. */
static bool play_heap(filming *f) {
    lab_failure failure;
    lab_run_options options = {.guard = -1,
                               .comparison = LAB_COMPARE_TOUCHED,
                               .after_op = after_op,
                               .on_failure = on_failure,
                               .context = f};
    lab_runner *runner = lab_runner_new();
    if (runner == NULL) {
        return false;
    }
    bool passed = lab_runner_play(runner, f->script, &options, &failure, NULL);
    lab_film_end(&f->writer,
                 !passed           ? LAB_FILM_FAILED
                 : f->writer.begun ? LAB_FILM_PASSED
                                   : LAB_FILM_REFUSED,
                 &failure);
    lab_runner_destroy(runner);
    return true;
}

static bool play_subject(filming *f) {
    lab_failure failure;
    lab_contract_runner *runner = lab_contract_runner_new();
    if (runner == NULL) {
        return false;
    }
    bool passed = lab_contract_runner_begin(runner, lab_subject_at(f->script->config.subject),
                                            f->script, NULL, &failure);
    bool made = lab_contract_runner_has_subject(runner);
    if (made) {
        lab_film_shoot_subject(&f->writer, runner);
    }
    for (size_t i = 0; passed && made && i < f->script->count; i++) {
        lab_cli_at_operation(f->script, i);
        passed = lab_contract_runner_step(runner, i);
        lab_film_shoot_subject(&f->writer, runner);
    }
    passed = lab_contract_runner_end(runner, NULL) && passed;
    lab_film_end(&f->writer,
                 !passed ? LAB_FILM_FAILED
                 : made  ? LAB_FILM_PASSED
                         : LAB_FILM_REFUSED,
                 &failure);
    lab_contract_runner_destroy(runner);
    return true;
}

/* Does not return. */
static void play(const char *name, const char *path, const lab_script *script, int out) {
    filming f = {.script = script, .out = out};
    f.writer.sink = send_bytes;
    f.writer.context = &f;
    lab_cli_playing(name, path, lab_cli_subject_shown(script->config.subject), true);
    bool played = script->config.subject == LAB_SUBJECT_HEAP ? play_heap(&f) : play_subject(&f);
    bool whole = played && !f.writer.broken;
    lab_film_writer_clean_up(&f.writer);
    lab_cli_played();
    _exit(whole ? LAB_CLI_DONE : NO_MEMORY);
}

/* ---- in ours ------------------------------------------------------------------------------ */

/* Takes what comes until the end. False: no memory, or too much. */
static bool receive(int in, lab_filmed *filmed) {
    size_t capacity = 0;
    for (;;) {
        if (capacity - filmed->size < PIECE_BYTES) {
            capacity = capacity != 0 ? 2 * capacity : 4 * (size_t)PIECE_BYTES;
            uint8_t *bytes = realloc(filmed->bytes, capacity);
            if (bytes == NULL) {
                return false;
            }
            filmed->bytes = bytes;
        }
        ssize_t got = read(in, filmed->bytes + filmed->size, PIECE_BYTES);
        if (got == 0) {
            return true;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        filmed->size += got > 0 ? (size_t)got : 0;
        if (filmed->size > FILM_BYTES_MAX) {
            return false;
        }
    }
}

static int settle(const char *name, const lab_cli_files *given, int status, bool whole,
                  lab_filmed *filmed) {
    if (!whole) {
        return lab_cli_complain_of(name, given->in,
                                   filmed->size > FILM_BYTES_MAX
                                       ? "is too long: its film has more than 256 MiB"
                                       : "no memory for its film");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MEMORY) {
        return lab_cli_complain_of(name, given->in, "no memory to play it");
    }
    lab_film_reader reader;
    lab_film_open(&reader, filmed->bytes, filmed->size);
    while (lab_film_next(&reader)) {
    }
    filmed->failed = reader.end == LAB_FILM_FAILED || reader.end == 0;
    if (WIFSIGNALED(status)) {
        (void)snprintf(filmed->end, sizeof filmed->end,
                       "The operation after the last one shown ended the process by signal %d.",
                       WTERMSIG(status));
    } else if (reader.end == 0) {
        (void)snprintf(filmed->end, sizeof filmed->end,
                       "The operation after the last one shown ended the process with status %d.",
                       WEXITSTATUS(status));
    }
    lab_film_reader_clean_up(&reader);
    return LAB_CLI_DONE;
}

int lab_cli_film(const char *name, const lab_cli_files *given, const lab_script *script,
                 int64_t operations, lab_filmed *filmed) {
    int ends[2];
    lab_script part = *script;
    if (operations >= 0 && (size_t)operations < part.count) {
        part.count = (size_t)operations;
    }
    memset(filmed, 0, sizeof *filmed);
    if (!lab_cli_has_subject(name, given->in, script->config.subject)) {
        return LAB_CLI_BAD_INPUT;
    }
    (void)fflush(stdout);
    if (pipe(ends) != 0) {
        return lab_cli_complain_of(name, given->in, strerror(errno));
    }
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        play(name, given->in, &part, ends[1]);
    }
    int error = errno;
    (void)close(ends[1]);
    bool whole = child > 0 && receive(ends[0], filmed);
    (void)close(ends[0]);
    if (child < 0) {
        return lab_cli_complain_of(name, given->in, strerror(error));
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return settle(name, given, status, whole, filmed);
}

void lab_filmed_clean_up(lab_filmed *filmed) {
    free(filmed->bytes);
    memset(filmed, 0, sizeof *filmed);
}
