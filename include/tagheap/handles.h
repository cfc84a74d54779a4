/* SPDX-License-Identifier: MIT */
/* Handles: references to blocks of a tagged heap that stay right when the blocks move. A handle is
 * a number and a generation; the table knows where the block is now. So the heap can be compacted
 * without a callback of the user's, a handle that is out of date is noticed instead of followed,
 * and a block can be discarded when memory runs short while its handle lives on and says so.
 *
 *   handle {3, 7} --> slot 3 [ generation 7 | payload | pins 1 ... ] --> block in the heap
 *
 * States of a handle: live (it has a block), purged (its block was discarded; th_handles_realloc
 * gives it another one), stale (it was freed). A pinned block neither moves nor goes.
 *
 * When the heap has no room for a block, the table makes some: it compacts the heap if that would
 * help (pinned blocks, and those of the heap that have no handle, stay), else it discards the block
 * that has been purgeable for the longest time, and tries again.
 *
 * Which pointers die: an address from th_handles_get is good until the next call that allocates,
 * resizes, frees, purges or compacts; one from th_handles_pin until the last unpin.
 * Sizes are bytes. Ownership: the caller owns th_handles, the heap and the slots' memory; a block
 * belongs to its handle, and must not be freed, resized, retagged or moved by calls to the heap.
 * The heap's sites are the table's: each is the number of a slot. The heap must not move
 * (th_heap_attach) while it has handles. Thread rule: table and heap, one thread at a time. The
 * heap's low-memory callback may call the table, but for reset and clean_up (which raise
 * TH_FAULT_REENTRY and do nothing); what is being resized stays as it is meanwhile: it cannot be
 * freed, resized, purged, moved or pinned. The heap's event hook must not call it.
 * While the heap is frozen (th_heap_freeze) what would change a block raises TH_FAULT_FROZEN and
 * does nothing: alloc, realloc, free, free_tags, purge, compact, commit, reset, clean_up. get, pin,
 * unpin, set_purgeable and all questions go on: what they change is the table's, which must lie
 * elsewhere if the heap's pages are read-only (page_heap.h). Faults, at every level:
 * TH_FAULT_STALE for a handle that was freed, or is another table's (block: the slot;
 * expected and found: generations), TH_FAULT_UNPINNED, TH_FAULT_REENTRY, TH_FAULT_FROZEN. A
 * generation is never given twice: a slot that has used up all of them (2^23 lives) is retired. At
 * level 3 the checker runs after each call that changes something. Source: the handles of the
 * Macintosh Memory Manager (Inside Macintosh, vol. II, 1985), with the generations of today's slot
 * maps. */
#ifndef TAGHEAP_HANDLES_H
#define TAGHEAP_HANDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"
#include "tagheap/heap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Generation 0: no handle. Handles may be copied, compared and kept anywhere. */
typedef struct th_handle {
    uint32_t slot;
    uint32_t generation; /* the table's number in the high 8 bits */
} th_handle;

/* What the table keeps for a handle; the library's own. */
typedef struct th_handles_slot {
    void *payload; /* NULL: purged, or unused */
    size_t bytes;
    uint32_t life; /* counts allocations and frees: odd while the handle is live or purged */
    uint32_t tag;
    uint32_t pins;
    uint32_t older, younger; /* purgeable: neighbours in the queue; unused: `younger` is the next */
    uint8_t align_log2;
    bool purgeable;
    bool held; /* while th_handles_realloc is at work on it */
} th_handles_slot;

typedef struct th_handles_config {
    void *memory;         /* for slots: as many as fit; NULL: none */
    size_t memory_bytes;  /* aligned as th_handles_slot is */
    th_allocator backing; /* where a larger table comes from when memory is full; none: it fails */
    uint8_t number;       /* of the table: handles of tables with other numbers are told apart */
    th_guarding guarding;
} th_handles_config;

