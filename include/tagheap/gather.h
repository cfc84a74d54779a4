/* SPDX-License-Identifier: MIT */
/* Gather lists: bytes that lie in several places and are sent, filled or copied as one piece. A
 * part has the layout of POSIX's struct iovec, so that the list goes to writev, readv, sendmsg and
 * recvmsg as it is; what the system took is consumed:
 *
 *   th_gather_add(&list, header, sizeof header);
 *   th_gather_add(&list, body, body_bytes);
 *   size_t count;
 *   const th_gather_part *parts = th_gather_parts(&list, &count);
 *   ssize_t sent = writev(socket, (const struct iovec *)parts, (int)count);
 *   if (sent > 0) th_gather_consume(&list, (size_t)sent);
 *
 * Ownership: the caller owns the th_gather, the memory for the parts, and what the parts point to,
 * which must live until it is consumed; the list copies nothing.
 * Sizes are bytes.
 * Thread rule: one list, one thread at a time.
 * Complexity: add O(1), or O(parts) when what is left moves up to the beginning; consume, copy and
 * fill O(parts and bytes concerned). Guards: at level 3 the checker runs after each change; a
 * th_fault names the part in `block`. */
#ifndef TAGHEAP_GATHER_H
#define TAGHEAP_GATHER_H

#include <stddef.h>
#include <stdint.h>

#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_gather_part {
    void *data;
    size_t bytes;
} th_gather_part;

typedef struct th_gather_config {
    void *memory; /* an array of th_gather_part, aligned for it */
    size_t memory_bytes;
    size_t bytes_max; /* of all parts together; 0: PTRDIFF_MAX */
    th_guarding guarding;
} th_gather_config;

/* Its fields are the library's own. */
typedef struct th_gather {
    th_gather_part *parts;
    size_t first; /* those before it are consumed */
    size_t end;
    size_t capacity;
    size_t bytes; /* in the parts from the first on */
    size_t peak;
    uint64_t refusals;
    th_gather_config config;
} th_gather;

/* Starts an empty list. Fails, leaving *gather untouched, iff gather, config or its memory is NULL
 * (TH_ERR_NULL), the memory is not aligned for a pointer (TH_ERR_MISALIGNED) or too small for one
 * part (TH_ERR_TOO_SMALL), or guarding.level is not 0 to 3 (TH_ERR_CONFIG). */
th_status th_gather_init(th_gather *gather, const th_gather_config *config);

/* Ends it; *gather is zeroed. NULL is allowed. */
void th_gather_clean_up(th_gather *gather);

/* Empties the list. TH_ERR_NULL for NULL and a zeroed list. */
th_status th_gather_reset(th_gather *gather);

/* Adds data[0 .. bytes-1] at the end; 0 bytes add nothing. What follows right after the last part
 * in memory becomes part of it. Fails, with nothing changed, iff data is NULL and bytes is not 0,
 * or the list is NULL or zeroed (TH_ERR_NULL), all parts are used (TH_ERR_EXHAUSTED), or there
 * would be more than bytes_max bytes (TH_ERR_TOO_LARGE). The list does not write to the data unless
 * th_gather_fill is called. */
th_status th_gather_add(th_gather *gather, const void *data, size_t bytes);

/* The parts that are left, none of them empty, valid until the list is changed; *count (which may
 * be NULL) is how many. NULL iff there is none. */
const th_gather_part *th_gather_parts(const th_gather *gather, size_t *count);

/* The bytes that are left in all parts. */
size_t th_gather_size(const th_gather *gather);

/* Takes `bytes` bytes from the front: they were sent, or filled. TH_ERR_TOO_LARGE, with nothing
 * changed, iff there are fewer; TH_ERR_NULL as before. */
th_status th_gather_consume(th_gather *gather, size_t bytes);

/* Copies the first `bytes` bytes, or as many as there are, to `target`; returns how many. The list
 * stays as it is. 0 for NULL. */
size_t th_gather_copy(const th_gather *gather, void *target, size_t bytes);

/* Copies source[0 .. bytes-1], or as much as there is room for, into the parts; returns how many
 * bytes. The list stays as it is. 0 for NULL. */
size_t th_gather_fill(const th_gather *gather, const void *source, size_t bytes);

typedef struct th_gather_stats {
    uint64_t parts;
    size_t bytes;
    size_t high_water_bytes;
    uint64_t refusals; /* additions that failed */
} th_gather_stats;

/* All of them are 0 for NULL and a zeroed list. */
th_gather_stats th_gather_get_stats(const th_gather *gather);

/* Proves the list: no part is empty, and their bytes are counted. TH_ERR_CORRUPT, with the first
 * thing wrong in *fault (which may be NULL), or TH_OK; TH_ERR_NULL as before. O(parts). */
th_status th_gather_check(const th_gather *gather, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
