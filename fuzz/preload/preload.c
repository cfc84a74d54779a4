/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "preload/preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
void lab_preload_real(void *function, const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

static void resolve(void) {
    lab_preload_real(&real.malloc, "malloc");
    lab_preload_real(&real.calloc, "calloc");
    lab_preload_real(&real.realloc, "realloc");
    lab_preload_real(&real.free, "free");
    lab_preload_real(&real.memalign, "memalign");
    lab_preload_real(&real.aligned_alloc, "aligned_alloc");
    lab_preload_real(&real.posix_memalign, "posix_memalign");
    lab_preload_real(&real.valloc, "valloc");
    lab_preload_real(&real.pvalloc, "pvalloc");
    lab_preload_real(&real.malloc_usable_size, "malloc_usable_size");
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

bool lab_preload_is_named(const char *text) {
    uint64_t number = take_number(&text);
    if (*text != ':' || number != (uint64_t)getpid()) {
        return false;
    }
    text++;
    return take_number(&text) == pid_namespace();
}

bool lab_preload_reserve(void *pages, size_t bytes) {
    for (size_t at = 0; at < bytes; at += LAB_PRELOAD_PAGE_BYTES) {
        unsigned char *page = (unsigned char *)pages + at;
        if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, page, KERNEL_SIGSET_BYTES) != 0) {
            return false;
        }
    }
    return true;
}

void *lab_preload_gate(void) {
    void *page = mmap(NULL, LAB_PRELOAD_PAGE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && madvise(page, LAB_PRELOAD_PAGE_BYTES, MADV_WIPEONFORK) == 0 ? page
                                                                                             : NULL;
}

/* Brings the client up on the first call. Very early calls find no environment yet. */
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
        lab_preload_start();
    }
    errno = saved;
}

__attribute__((constructor)) static void construct(void) {
    get_ready();
}

/* ---- the functions stood in for ------------------------------------------------------------- */

#define PUBLIC LAB_PRELOAD_PUBLIC
#define CALLER ((uintptr_t)__builtin_return_address(0))

/* True: the client is told of the call, and leave must follow. */
static bool enter(const lab_preload_call *call) {
    int saved = errno;
    get_ready();
    bool told = lab_preload_before(call);
    errno = saved;
    return told;
}

static void leave(bool told, lab_preload_call *call, void *result) {
    if (told) {
        int saved = errno;
        call->result = result;
        lab_preload_after(call);
        errno = saved;
    }
}

PUBLIC void *malloc(size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return take_from_pool(size);
    }
    lab_preload_call call = {.kind = LAB_PRELOAD_MALLOC, .size = size, .caller = CALLER};
    bool told = enter(&call);
    void *result = real.malloc(size);
    leave(told, &call, result);
    return result;
}

PUBLIC void *calloc(size_t count, size_t size) {
    size_t product;
    bool overflow = __builtin_mul_overflow(count, size, &product);
    if (current_phase == PHASE_RESOLVING) {
        return overflow ? NULL : take_from_pool(product);
    }
    lab_preload_call call = {
        .kind = LAB_PRELOAD_CALLOC, .size = overflow ? UINT64_MAX : product, .caller = CALLER};
    bool told = enter(&call);
    void *result = real.calloc(count, size);
    leave(told, &call, result);
    return result;
}

PUBLIC void free(void *pointer) {
    if (pointer == NULL || is_in_pool(pointer) || current_phase == PHASE_RESOLVING) {
        return;
    }
    lab_preload_call call = {.kind = LAB_PRELOAD_FREE, .old = (uintptr_t)pointer, .caller = CALLER};
    bool told = enter(&call);
    real.free(pointer);
    leave(told, &call, NULL);
}

/* A request that changes the size of a block, or makes the first one. */
static lab_preload_call resizing(uintptr_t old, uint64_t size, uintptr_t caller) {
    return (lab_preload_call){.kind = old == 0 ? LAB_PRELOAD_MALLOC : LAB_PRELOAD_REALLOC,
                              .size = size,
                              .old = old,
                              .caller = caller};
}

static void *resize(void *pointer, size_t size, uintptr_t caller) {
    lab_preload_call call = resizing((uintptr_t)pointer, size, caller);
    bool told = enter(&call);
    void *result = real.realloc(pointer, size);
    leave(told, &call, result);
    return result;
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
    return resize(pointer, size, CALLER);
}

PUBLIC void *reallocarray(void *pointer, size_t count, size_t size) {
    size_t product;
    if (!__builtin_mul_overflow(count, size, &product)) {
        return is_in_pool(pointer) || current_phase == PHASE_RESOLVING
                   ? realloc(pointer, product)
                   : resize(pointer, product, CALLER);
    }
    lab_preload_call call = resizing((uintptr_t)pointer, UINT64_MAX, CALLER);
    leave(enter(&call), &call, NULL);
    errno = ENOMEM;
    return NULL;
}

/* The aligned family while dlsym runs: only what the pool aligns to anyway. */
static void *take_aligned_from_pool(size_t alignment, size_t size) {
    return alignment <= POOL_ALIGN ? take_from_pool(size) : NULL;
}

static lab_preload_call aligning(size_t alignment, uint64_t size, uintptr_t caller) {
    return (lab_preload_call){
        .kind = LAB_PRELOAD_ALIGNED, .alignment = alignment, .size = size, .caller = caller};
}

PUBLIC void *memalign(size_t alignment, size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return take_aligned_from_pool(alignment, size);
    }
    lab_preload_call call = aligning(alignment, size, CALLER);
    bool told = enter(&call);
    void *result = real.memalign(alignment, size);
    leave(told, &call, result);
    return result;
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return take_aligned_from_pool(alignment, size);
    }
    lab_preload_call call = aligning(alignment, size, CALLER);
    bool told = enter(&call);
    void *result = real.aligned_alloc(alignment, size);
    leave(told, &call, result);
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
    lab_preload_call call = aligning(alignment, size, CALLER);
    bool told = enter(&call);
    int status = real.posix_memalign(pointer, alignment, size);
    leave(told, &call, status == 0 ? *pointer : NULL);
    return status;
}

PUBLIC void *valloc(size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return NULL;
    }
    lab_preload_call call = aligning((size_t)sysconf(_SC_PAGESIZE), size, CALLER);
    bool told = enter(&call);
    void *result = real.valloc(size);
    leave(told, &call, result);
    return result;
}

PUBLIC void *pvalloc(size_t size) {
    if (current_phase == PHASE_RESOLVING) {
        return NULL;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t rounded = ((uint64_t)size + page - 1) / page * page;
    lab_preload_call call = aligning(page, rounded, CALLER);
    bool told = enter(&call);
    void *result = real.pvalloc(size);
    leave(told, &call, result);
    return result;
}

size_t lab_preload_usable_size(void *pointer) {
    return pointer == NULL || real.malloc_usable_size == NULL ? 0
                                                              : real.malloc_usable_size(pointer);
}

PUBLIC size_t malloc_usable_size(void *pointer) {
    if (is_in_pool(pointer)) {
        return pool_size(pointer);
    }
    get_ready();
    return lab_preload_usable_size(pointer);
}