/* Its fields are the library's own. Zeroed, it has no heap, and every call says so. */
typedef struct th_handles {
    th_heap *heap;
    th_handles_slot *slots;
    uint32_t slots_used, slots_max; /* those from slots_used on were never used */
    uint32_t unused;                /* the first one of the unused below; UINT32_MAX: none */
    uint32_t oldest, youngest;      /* ends of the queue of what may be purged */
    uint64_t live, purged, pinned, retired;
    size_t live_bytes, pinned_bytes;
    uint64_t allocs, frees, purges, moves, failed_allocs, faults;
    unsigned asking;   /* calls that wait for the heap, which may ask its low-memory callback */
    bool slots_backed; /* they come from the backing */
    th_handles_config config;
} th_handles;

/* Starts a table without handles on a heap, which may have blocks already. Fails, leaving *handles
 * untouched, iff handles, heap or config is NULL, the heap is zeroed, or there is neither memory
 * nor backing (TH_ERR_NULL); the heap is lean, which keeps no sites (TH_ERR_LAYOUT); memory is
 * misaligned (TH_ERR_MISALIGNED) or holds no slot (TH_ERR_TOO_SMALL); the backing cannot allocate
 * and free, or the level is none (TH_ERR_CONFIG). O(1). */
th_status th_handles_init(th_handles *handles, th_heap *heap, const th_handles_config *config);

/* Frees every block, pinned ones too, and the table; *handles is zeroed. NULL is allowed. The heap
 * lives on. From inside a callback of the heap, and while it is frozen: nothing, after a fault.
 * O(slots log u). */
void th_handles_clean_up(th_handles *handles);

/* A block of `bytes` bytes under `tag`, aligned as the heap says or to `alignment`. Generation 0
 * iff bytes is 0 or more than the heap manages, the tag or alignment is none
 * (th_heap_alloc_aligned), no slot is left and the table cannot grow, or there is no room even
 * after compaction and after everything that may be purged is purged; or after a fault. O(log u),
 * and O(n + bytes moved) for each compaction. */
th_handle th_handles_alloc(th_handles *handles, size_t bytes, uint32_t tag);
th_handle th_handles_alloc_aligned(th_handles *handles, size_t bytes, size_t alignment,
                                   uint32_t tag);

/* Frees the block, if there is one; the handle is stale from now on. Generation 0 is allowed.
 * TH_ERR_PINNED iff it is pinned or being resized, TH_ERR_STALE after a fault, TH_ERR_BUSY after a
 * fault from inside a callback of the heap and while it is frozen, TH_ERR_NULL for a zeroed table:
 * nothing is done. O(log u). */
th_status th_handles_free(th_handles *handles, th_handle handle);

/* Frees every block with low <= tag <= high that is neither pinned nor being resized, purged
 * handles included; how many. 0 after a fault. O(slots). */
uint64_t th_handles_free_tags(th_handles *handles, uint32_t low, uint32_t high);

/* Where the block is now; NULL iff it is purged, generation is 0, or after a fault. O(1). */
void *th_handles_get(th_handles *handles, th_handle handle);

/* The same, and it stays there, and is not purged, until th_handles_unpin has been called as often.
 * NULL also if it is pinned 2^32 - 1 times, or being resized. O(1). */
void *th_handles_pin(th_handles *handles, th_handle handle);

/* Takes one pin back. TH_OK; TH_ERR_STALE after a fault: the handle is stale, or not pinned. O(1).
 */
th_status th_handles_unpin(th_handles *handles, th_handle handle);

/* Makes the block `bytes` bytes long; it may move, and the first min(old, bytes) bytes are kept. A
 * purged handle gets a new block, of indeterminate contents, with the tag and the alignment that it
 * had. 0 bytes free the handle. Returns the payload; NULL iff bytes is 0, after a fault, the block
 * is pinned and its usable size too small (a pinned block shrinks, or grows where it is), it is
 * being resized already, or there is no room as for th_handles_alloc: all is as it was then, but
 * for what was purged. As th_handles_alloc. */
