/* SPDX-License-Identifier: MIT */
/* The recorder: a preload library that writes every heap operation of a program to a trace.
 *
 * It stands in front of malloc and its relatives, calls the real function, and appends a record
 * (trace.h). One lock is held across the real call and the record, so the records stand in the
 * order in which the heap was really used, with any number of threads.
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
 * the new program.
 *
 * Nothing here allocates. The real functions are looked up with dlsym, which may allocate in
 * turn; while that goes on requests are served from a small static pool and are not recorded. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64 /* a trace may be larger than a 32-bit program's memory */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/trace.h"

#define CHUNK_BYTES ((size_t)LAB_TRACE_CHUNK_BYTES)
#define PAGE_BYTES  ((size_t)4096) /* the smallest that a system has */

/* The size of the kernel's signal sets, which are shorter than sigset_t. */
#define KERNEL_SIGSET_BYTES ((size_t)(_NSIG / CHAR_BIT))

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    size_t (*malloc_usable_size)(void *);
} real;

typedef enum phase { PHASE_NEW, PHASE_RESOLVING, PHASE_WAITING, PHASE_DECIDED } phase;

/* Changed before a second thread can exist: making a thread allocates. Volatile, because dlsym is
 * declared as a leaf function: the compiler believes that it cannot come back into this file. */
static volatile phase current_phase = PHASE_NEW;

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

/* Initial-exec: the first access must not allocate. */
#define THREAD_LOCAL static __attribute__((tls_model("initial-exec"))) _Thread_local

THREAD_LOCAL bool inside;          /* between enter and leave */
THREAD_LOCAL uint16_t thread_name; /* index + 1; 0: none yet */

/* ---- the pool for requests made while dlsym runs -------------------------------------------- */

#define POOL_ALIGN 16u

static _Alignas(POOL_ALIGN) unsigned char pool[16 * 1024];
static size_t pool_used;

static bool is_in_pool(const void *pointer) {
    uintptr_t address = (uintptr_t)pointer;
    return address >= (uintptr_t)pool && address < (uintptr_t)pool + sizeof pool;
}

/* [ size | padding to POOL_ALIGN ][ zeroed bytes ]; never reused, so always zero. */
static void *take_from_pool(size_t size) {
    size_t room = sizeof pool - pool_used;
    if (room < POOL_ALIGN || size > room - POOL_ALIGN) {
        return NULL;
    }
    unsigned char *start = pool + pool_used;
    memcpy(start, &size, sizeof size);
    size_t whole = POOL_ALIGN + (size + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
    pool_used += whole < room ? whole : room;
    return start + POOL_ALIGN;
}

static size_t pool_size(const void *pointer) {
    size_t size;
    memcpy(&size, (const unsigned char *)pointer - POOL_ALIGN, sizeof size);
    return size;
}

/* ---- starting ------------------------------------------------------------------------------- */

/* ISO C has no cast from an object pointer to a function pointer; POSIX promises the bytes. */
static void look_up(void *function, const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

static void resolve(void) {
    look_up(&real.malloc, "malloc");
    look_up(&real.calloc, "calloc");
    look_up(&real.realloc, "realloc");
    look_up(&real.free, "free");
    look_up(&real.memalign, "memalign");
    look_up(&real.aligned_alloc, "aligned_alloc");
    look_up(&real.posix_memalign, "posix_memalign");
    look_up(&real.valloc, "valloc");
    look_up(&real.pvalloc, "pvalloc");
    look_up(&real.malloc_usable_size, "malloc_usable_size");
}

static uint64_t take_number(const char **text) {
    uint64_t number = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        number = number * 10 + (uint64_t)(**text - '0');
    }
    return number;
}

/* The number of the namespace that our process number belongs to; 0: the system does not tell. */
static uint64_t pid_namespace(void) {
    struct stat space;
    return stat("/proc/self/ns/pid", &space) == 0 ? (uint64_t)space.st_ino : 0;
}

/* Is this the process that "NUMBER:NAMESPACE" names? It keeps its number through exec, and no other
 * has that number in the same namespace before it is waited for. */
static bool is_named(const char *text) {
    uint64_t number = take_number(&text);
    if (*text != ':' || number != (uint64_t)getpid()) {
        return false;
    }
    text++;
    return take_number(&text) == pid_namespace();
}

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

/* Takes the room for the chunk's pages by letting the kernel write into each one: where a store
 * would raise SIGBUS, the call fails. To ask for the signal mask changes nothing, and is allowed
 * in the tightest sandbox. */
static bool reserve(lab_trace_record *pages) {
    for (size_t at = 0; at < CHUNK_BYTES; at += PAGE_BYTES) {
        unsigned char *page = (unsigned char *)pages + at;
        if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, page, KERNEL_SIGSET_BYTES) != 0) {
            return false;
        }
    }
    return true;
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
    if (!reserve(chunk)) {
        stop(LAB_TRACE_DISK_FULL, 0);
        return false;
    }
    return true;
}

