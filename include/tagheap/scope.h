/* SPDX-License-Identifier: MIT */
/* Scopes: cleanup that cannot be forgotten. Whatever is acquired is registered with the scope at
 * once, together with the function that ends it; when the scope ends, on whichever path, they run
 * in reverse order. (Go and Zig call it defer, C++ a destructor, Linux devm.)
 *
 *   TH_AUTO(th_scope_clean_up) th_scope scope = {0};
 *   th_scope_init(&scope, &(th_scope_config){.backing = backing});
 *   FILE *file = fopen(path, "r");
 *   if (file == NULL || th_scope_defer_or_run(&scope, close_file, file, NULL) != TH_OK) {
 *       return NULL;                            what was registered before runs here
 *   }
 *
 *   registered   [ 1 a ][ 2 b ][ 3 c, on error only ][ 4 d ]
 *   at the end     d, then c if th_scope_fail was called, then b, then a
 *
 * Each registration has a token, by which it is run early, cancelled, or handed over to another
 * scope. Tokens are never 0 and never given twice by one scope. A scope may name a parent: then it
 * ends with it at the latest, at its place among the parent's cleanups.
 *
 * Ownership: the caller owns the th_scope, which must not be copied or moved, and the memory in the
 * config; the scope owns the block that its records are in when they outgrow that. A context is
 * never looked at, and must live until its cleanup has run.
 * Cleanup functions and hooks may use other scopes; every call of the scope that is ending is
 * answered with TH_ERR_BUSY. They must not jump out by longjmp.
 * Thread rule: a scope, with the parents that it has, one thread at a time.
 * Complexity: defer amortized O(1); run, cancel and hand over O(log n) to find it, and O(records
 * after it).
 * Guards: at level 1 and up a token that was used already is TH_FAULT_DOUBLE_FREE and one that was
 * never given TH_FAULT_NOT_A_BLOCK; at every level, ending a scope from inside its own cleanup is
 * TH_FAULT_REENTRY. In these `block` and `offset` are TH_FAULT_NOWHERE, `found` is the token.
 * Source: the scope-based cleanup of the document "Memory Management Techniques in C", 8.7.1. */
#ifndef TAGHEAP_SCOPE_H
#define TAGHEAP_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/compiler.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* TH_AUTO(th_noun_clean_up) before the declaration of a local th_noun: the function is called with
 * its address when the variable goes out of scope, by return, break and goto, too. For every noun
 * of this library; the variable must be initialised, to {0} at least. TH_HAS_AUTO is 0 where the
 * compiler knows nothing of the kind; then the macro does not exist. */
#if defined(__GNUC__) || defined(__clang__)
#define TH_HAS_AUTO           1
#define TH_AUTO(its_clean_up) __attribute__((__cleanup__(its_clean_up)))
#else
#define TH_HAS_AUTO 0
#endif

/* Ends whatever the context stands for. */
typedef void (*th_scope_cleanup_fn)(void *context);

typedef enum th_scope_event {
    TH_SCOPE_DEFERRED = 0, /* a cleanup was registered (or handed over from another scope) */
    TH_SCOPE_RUN,          /* a cleanup is about to run */
    TH_SCOPE_CANCELLED,    /* a registration is gone (or was handed over) without having run */
    TH_SCOPE_FAILED,       /* the first error was recorded; the token is 0 */
    TH_SCOPE_ENDED         /* everything has run; the token is 0 */
} th_scope_event;

/* A hook, told of each event. */
typedef void (*th_scope_hook_fn)(void *context, th_scope_event event, uint64_t token);

typedef struct th_scope th_scope;
typedef struct th_scope_record th_scope_record;

/* Bytes of one record: a scope with room for n of them needs n times as many, aligned to 8. */
#define TH_SCOPE_RECORD_BYTES (2 * sizeof(void *) + 2 * sizeof(uint64_t))

/* At least one of memory and backing is needed. */
typedef struct th_scope_config {
    void *memory; /* for the first records; a multiple of 8. NULL: none */
    size_t memory_bytes;
    th_allocator backing;  /* for more records; zeroed: memory is all there is */
    size_t deferred_max;   /* registrations at a time; 0: as many as there is memory for */
    th_scope *parent;      /* NULL: none */
    th_scope_hook_fn hook; /* NULL: none */
    void *hook_context;
    th_guarding guarding;
} th_scope_config;