void *th_handles_realloc(th_handles *handles, th_handle handle, size_t bytes);

/* May the block be discarded when memory runs short (or by th_handles_purge) while it is not
 * pinned? It may be gone at each call that allocates from then on. What is unpinned last goes last.
 * TH_OK, TH_ERR_NULL, or TH_ERR_STALE after a fault. O(1). */
th_status th_handles_set_purgeable(th_handles *handles, th_handle handle, bool purgeable);

/* Discards blocks that may be, the longest purgeable first, until `bytes` requested bytes are gone
 * (SIZE_MAX: all). How many bytes went; 0 after a fault. O(blocks log u). */
size_t th_handles_purge(th_handles *handles, size_t bytes);

/* Compacts the heap: th_heap_compact and th_heap_compact_some, with a veto for what is pinned and
 * for blocks that have no handle. Handles follow. Refused after a fault, it
 * returns zeros. */
th_heap_compaction th_handles_compact(th_handles *handles);
th_heap_compaction th_handles_compact_some(th_handles *handles, size_t budget_bytes);

/* A move that a compaction would make. */
typedef struct th_handles_move {
    th_handle handle;
    const void *from;
    const void *to;
    size_t bytes;
} th_handles_move;

/* What th_handles_compact would do now, without doing it: the first moves_max moves in
 * moves[] (NULL if that is 0), in their order. O(n). */
th_heap_plan th_handles_plan(const th_handles *handles, th_handles_move *moves, size_t moves_max);

/* Compacts, if that means exactly these moves: the whole plan. TH_OK; TH_ERR_STALE, with nothing
 * done, if handles or heap are not as they were; TH_ERR_BUSY, likewise, after a fault as
 * th_handles_free; TH_ERR_NULL. O(n + bytes moved). */
th_status th_handles_commit(th_handles *handles, const th_handles_move *moves, size_t count);

/* The handle whose block the address lies in; generation 0 if there is none. O(n). */
th_handle th_handles_recover(const th_handles *handles, const void *pointer);

typedef struct th_handle_info {
    void *payload; /* NULL: purged */
    size_t bytes;  /* requested; of a purged one, those that it had */
    size_t alignment;
    uint32_t tag;
    uint32_t pins;
    bool purgeable;
} th_handle_info;

/* Describes a handle; false, with *info untouched, if it is stale or another table's. Raises
 * nothing: this is how to ask whether a handle is still good. O(1). */
bool th_handles_describe(const th_handles *handles, th_handle handle, th_handle_info *info);

typedef struct th_handles_stats {
    uint64_t live;                   /* handles with a block */
    uint64_t purged;                 /* handles without */
    uint64_t pinned;                 /* of live ones */
    uint64_t slots;                  /* that the table has */
    uint64_t retired;                /* slots that will not be used any more */
    size_t live_bytes, pinned_bytes; /* requested */
    size_t compacted_largest_bytes;  /* the largest block that compaction could yield */
    uint64_t allocs, frees;          /* handles given and freed */
    uint64_t purges, moves;          /* of blocks */
    uint64_t failed_allocs;          /* well-formed ones, growths included */
    uint64_t faults;                 /* raised */
} th_handles_stats;

/* O(n). */
th_handles_stats th_handles_get_stats(const th_handles *handles);

/* Frees every block, pinned ones too: every handle is stale. TH_OK, TH_ERR_BUSY with a fault from
 * inside a callback of the heap and while it is frozen, or TH_ERR_NULL for NULL and a zeroed table.
 * O(slots). */
th_status th_handles_reset(th_handles *handles);

/* Proves that each live handle has a block of its tag, size and slot in the heap, that no two share
 * one, and the counts and queues. Raises no fault: TH_OK, TH_ERR_CORRUPT with *fault (which may be
 * NULL) filled in, or TH_ERR_NULL. It does not check the heap. O(slots + n). */
th_status th_handles_check(const th_handles *handles, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