static gate *new_gate(void) {
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || madvise(page, PAGE_BYTES, MADV_WIPEONFORK) != 0) {
        return NULL;
    }
    gate *fresh = page;
    pthread_mutex_init(&fresh->lock, NULL);
    return fresh;
}

static void start(void) {
    const char *file = getenv(LAB_TRACE_ENV_FILE);
    const char *process = getenv(LAB_TRACE_ENV_PROCESS);
    if (file == NULL || process == NULL || !is_named(process)) {
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

/* Brings the recorder up on the first call. Very early calls find no environment yet. */
static void get_ready(void) {
    if (current_phase == PHASE_DECIDED) {
        return;
    }
    int saved = errno;
    if (current_phase == PHASE_NEW) {
        current_phase = PHASE_RESOLVING;
        resolve();
        current_phase = PHASE_WAITING;
    }
    if (current_phase == PHASE_WAITING && environ != NULL) {
        current_phase = PHASE_DECIDED;
        start();
    }
    errno = saved;
}

__attribute__((constructor)) static void construct(void) {
    get_ready();
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
    if (!reserve(chunk)) {
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

/* True: the lock is held, and leave must follow. False: the call is not recorded (not the
 * recorded process, or a signal handler that interrupted a recorded call of the same thread). */
static bool enter(void) {
    get_ready();
    gate *g = the_gate;
    if (g == NULL || inside || !atomic_load_explicit(&g->recording, memory_order_relaxed)) {
        return false;
    }
    inside = true;
    pthread_mutex_lock(&g->lock);
    return true;
}

static void leave(lab_trace_kind kind, uint8_t align_log2, uint64_t size, const void *result,
                  uintptr_t old) {
    int saved = errno;
    if (atomic_load_explicit(&the_gate->recording, memory_order_relaxed)) {
        lab_trace_record record = {.kind = (uint8_t)kind,
                                   .align_log2 = align_log2,
                                   .size = size,
                                   .result = (uint64_t)(uintptr_t)result,
                                   .old = (uint64_t)old};
        append(record);
    }
    pthread_mutex_unlock(&the_gate->lock);
    inside = false;
    errno = saved;
}

static uint8_t log2_up(size_t alignment) {
    uint8_t log = 0;
    while (log < sizeof alignment * CHAR_BIT - 1 && ((size_t)1 << log) < alignment) {
        log++;
    }
    return log;
}

/* ---- the functions stood in for ------------------------------------------------------------- */

#define PUBLIC __attribute__((visibility("default")))

PUBLIC void *malloc(size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return take_from_pool(size);
    }
    bool recorded = enter();
    void *result = real.malloc(size);
    if (recorded) {
        leave(LAB_TRACE_MALLOC, 0, size, result, 0);
    }
    return result;
}

PUBLIC void *calloc(size_t count, size_t size) {
    size_t product;
    bool overflow = __builtin_mul_overflow(count, size, &product);
    if (current_phase == PHASE_RESOLVING) {
        return overflow ? NULL : take_from_pool(product);
    }
    bool recorded = enter();
    void *result = real.calloc(count, size);
    if (recorded) {
        leave(LAB_TRACE_CALLOC, 0, overflow ? UINT64_MAX : product, result, 0);
    }
    return result;
}

PUBLIC void free(void *pointer) {
    if (pointer == NULL || is_in_pool(pointer) || current_phase == PHASE_RESOLVING) {
        return;
    }
    uintptr_t old = (uintptr_t)pointer;
    bool recorded = enter();
    real.free(pointer);
    if (recorded) {
        leave(LAB_TRACE_FREE, 0, 0, NULL, old);
    }
}

static void *move_out_of_pool(const void *pointer, size_t size) {
    void *moved = malloc(size);
    if (moved != NULL) {
        size_t kept = pool_size(pointer);
        memcpy(moved, pointer, kept < size ? kept : size);
    }
    return moved;
}

PUBLIC void *realloc(void *pointer, size_t size) {
    if (is_in_pool(pointer)) {
        return move_out_of_pool(pointer, size);
    }
    if (current_phase == PHASE_RESOLVING) {
        return pointer == NULL ? take_from_pool(size) : NULL;
    }
    uintptr_t old = (uintptr_t)pointer;
    bool recorded = enter();
    void *result = real.realloc(pointer, size);
    if (recorded) {
        leave(old == 0 ? LAB_TRACE_MALLOC : LAB_TRACE_REALLOC, 0, size, result, old);
    }
    return result;
}

PUBLIC void *reallocarray(void *pointer, size_t count, size_t size) {
    size_t product;
    if (!__builtin_mul_overflow(count, size, &product)) {
        return realloc(pointer, product);
    }
    if (enter()) {
        uintptr_t old = (uintptr_t)pointer;
        leave(old == 0 ? LAB_TRACE_MALLOC : LAB_TRACE_REALLOC, 0, UINT64_MAX, NULL, old);
    }
    errno = ENOMEM;
    return NULL;
}

/* The aligned family while dlsym runs: only what the pool aligns to anyway. */
static void *take_aligned_from_pool(size_t alignment, size_t size) {
    return alignment <= POOL_ALIGN ? take_from_pool(size) : NULL;
}

PUBLIC void *memalign(size_t alignment, size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return take_aligned_from_pool(alignment, size);
    }
    bool recorded = enter();
    void *result = real.memalign(alignment, size);
    if (recorded) {
        leave(LAB_TRACE_ALIGNED, log2_up(alignment), size, result, 0);
    }
    return result;
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return take_aligned_from_pool(alignment, size);
    }
    bool recorded = enter();
    void *result = real.aligned_alloc(alignment, size);
    if (recorded) {
        leave(LAB_TRACE_ALIGNED, log2_up(alignment), size, result, 0);
    }
    return result;
}

PUBLIC int posix_memalign(void **pointer, size_t alignment, size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        void *taken = take_aligned_from_pool(alignment, size);
        if (taken == NULL) {
            return ENOMEM;
        }
        *pointer = taken;
        return 0;
    }
    bool recorded = enter();
    int status = real.posix_memalign(pointer, alignment, size);
    if (recorded) {
        leave(LAB_TRACE_ALIGNED, log2_up(alignment), size, status == 0 ? *pointer : NULL, 0);
    }
    return status;
}

PUBLIC void *valloc(size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return NULL;
    }
    bool recorded = enter();
    void *result = real.valloc(size);
    if (recorded) {
        leave(LAB_TRACE_ALIGNED, log2_up((size_t)sysconf(_SC_PAGESIZE)), size, result, 0);
    }
    return result;
}

PUBLIC void *pvalloc(size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return NULL;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bool recorded = enter();
    void *result = real.pvalloc(size);
    if (recorded) {
        uint64_t rounded = ((uint64_t)size + page - 1) / page * page;
        leave(LAB_TRACE_ALIGNED, log2_up(page), rounded, result, 0);
    }
    return result;
}

PUBLIC size_t malloc_usable_size(void *pointer) {
    if (is_in_pool(pointer)) {
        return pool_size(pointer);
    }
    get_ready();
    return pointer == NULL || real.malloc_usable_size == NULL ? 0
                                                              : real.malloc_usable_size(pointer);
}
