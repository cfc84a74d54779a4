/* SPDX-License-Identifier: MIT */
/* The recorder: a preload library that writes every heap operation of a program to a trace.
 *
 * It stands in front of malloc and its relatives (preload.h), calls the real function, and appends
 * a record (trace.h). One lock is held across the real call and the record, so the records stand in
 * the order in which the heap was really used, with any number of threads.
 *
 * Records go into a shared mapping of the trace file. The kernel keeps them whatever happens to
 * the process: nothing has to be flushed at exit, _exit, a fatal signal or SIGKILL, and no signal
 * handler is installed.
 *
 * What is the program's stays the program's. The file was made in its full length before the
 * program began, and is opened once, before main: after that no descriptor, path or right is
 * needed, and no file grows, which RLIMIT_FSIZE would answer with SIGXFSZ. One chunk is mapped at a
 * time, the next one by moving the mapping on. A page on a full disk would raise SIGBUS when it is
 * touched: the kernel is asked to write there first, which only fails.
 *
 * Which process: the one that LAB_RECORD_PROCESS names. Its parent would not do: orphans of the
 * program are adopted, and by scripts/record itself if it is the first process of a container. What
 * it forks is not recorded: the page that says "recording" is wiped by the kernel in the child. A
 * child made by vfork shares its parent's heap until it calls exec: what it does is part of the
 * recording. When the recorded process replaces its program by exec, the trace starts afresh with
 * the new program. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64 /* a trace may be larger than a 32-bit program's memory */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/preload.h"
#include "record/trace.h"

#define CHUNK_BYTES ((size_t)LAB_TRACE_CHUNK_BYTES)

/* The page that a forked child finds zeroed: not recording, lock open. */
typedef struct gate {
    atomic_bool recording;
    pthread_mutex_t lock;
} gate;

static gate *the_gate;

/* Written under the lock only. */
static lab_trace_header *header;
static lab_trace_record *chunk;
static size_t chunk_used;
static uint16_t threads_seen;

LAB_PRELOAD_THREAD_LOCAL bool inside;          /* between before and after */
LAB_PRELOAD_THREAD_LOCAL uint16_t thread_name; /* index + 1; 0: none yet */

/* ---- starting ------------------------------------------------------------------------------- */

/* Has the converter that belongs to this library made it? */
static bool is_trace(int fd) {
    lab_trace_header before;
    return read(fd, &before, sizeof before) == (ssize_t)sizeof before &&
           memcmp(before.magic, LAB_TRACE_MAGIC, sizeof before.magic) == 0 &&
           before.version == LAB_TRACE_VERSION && before.record_bytes == sizeof(lab_trace_record);
}

static void *map_trace(int fd, size_t offset, size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    return at == MAP_FAILED ? NULL : at;
}

static void stop(lab_trace_stop why, int error) {
    header->error = error;
    header->stop = (uint32_t)why;
}

/* Maps and reserves the first chunk. False: the header says why. */
static bool start_trace(int fd) {
    header->count = 0;
    stop(LAB_TRACE_COMPLETE, 0);
    chunk = map_trace(fd, LAB_TRACE_HEADER_BYTES, CHUNK_BYTES);
    if (chunk == NULL) {
        stop(LAB_TRACE_NO_MAPPING, errno);
        return false;
    }
    if (!lab_preload_reserve(chunk, CHUNK_BYTES)) {
        stop(LAB_TRACE_DISK_FULL, 0);
        return false;
    }
    return true;
}

static gate *new_gate(void) {
    gate *fresh = lab_preload_gate();
    if (fresh != NULL) {
        pthread_mutex_init(&fresh->lock, NULL);
    }
    return fresh;
}

