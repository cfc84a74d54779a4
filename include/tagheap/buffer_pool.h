/* SPDX-License-Identifier: MIT */
/* Buffer pools: growable buffers (buffer.h) that are given back when they are done with, and used
 * again with the memory that they have, up to limits.
 *
 * A request gets, of the buffers that are kept, the one last given back that is large enough; if
 * none is, the one last given back, which grows; if none is kept, a new one.
 *
 * Ownership: the caller owns the th_buffer_pool; the pool owns its buffers and lends them: a buffer
 * is the borrower's from take to give_back, and must not be cleaned up or started by him.
 * Sizes are bytes.
 * Thread rule: one pool, one thread at a time.
 * Complexity: take O(buffers kept), give_back O(1).
 * Guards: at level 1 and up, giving back a buffer that is not out is TH_FAULT_DOUBLE_FREE, and one
 * of another pool TH_FAULT_FOREIGN; at level 3 the checker runs after each change. */
#ifndef TAGHEAP_BUFFER_POOL_H
#define TAGHEAP_BUFFER_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "tagheap/buffer.h"
#include "tagheap/guarding.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct th_buffer_pool_config {
    th_buffer_config
        buffers;           /* what each is started with; the pool takes memory from its backing */
    size_t out_max;        /* buffers lent at a time; 0: no limit */
    size_t kept_max;       /* buffers kept for use again; 0: 16 */
    size_t kept_bytes_max; /* of their blocks, together; 0: no limit */
    th_guarding guarding;
} th_buffer_pool_config;

typedef struct th_pooled_buffer th_pooled_buffer;

/* Its fields are the library's own. */
typedef struct th_buffer_pool {
    th_pooled_buffer *kept; /* the one last given back first */
    th_pooled_buffer *out;
    size_t kept_count;
    size_t kept_bytes;
    size_t out_count;
    size_t out_peak;
    uint64_t takes;
    uint64_t reuses;
    uint64_t refusals;
    th_buffer_pool_config config; /* zeroed kept_max: not started */
} th_buffer_pool;

/* Starts a pool without buffers. Fails, leaving *pool untouched, iff pool or config is NULL
 * (TH_ERR_NULL), th_buffer_init refuses config->buffers (its status), or guarding.level is not 0 to
 * 3 (TH_ERR_CONFIG). */
th_status th_buffer_pool_init(th_buffer_pool *pool, const th_buffer_pool_config *config);

/* Ends it with all its buffers, those that are out, too; *pool is zeroed. NULL is allowed. */
void th_buffer_pool_clean_up(th_buffer_pool *pool);

/* An empty buffer with room for `bytes` bytes. NULL iff out_max are out, bytes is above the
 * buffers' bytes_max, there is no memory, or pool is NULL or zeroed. */
th_buffer *th_buffer_pool_take(th_buffer_pool *pool, size_t bytes);

/* Gives one back: it is emptied, and kept if the limits allow, else ended. NULL is allowed (TH_OK).
 * TH_ERR_CORRUPT, with nothing done, for one that is not out (after a fault, see above);
 * TH_ERR_NULL for pool NULL or zeroed. */
th_status th_buffer_pool_give_back(th_buffer_pool *pool, th_buffer *buffer);

/* Ends kept buffers, the ones unused for longest first, until at most `kept` are left; returns how
 * many went. */
size_t th_buffer_pool_trim(th_buffer_pool *pool, size_t kept);

/* Takes back every buffer that is out, as give_back. TH_ERR_NULL as before. */
th_status th_buffer_pool_reset(th_buffer_pool *pool);

typedef struct th_buffer_pool_stats {
    uint64_t out;
    uint64_t out_peak;
    uint64_t kept;
    size_t kept_bytes;
    uint64_t takes;
    uint64_t reuses;   /* takes that were met by a kept buffer */
    uint64_t refusals; /* takes that gave NULL */
} th_buffer_pool_stats;

/* All of them are 0 for NULL and a zeroed pool. */
th_buffer_pool_stats th_buffer_pool_get_stats(const th_buffer_pool *pool);

/* Proves lists, counts and limits. TH_ERR_CORRUPT, with the first thing wrong in *fault (which may
 * be NULL), or TH_OK; TH_ERR_NULL as before. O(buffers). */
th_status th_buffer_pool_check(const th_buffer_pool *pool, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
