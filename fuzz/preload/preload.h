/* SPDX-License-Identifier: MIT */
/* What preload libraries share: they stand in front of malloc and its relatives in somebody else's
 * program, and tell a client (the recorder, the tracker) of each call.
 *
 * Nothing here allocates. The real functions are looked up with dlsym, which may allocate in turn;
 * while that goes on requests are served from a small static pool, and nobody is told. The client
 * must not allocate either. */
#ifndef LAB_PRELOAD_PRELOAD_H
#define LAB_PRELOAD_PRELOAD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_PRELOAD_PAGE_BYTES ((size_t)4096) /* the smallest that a system has */

typedef enum lab_preload_kind {
    LAB_PRELOAD_MALLOC,  /* size; result */
    LAB_PRELOAD_CALLOC,  /* size (the product, UINT64_MAX if it overflows); result */
    LAB_PRELOAD_ALIGNED, /* size, alignment; result */
    LAB_PRELOAD_REALLOC, /* size, old (never 0: that is MALLOC); result */
    LAB_PRELOAD_FREE     /* old (never 0) */
} lab_preload_kind;

typedef struct lab_preload_call {
    lab_preload_kind kind;
    size_t alignment;
    uint64_t size;
    void *result; /* NULL: refused, or not known yet */
    uintptr_t old;
    uintptr_t caller; /* where it returns to */
} lab_preload_call;

/* ---- the client's part ---------------------------------------------------------------------- */

/* Called once, as soon as there is an environment, before a second thread can exist. */
void lab_preload_start(void);

/* Before the real call. True: lab_preload_after follows it. */
bool lab_preload_before(const lab_preload_call *call);

/* After it. It may change errno. */
void lab_preload_after(const lab_preload_call *call);

/* ---- for it --------------------------------------------------------------------------------- */

/* The real functions that a client may want. */
void lab_preload_real(void *function, const char *name);
size_t lab_preload_usable_size(void *pointer);

/* Is this the process that "NUMBER:NAMESPACE" names? It keeps its number through exec, and no other
 * has that number in the same namespace before it is waited for. */
bool lab_preload_is_named(const char *text);

/* Takes the room for pages of a mapped file by letting the kernel write into each one: where a
 * store would raise SIGBUS, the call fails. To ask for the signal mask changes nothing, and is
 * allowed in the tightest sandbox. */
bool lab_preload_reserve(void *pages, size_t bytes);

/* A page that a forked child finds zeroed. NULL: the system has none. */
void *lab_preload_gate(void);

/* Initial-exec: the first access must not allocate. */
#define LAB_PRELOAD_THREAD_LOCAL static __attribute__((tls_model("initial-exec"))) _Thread_local

#define LAB_PRELOAD_PUBLIC __attribute__((visibility("default")))

#endif