/* Its fields are the library's own. */
struct th_scope {
    th_scope_record *records; /* by ascending token */
    size_t count;
    size_t capacity;
    uint64_t next;         /* token */
    uint64_t parent_token; /* under which the parent ends this one */
    uint64_t runs;
    uint64_t refusals;
    size_t peak;
    th_status error;
    unsigned state;
    th_scope_config config;
};

/* Starts a scope. Fails, leaving *scope untouched, iff scope or config is NULL (TH_ERR_NULL);
 * memory is no multiple of 8 (TH_ERR_MISALIGNED); there is neither memory for one record nor a
 * backing, guarding.level is not 0 to 3, or the backing cannot allocate or free (TH_ERR_CONFIG);
 * or as th_scope_defer of the parent does. */
th_status th_scope_init(th_scope *scope, const th_scope_config *config);

/* Ends it: all cleanups run, the last one first; then the parent forgets it, its records go back,
 * and *scope is zeroed. NULL and a zeroed scope are allowed. From inside one of its own cleanups:
 * nothing, after a fault. */
void th_scope_clean_up(th_scope *scope);

/* The same, but the scope stays, empty and without an error. Returns the first error that was
 * recorded (see th_scope_fail), or TH_OK; TH_ERR_NULL for NULL and a zeroed scope, TH_ERR_BUSY from
 * inside its own cleanup, after a fault. */
th_status th_scope_reset(th_scope *scope);

/* Registers cleanup(context). *token, unless token is NULL, is its token; 0 on failure. Fails,
 * with nothing registered, iff cleanup is NULL or the scope NULL or zeroed (TH_ERR_NULL), the scope
 * is ending (TH_ERR_BUSY), deferred_max are registered (TH_ERR_TOO_LARGE), or there is no memory
 * for the record (TH_ERR_EXHAUSTED). */
th_status th_scope_defer(th_scope *scope, th_scope_cleanup_fn cleanup, void *context,
                         uint64_t *token);

/* The same, and if it fails, runs the cleanup at once: after this call the resource is the
 * scope's, or gone. (With cleanup NULL there is nothing to run.) */
th_status th_scope_defer_or_run(th_scope *scope, th_scope_cleanup_fn cleanup, void *context,
                                uint64_t *token);

/* The same as th_scope_defer, for what shall stay if all goes well: the cleanup runs only if an
 * error was recorded before it is its turn. */
th_status th_scope_defer_on_error(th_scope *scope, th_scope_cleanup_fn cleanup, void *context,
                                  uint64_t *token);

/* Makes sure that `count` more registrations find memory. Fails as th_scope_defer does. */
th_status th_scope_reserve(th_scope *scope, size_t count);

/* Runs the cleanup of the token now, and forgets it. TH_ERR_CORRUPT, with nothing done, for a token
 * that is not registered (after a fault, see above); TH_ERR_BUSY, TH_ERR_NULL as before. */
th_status th_scope_run(th_scope *scope, uint64_t token);

/* Forgets the token without running anything: the resource is the caller's again. Fails as
 * th_scope_run does. */
th_status th_scope_cancel(th_scope *scope, uint64_t token);

/* Moves the registration to the end of another scope's list; *new_token (unless NULL) is its token
 * there. Fails as th_scope_run of `scope` and th_scope_defer of `to` do; then it stays where it
 * was. The two may be one. */
th_status th_scope_hand_over(th_scope *scope, uint64_t token, th_scope *to, uint64_t *new_token);

/* Records an error, unless one is recorded already (or status is TH_OK), and returns the first one:
 * `return th_scope_fail(&scope, status);`. TH_ERR_NULL for NULL and a zeroed scope. */
th_status th_scope_fail(th_scope *scope, th_status status);

/* The first error that was recorded; TH_OK if there is none; TH_ERR_NULL as before. */
th_status th_scope_error(const th_scope *scope);

typedef struct th_scope_stats {
    uint64_t deferred; /* registered now */
    uint64_t deferred_peak;
    uint64_t runs;        /* of cleanups, since the scope was started */
    uint64_t refusals;    /* registrations that failed for want of memory or room */
    size_t records_bytes; /* that the records take, in memory or from the backing */
} th_scope_stats;

/* All of them are 0 for NULL and a zeroed scope. */
th_scope_stats th_scope_get_stats(const th_scope *scope);

/* Proves the records: tokens ascend, below the next one, with a function each. Raises nothing:
 * TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL), or TH_OK. TH_ERR_NULL
 * for NULL and a zeroed scope. O(records). */
th_status th_scope_check(const th_scope *scope, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