void lab_preload_start(void) {
    const char *file = getenv(LAB_TRACE_ENV_FILE);
    const char *process = getenv(LAB_TRACE_ENV_PROCESS);
    if (file == NULL || process == NULL || !lab_preload_is_named(process)) {
        return;
    }
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    header = is_trace(fd) ? map_trace(fd, 0, sizeof *header) : NULL;
    if (header != NULL && start_trace(fd)) {
        gate *fresh = new_gate();
        if (fresh != NULL) {
            atomic_store(&fresh->recording, true);
            the_gate = fresh;
        } else {
            stop(LAB_TRACE_NO_MAPPING, errno);
        }
    }
    close(fd);
}

/* ---- recording ------------------------------------------------------------------------------ */

static void give_up(lab_trace_stop why, int error) {
    stop(why, error);
    atomic_store(&the_gate->recording, false);
}

/* Moves the mapping on to the next chunk of the file: it is made to reach over both, and then
 * loses the first. Needs no descriptor, and never more than two chunks of addresses. */
static bool grow(void) {
    unsigned char *both = mremap(chunk, CHUNK_BYTES, 2 * CHUNK_BYTES, MREMAP_MAYMOVE);
    if (both == MAP_FAILED) {
        give_up(LAB_TRACE_NO_MAPPING, errno);
        return false;
    }
    (void)munmap(both, CHUNK_BYTES);
    chunk = (lab_trace_record *)(void *)(both + CHUNK_BYTES);
    chunk_used = 0;
    if (!lab_preload_reserve(chunk, CHUNK_BYTES)) {
        give_up(LAB_TRACE_DISK_FULL, 0);
        return false;
    }
    return true;
}

static void append(lab_trace_record record) {
    if (header->count >= header->limit) {
        give_up(LAB_TRACE_LIMIT, 0);
        return;
    }
    if (header->count == header->room) {
        give_up(LAB_TRACE_FILE_SIZE, 0);
        return;
    }
    if (chunk_used == LAB_TRACE_CHUNK_RECORDS && !grow()) {
        return;
    }
    if (thread_name == 0) {
        if (threads_seen < UINT16_MAX) { /* any later ones share the last name */
            threads_seen++;
        }
        thread_name = threads_seen;
    }
    record.thread = (uint16_t)(thread_name - 1);
    record.serial = (uint32_t)header->count;
    chunk[chunk_used++] = record;
    /* The process may be killed at any instruction: a record counts only when it is whole. */
    atomic_signal_fence(memory_order_release);
    *(volatile uint64_t *)&header->count = header->count + 1;
}

static uint8_t log2_up(size_t alignment) {
    uint8_t log = 0;
    while (log < sizeof alignment * CHAR_BIT - 1 && ((size_t)1 << log) < alignment) {
        log++;
    }
    return log;
}

/* True: the lock is held until lab_preload_after. False: the call is not recorded (not the recorded
 * process, or a signal handler that interrupted a recorded call of the same thread). */
bool lab_preload_before(const lab_preload_call *call) {
    gate *g = the_gate;
    (void)call;
    if (g == NULL || inside || !atomic_load_explicit(&g->recording, memory_order_relaxed)) {
        return false;
    }
    inside = true;
    pthread_mutex_lock(&g->lock);
    return true;
}

void lab_preload_after(const lab_preload_call *call) {
    static const uint8_t kinds[] = {[LAB_PRELOAD_MALLOC] = LAB_TRACE_MALLOC,
                                    [LAB_PRELOAD_CALLOC] = LAB_TRACE_CALLOC,
                                    [LAB_PRELOAD_ALIGNED] = LAB_TRACE_ALIGNED,
                                    [LAB_PRELOAD_REALLOC] = LAB_TRACE_REALLOC,
                                    [LAB_PRELOAD_FREE] = LAB_TRACE_FREE};
    if (atomic_load_explicit(&the_gate->recording, memory_order_relaxed)) {
        append((lab_trace_record){.kind = kinds[call->kind],
                                  .align_log2 = log2_up(call->alignment),
                                  .size = call->size,
                                  .result = (uint64_t)(uintptr_t)call->result,
                                  .old = (uint64_t)call->old});
    }
    pthread_mutex_unlock(&the_gate->lock);
    inside = false;
}
