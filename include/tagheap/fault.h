/* SPDX-License-Identifier: MIT */
/* Faults: how the library reports misuse and corruption (a double free, a smashed canary, a
 * broken chain). A fault is not a return value: it goes to the handler of the object concerned,
 * before anything is changed. With no handler installed, th_fault_abort is called.
 *
 * When a handler returns, the call that raised the fault gives up, changes nothing and returns
 * its failure value (NULL, 0, TH_ERR_CORRUPT or TH_ERR_BUSY). Two exceptions: calls that deal with
 * many blocks (free by tag, compaction) keep what they did before they met the damaged one; and
 * what a validator finds after a call has done its work is no reason to take that work back. */
#ifndef TAGHEAP_FAULT_H
#define TAGHEAP_FAULT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_fault_kind {
    TH_FAULT_NONE = 0,
    TH_FAULT_FOREIGN,     /* the pointer does not point into the region */
    TH_FAULT_MISALIGNED,  /* the pointer points into the region but cannot start a payload */
    TH_FAULT_DOUBLE_FREE, /* the block is free already */
    TH_FAULT_NOT_A_BLOCK, /* the pointer is inside the region but no live payload starts there */
    TH_FAULT_HEADER,      /* a header does not agree with its check word */
    TH_FAULT_CHAIN,       /* links, tiling or side order of the blocks are broken */
    TH_FAULT_CANARY,      /* bytes after the requested size of a live block were written */
    TH_FAULT_POISON,      /* bytes of a free block were written */
    TH_FAULT_COUNT,       /* the counters do not agree with the blocks */
    TH_FAULT_REENTRY,     /* the object was called from inside its own callback */
    TH_FAULT_CONTROL,     /* the object itself was written by others than its library */
    TH_FAULT_INDEX,       /* an index does not agree with the blocks */
    TH_FAULT_STALE,       /* a handle names what is gone, or what is another's */
    TH_FAULT_UNPINNED,    /* more unpins than pins */
    TH_FAULT_FROZEN       /* the object is frozen, and was to be changed */
} th_fault_kind;

/* What is known about a fault. `block` is the offset in dwords of the header of the block
 * concerned, from the start of the region; `offset` is the offset in bytes, from the start of
 * the region, of what is wrong; both are TH_FAULT_NOWHERE when there is no such place. `tag` is
 * the block's tag as it was found (0 when there is no block). `expected` and `found` hold the
 * value (word, byte or count) that should stand there and the one that does; of one that is wider,
 * the low 32 bits.
 *
 * A checker (th_heap_check, th_pool_check ...) that is given a th_fault writes it whatever it
 * returns: where it finds nothing, the kind is TH_FAULT_NONE, the places TH_FAULT_NOWHERE, the rest
 * 0. */
#define TH_FAULT_NOWHERE SIZE_MAX

typedef struct th_fault {
    th_fault_kind kind;
    size_t block;
    uint32_t tag;
    size_t offset;
    uint32_t expected;
    uint32_t found;
} th_fault;

/* Called at the moment a fault is noticed. May return, longjmp out or end the process. It must
 * not call the object that raised the fault, except for its walk, which is always safe. A
 * handler that longjmps out leaves the lock hooks' lock held; out of a callback (or if a callback
 * longjmps itself) the object still believes to be in that callback: initialise it again then. */
typedef void (*th_fault_handler)(void *context, const th_fault *fault);

/* The name of a kind in the words of the printed line ("double free"). Static string. O(1). */
const char *th_fault_name(th_fault_kind kind);

/* Writes the fixed one-line report, without a newline, into line[0 .. capacity-1], always ending
 * in NUL (capacity >= 1), and returns its length in bytes. Needs no memory and no locale.
 *   tagheap: canary smashed: block 24 tag 0x1001 byte 196 expected 0x000000fd found 0x00000041 */
#define TH_FAULT_LINE_BYTES_MAX 160
size_t th_fault_format(const th_fault *fault, char *line, size_t capacity);

/* The default handler: hands the formatted line to th_port_panic (port.h), which in a hosted
 * build prints it on standard error and aborts. Does not return. `context` is unused. */
void th_fault_abort(void *context, const th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
