/* SPDX-License-Identifier: MIT */
/* The tagged heap: one contiguous region of the caller's, every block tagged.
 *
 *   low address                                                        high address
 *   [HEAD 0x1001][HEAD 0x1002][ free ][HEAD 0x1003][   free   ][TAIL 0x4001][LAST]
 *    FIRST (offset 0)      HEAD blocks grow up ->     <- TAIL blocks grow down
 *
 * Terms. A dword is 4 bytes. A block is a header followed by its payload; the blocks tile the
 * region without gaps. The payload is what callers see. Slack is what a payload has beyond the
 * bytes requested. FIRST is the block at offset 0; LAST is a free block of size 0 at the end
 * that is never allocated and never merged. Links between blocks are offsets in dwords from the
 * start of the region, never pointers, so an image of the region works at another address.
 *
 * docs/heap.md states what every call does to the blocks, exactly.
 *
 * Ownership: the caller owns the region and the th_heap; the heap never allocates and never
 * frees either. Payloads belong to the heap; a caller may use one from the call that returned it
 * until it is freed, moved by a resize, or moved by compaction.
 * Thread rule: one heap, one thread at a time, unless config.lock is given: then any threads, but
 * for init, attach, detach and clean_up, which are for one alone. Different heaps are independent
 * (there is no global state). With a lock each call is whole: the checker and the queries take it,
 * too, and see the heap before or after what other threads do, never in the middle. The walk
 * (th_heap_first, th_heap_next) takes none, so that a crash handler can use it; others walk between
 * th_heap_lock and th_heap_unlock. A lock is held for one call; th_heap_compact_some holds it for
 * one step, and other threads get in between two. Contents that a call copies or zeroes it copies
 * or zeroes under the lock: when others get in, it has written its last.
 * Complexity: n is the number of blocks, free ones included. With an index (config.index; the
 * default but in small regions) a block is found in O(log u), u being the units of the region, its
 * alignment each; docs/design/index.md gives the bound in instructions. Without one it is O(n). At
 * guard level 2 a call that uses a free block costs O(bytes once used of it) more, at level 3 every
 * call that changes the heap O(n + bytes once used). Faults (fault.h): what each guard level
 * notices stands in docs/guards.md; at level 0 a misused pointer is undefined behaviour, as with
 * malloc. */
#ifndef TAGHEAP_HEAP_H
#define TAGHEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/compiler.h"
#include "tagheap/event.h"
#include "tagheap/fault.h"
#include "tagheap/guarding.h"
#include "tagheap/lock.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tags: 0x0000-0x3FFF HEAD, 0x4000-0x7FFE TAIL, 0x7FFF FREE (refused from callers). */
#define TH_TAG_HEAD_MAX 0x3FFFu
#define TH_TAG_TAIL_MIN 0x4000u
#define TH_TAG_TAIL_MAX 0x7FFEu
#define TH_TAG_FREE     0x7FFFu

/* Tags of a heap that was asked for TH_HEAP_LAYOUT_WIDE by name: 31 bits. */
#define TH_TAG_WIDE_HEAD_MAX 0x3FFFFFFFu
#define TH_TAG_WIDE_TAIL_MIN 0x40000000u
#define TH_TAG_WIDE_TAIL_MAX 0x7FFFFFFEu
#define TH_TAG_WIDE_FREE     0x7FFFFFFFu

/* The largest payload of one block in the classic and the lean layout, in bytes: 17 bits of
 * dwords. In the wide layout it is what the largest region holds. */
#define TH_HEAP_BLOCK_BYTES_MAX (TH_SIZE_C(0x1FFFF) * 4)

/* How the headers of a heap's blocks lie in memory, and thereby what they can hold:
 *
 *            header bytes at      largest free    tag   requested   guard
 *            alignment 4, 8, 16   block, bytes    bits  bytes kept  levels
 *   CLASSIC     24   24   32           524,284     15   yes         0-3
 *   LEAN         8    8   16           524,284     15   no          0
 *   WIDE        28   32   32            16 GiB     15   yes         0-3   (31 tag bits by name)
 *
 * AUTO is classic as far as that reaches, and wide above, so that no region up to 16 GiB is too
 * large. Tags mean the same under AUTO whatever the size of the region is. In a lean heap a block
 * has no site, and the bytes requested are all that it has: every size that a call reports or takes
 * from a block is its usable size. */
typedef enum th_heap_layout {
    TH_HEAP_LAYOUT_AUTO,
    TH_HEAP_LAYOUT_CLASSIC,
    TH_HEAP_LAYOUT_LEAN,
    TH_HEAP_LAYOUT_WIDE
} th_heap_layout;

/* Does this build of the library contain the layout (TH_LAYOUTS)? AUTO: always; where there is only
 * one layout, AUTO is that one. */
bool th_heap_has_layout(th_heap_layout layout);

typedef struct th_heap th_heap;
struct th_journal; /* the library's own */

/* Asked before compaction moves a block: may the payload of `bytes` requested bytes at `from`
 * go to `to` (a lower address; the two may overlap)? True: it is moved as soon as this returns,
 * and every pointer into the old payload is dead; unless, with guards, the callback has written
 * where only the heap may: then a fault is raised, the block stays, and the compaction ends. False:
 * the block stays. Must not call the heap (that raises TH_FAULT_REENTRY and does nothing), except
 * for its walk and queries. Only th_heap_init on it, and th_heap_copy to it, cannot notice that,
 * and are undefined here: the th_heap that they overwrite may hold anything. */
typedef bool (*th_heap_move_fn)(void *context, uint32_t tag, void *from, void *to, size_t bytes);

/* Called when an allocation or a growth of `bytes` bytes finds no room, before it fails. May
 * call the heap (free, free_tags, compact with a veto ...), but must not free or move the block
 * that is being resized, nor end the heap (which raises TH_FAULT_REENTRY and does nothing). True:
 * something was freed, try again (this may repeat); false: give up. It is not called while it
 * runs: neither for allocations made inside itself, nor, in a heap with a lock, for those that
 * other threads make meanwhile. Where they find no room they fail. */
typedef bool (*th_heap_low_memory_fn)(void *context, th_heap *heap, size_t bytes);

/* Where the heap keeps its index, the table that finds the block that fits without a walk. Which
 * block that is does not depend on it. (A library that was built without one, TH_INDEX=0, takes
 * AUTO for NONE, and no memory for it: TH_ERR_CONFIG.) */
typedef enum th_heap_index {
    TH_HEAP_INDEX_AUTO, /* in the last 2.3 % of the region (alignment 16; 4.6 % at 8, 9 % at 4), if
                           that is of 4 KiB or more: a walk is as fast in smaller ones */
    TH_HEAP_INDEX_NONE, /* there is none: allocations are O(n) */
    TH_HEAP_INDEX_GIVEN /* in memory of the caller's, config.index_memory */
} th_heap_index;

/* The most that the index of a region of so many bytes at that alignment (4, 8 or 16) takes, as a
 * constant, for static memory: th_heap_index_bytes is never more. */
#define TH_HEAP_INDEX_BYTES_MAX(region_bytes, alignment)                                           \
    (((region_bytes) / (alignment) / 64 + 1) * 28 + 64)

/* Everything optional: a zeroed config is a good one. */
typedef struct th_heap_config {
    size_t alignment;      /* of every payload, in bytes: 4, 8 or 16. 0: what suits every
                              object, alignof(max_align_t) of the library's build */
    th_guarding guarding;  /* the guard level, and who is told of faults */
    th_heap_layout layout; /* of the headers; 0: TH_HEAP_LAYOUT_AUTO */
    bool poison_unused;    /* at guard level 2 and up, memory that no block has ever used is
                              poisoned and verified like all free memory: init is
                              O(region), and so is every call at level 3 */
    th_heap_low_memory_fn low_memory; /* NULL: none */
    void *low_memory_context;
    th_lock lock;         /* zeroed: none. Held during every call but the walk's, move callbacks and
                             on_event included, but not during low_memory. One that a thread may
                             take again, as all of lock.h are, has calls from inside those
                             callbacks reported, and lets them ask the queries; with another one
                             both deadlock */
    th_event_fn on_event; /* NULL: none. Told of every block that is made, freed, resized, moved or
                             retagged, of every request that finds no room, and of the heap's end
                             (th_heap_clean_up: RESET). A heap that is watched takes no fast path;
                             one that is not pays nothing. In a lean heap, which keeps no requested
                             sizes, sizes are whole payloads */
    void *event_context;
    th_heap_index index;
    void *index_memory; /* if index says so: a multiple of 8, apart from the region; the heap's
                           from init to its end */
    size_t index_bytes; /* its size: th_heap_index_bytes or more */
} th_heap_config;

/* The tables of the index: the library's own. */
#define TH_HEAP_INDEX_LEVELS 9
typedef struct th_heap_index_arrays {
    uint8_t *small[TH_HEAP_INDEX_LEVELS]; /* leaves first; [0] NULL: there is no index */
    uint32_t *large;
    uint32_t small_top; /* the highest level of small */
    uint32_t large_leaf;
} th_heap_index_arrays;

/* The control structure. Its fields are the library's own; it is declared here so that a heap
 * can live in static storage. It holds one pointer to the region and the caller's hooks. */
struct th_heap {
    unsigned char *base;     /* start of what is managed of the region */
    uint32_t dwords;         /* managed: header of LAST included */
    uint32_t last;           /* offset of LAST */
    uint32_t low_used;       /* only dwords [0, low_used) and [high_used, dwords) have ever */
    uint32_t high_used;      /* been written; what lies between them was never touched */
    uint32_t check_seed;     /* of the check words: another one after each init */
    uint32_t compact_cursor; /* where a budgeted compaction goes on; 0: at the bottom */
    uint32_t head_blocks;
    uint32_t tail_blocks;
    uint32_t free_blocks; /* LAST not counted */
    uint32_t head_dwords; /* live HEAD blocks with their headers */
    uint32_t tail_dwords; /* live TAIL blocks with their headers */
    uint32_t high_water_dwords;
    uint32_t tag_free;   /* TH_TAG_FREE, or TH_TAG_WIDE_FREE; from above half of it on: TAIL */
    uint32_t size_max;   /* the largest payload that the layout can express, in dwords */
    uint32_t first_tail; /* offset of the first TAIL block, or LAST */
    uint32_t middle;     /* offset of the free block that ends there; UINT32_MAX: none */
    uint32_t high_free_blocks; /* those above first_tail */
    uint32_t fast;             /* which fast path may be taken; 0: none may */
    uint64_t failed_allocs;
    uint64_t live_sum;     /* guard level 3: over what the headers of live blocks say; else 0 */
    uint8_t unit_dwords;   /* alignment in dwords: 1, 2 or 4 */
    uint8_t header_dwords; /* the layout's, rounded up to the alignment */
    uint8_t guard;
    uint8_t busy;          /* the th_fault_kind that changes raise now; 0: none */
    bool in_low_memory;    /* inside the low-memory callback */
    uint8_t skipped_bytes; /* between the start of the caller's region and base */
    bool index_inside;     /* the index lies in the region, above LAST */
    uint8_t layout;        /* a th_heap_layout, but not AUTO */
    uint64_t seal_layout;  /* guard level 3: check words over the fields above; else 0 */
    uint64_t seal_counts;
    th_heap_index_arrays index;
    th_heap_config config;            /* not sealed: attach lets callers renew the hooks */
    const struct th_journal *journal; /* nor this: is told of a change before it is made */
    void *journal_context;
};

/* Starts a fresh heap on region[0 .. bytes-1]: FIRST (free), then LAST. Bytes beyond a multiple
 * of the alignment stay unused, and, if config->alignment is 0, so do those in front of the first
 * multiple: a region may begin anywhere then. They count in no statistic, nor do the last 16 bytes
 * of 16 GiB, which have no number. Does not touch the memory between the two headers, O(1), unless
 * config->poison_unused says so.
 * Fails, leaving *heap and the region untouched, iff
 *   heap or region is NULL (TH_ERR_NULL); config->alignment is not 0, 4, 8 or 16
 *   (TH_ERR_ALIGNMENT); config->guarding.level is not 0 to 3, or only one lock hook is given
 *   (TH_ERR_CONFIG); config->layout is none that this library contains (TH_ERR_LAYOUT); it is lean,
 *   and config->guarding.level is not 0 (TH_ERR_CONFIG); region is not a multiple of the alignment
 * asked for (TH_ERR_MISALIGNED); it cannot hold two headers and 4 dwords (TH_ERR_TOO_SMALL); its
 * free block would exceed what the layout can express: TH_HEAP_BLOCK_BYTES_MAX, or in a wide heap a
 * region of 16 GiB (TH_ERR_TOO_LARGE). config may be NULL (all defaults); it is copied. A heap may
 * be initialised again at any time: every pointer from before is dead. The index is made empty:
 * O(its bytes), and with config->index TH_HEAP_INDEX_GIVEN also fails iff index_memory is NULL
 * (TH_ERR_NULL) or no multiple of 8 (TH_ERR_MISALIGNED); index_bytes are too few (TH_ERR_TOO_SMALL;
 * th_heap_index_bytes is enough); it overlaps the region (TH_ERR_CONFIG, as is an index that is
 * none of the three). */
th_status th_heap_init(th_heap *heap, void *region, size_t bytes, const th_heap_config *config);

/* The bytes that the index of a region of `region_bytes` at that alignment (0: the default) takes
 * at most. O(1). */
size_t th_heap_index_bytes(size_t region_bytes, size_t alignment);

/* Gives a started heap an index in the caller's memory, as config.index_memory would have done, in
 * place of the one it has; memory NULL: it has none from now on. (What an index inside the region
 * took of it stays unused.) Fails, changing nothing, iff heap is NULL or zeroed (TH_ERR_NULL);
 * memory is no multiple of 8 (TH_ERR_MISALIGNED), too small (TH_ERR_TOO_SMALL; th_heap_index_bytes
 * is enough), or overlaps what is managed of the region (TH_ERR_CONFIG); it is called from inside a
 * callback (TH_ERR_BUSY, with a fault); with guards, the blocks are broken (TH_ERR_CORRUPT). O(n +
 * bytes). */
th_status th_heap_set_index(th_heap *heap, void *memory, size_t bytes);

/* Has a started heap watched by on_event from now on, as config.on_event would have done, in place
 * of what watches it; NULL: by nothing. (A copy is watched as the original is, until this is
 * called.) Blocks that are there already are not told. Fails, changing nothing, iff heap is NULL or
 * zeroed (TH_ERR_NULL); it is called from inside a callback (TH_ERR_BUSY, with a fault); the
 * th_heap is damaged (TH_ERR_CORRUPT, with a fault). O(1). */
th_status th_heap_set_on_event(th_heap *heap, th_event_fn on_event, void *context);

/* Ends the heap: the region is the caller's ordinary memory again (sanitizer annotations are
 * removed), *heap is zeroed. Every payload is dead. NULL is allowed. O(1), but O(region) in
 * instrumented builds.
 * On a zeroed th_heap every call but init does nothing and says so: NULL, 0, false, or
 * TH_ERR_NULL; no hook is called. */
void th_heap_clean_up(th_heap *heap);

/* Freezes the heap: until th_heap_thaw each call that would change it raises TH_FAULT_FROZEN and
 * gives its failure value, as inside a callback, without a single write to the region or to *heap:
 * both may lie in memory that is read-only from then on (th_pages_protect; tagheap/page_heap.h does
 * both, under one lock). Walk, queries, check and th_heap_copy go on. What is written over *heap by
 * th_heap_init, th_heap_attach or th_heap_copy to it is not frozen, nor is a copy or an attached
 * image of a frozen heap. Fails, changing nothing, iff heap is NULL or zeroed (TH_ERR_NULL); it is
 * called from inside a move callback or on_event, with TH_FAULT_REENTRY, or the heap is frozen
 * already, with TH_FAULT_FROZEN, or while the low-memory callback runs, of this thread or another
 * one, with no fault (TH_ERR_BUSY); the th_heap is damaged (TH_ERR_CORRUPT, with a fault). O(1), at
 * level 3 O(n + bytes once used). */
th_status th_heap_freeze(th_heap *heap);

/* Ends that; a heap that is not frozen stays as it is. Fails, changing nothing, iff heap is NULL or
 * zeroed (TH_ERR_NULL); it is called from inside a callback (TH_ERR_BUSY, with a fault); the
 * th_heap is damaged (TH_ERR_CORRUPT, with a fault). O(1). */
th_status th_heap_thaw(th_heap *heap);

/* For the child after a fork, beside the renewal of its lock, which the thread that forked held
 * (lock.h): what another thread was in then is over. That is the low-memory callback, for which the
 * lock is let go: it will not return here, and until it does none is called, nor is the heap
 * frozen. Everything else is as it was. Not for a child that was forked inside that callback, which
 * does return there, and after this might be called from inside itself. Fails, changing nothing,
 * iff heap is NULL or zeroed (TH_ERR_NULL); it is called from inside a move callback or on_event
 * (TH_ERR_BUSY, with a fault); the th_heap is damaged (TH_ERR_CORRUPT, with a fault). O(1). */
th_status th_heap_renew(th_heap *heap);

/* Copies the heap `from` to `to` with the region `region` of at least th_heap_region_bytes(from)
 * bytes; both heaps then live on independently. Memory that was never part of a used block is
 * not copied. Pointers into the old region stay valid for the old heap only; th_heap_translate
 * gives their counterparts. The copy has the same hooks and contexts, lock included; an index of
 * its own if the heap's lies in the region, else none (th_heap_set_index gives it one). Fails,
 * leaving *to untouched, iff a pointer is NULL (TH_ERR_NULL); the region lacks the heap's alignment
 * or a live block's special alignment would not hold there (TH_ERR_MISALIGNED); with guards, its
 * chain is broken (TH_ERR_CORRUPT, with a fault); from is inside its own move callback or on_event
 * (TH_ERR_BUSY, with a fault). A frozen heap is copied, and the copy is not frozen. O(n + bytes
 * once used). */
th_status th_heap_copy(const th_heap *from, th_heap *to, void *region);

/* Tells a heap whose region was copied or mapped by other means (memcpy, a file, another
 * process) where it now lies: `region` is where the first byte is now that init (or th_heap_copy,
 * or the attach before) was given. *heap is a copy of the control structure, with hooks that are
 * valid in this process. In an instrumented build copy the region with th_heap_copy, or detach
 * it first. A guard level that this build does not contain is lowered, for good. The index is made
 * anew, where heap->config says. A frozen heap is frozen no more. Fails, leaving *heap untouched,
 * iff heap or region is NULL or heap is zeroed (TH_ERR_NULL); it is inside its own move callback or
 * on_event, or a copy of the control structure that was made there (TH_ERR_BUSY, with a fault); its
 * layout is none that this library contains (TH_ERR_LAYOUT); as th_heap_copy for alignment
 * (TH_ERR_MISALIGNED); the control structure is damaged, or the blocks there are not a valid heap
 * of this size and layout (TH_ERR_CORRUPT); as th_heap_init for the index's memory. O(n + bytes
 * once used). */
th_status th_heap_attach(th_heap *heap, void *region);

/* Prepares a region for being copied, mapped or saved as plain bytes: sanitizer annotations are
 * removed. The heap must not be used until th_heap_attach. O(region) in instrumented builds,
 * else O(1). */
void th_heap_detach(th_heap *heap);

/* The address in `to` that corresponds to the address `pointer` in `from`, its end included. NULL
 * for NULL, and for an address that is not in what `from` manages. O(1). */
void *th_heap_translate(const th_heap *from, const th_heap *to, const void *pointer);

/* Allocates `bytes` bytes under `tag`. HEAD tags: from the lowest free block that fits below
 * every TAIL block, at its low end. TAIL tags: from the highest free block that fits above every
 * HEAD block, at its high end. Returns a payload aligned to the heap's alignment, with
 * indeterminate contents. Returns NULL iff the tag is none (above 0x7FFE; above
 * TH_TAG_WIDE_TAIL_MAX in a heap that is wide by name), bytes is 0, or no free block in that
 * side's reach fits (after the low-memory callback, if any). O(log u). */
void *th_heap_alloc(th_heap *heap, size_t bytes, uint32_t tag);

/* As th_heap_alloc, with a payload at a multiple of `alignment` bytes, kept across resize and
 * compaction. Also returns NULL if alignment is not a power of two. Alignments up to the heap's
 * own are th_heap_alloc; above 2^31 nothing fits. O((k + 1) log u),
 * k being the free blocks that are large enough and have no such address. */
void *th_heap_alloc_aligned(th_heap *heap, size_t bytes, size_t alignment, uint32_t tag);

/* As th_heap_alloc_aligned; `site` is a number of the caller's choice (a line, a hash), kept in
 * the header and shown by the walk. The two calls above give site 0. */
void *th_heap_alloc_at(th_heap *heap, size_t bytes, size_t alignment, uint32_t tag, uint32_t site);

/* As th_heap_alloc_at, with all `bytes` bytes zero, before the lock, if there is one, is let go.
 * O(bytes) more. */
void *th_heap_alloc_zeroed(th_heap *heap, size_t bytes, size_t alignment, uint32_t tag,
                           uint32_t site);

/* Changes the requested size of the payload `pointer` to `bytes`.
 *   pointer NULL: returns NULL and does nothing. bytes 0: frees, returns NULL.
 *   The block's size suffices: only the requested size changes; returns pointer.
 *   The next block is free and large enough: grows in place; returns pointer.
 *   Else: new block with the same tag, alignment and site, contents copied, old block freed;
 *   returns the new payload, and every pointer into the old one is dead.
 * The first min(old requested, bytes) bytes are kept. Returns NULL with the block untouched iff
 * none of this is possible (a size above PTRDIFF_MAX never is). O(log u), and the bytes copied. */
void *th_heap_realloc(th_heap *heap, void *pointer, size_t bytes);

/* Gives back what the block has beyond its requested size: to the next block if that is free,
 * else as a free block of its own if it can hold a header and 4 dwords. Returns the bytes made
 * available (0: nothing could be given back, or pointer is NULL). The payload stays where it
 * is. O(log u). */
size_t th_heap_trim(th_heap *heap, void *pointer);

/* Gives the payload's block another tag of the same side; everything else stays as it is. Returns
 * true iff that is done. Fails, leaving the block as it is, iff pointer is NULL; `tag` is none (as
 * for th_heap_alloc) or of the other side; or after a fault. O(1). */
bool th_heap_retag(th_heap *heap, void *pointer, uint32_t tag);

/* Frees the payload and merges the block with free neighbours:
 *   [ prev ][ this ][ next ] => [ ------- free ------- ]
 * Returns the bytes made available: the payload, plus the header of each block merged away.
 * 0 for NULL, and after a fault. O(log u). */
size_t th_heap_free(th_heap *heap, void *pointer);

/* Frees every live block with low <= tag <= high, HEAD and TAIL alike; returns how many. O(n). */
uint32_t th_heap_free_tags(th_heap *heap, uint32_t low, uint32_t high);

typedef struct th_heap_compaction {
    uint32_t blocks_moved;
    uint32_t blocks_vetoed;
    size_t bytes_moved; /* requested bytes of the blocks moved */
    bool done;          /* the pass has come to its end */
} th_heap_compaction;

/* Slides HEAD blocks down into the free block below them, lowest block first, asking `may_move`
 * before each move (NULL: yes to all). A vetoed block stays, and the pass goes on above it. With
 * no veto and no specially aligned block, all free memory below the TAIL side ends up as one
 * block. Pointers into moved payloads are dead. O(n + bytes moved). */
th_heap_compaction th_heap_compact(th_heap *heap, th_heap_move_fn may_move, void *context);

/* The same in steps: moves at most `budget_bytes` requested bytes in this call (but one block at
 * least, so that it always gets on), and goes on from there at the next call. Between calls the
 * heap is ordinary and may be used. After a call with done == true the next one starts a new
 * pass; th_heap_compact does too. */
th_heap_compaction th_heap_compact_some(th_heap *heap, size_t budget_bytes,
                                        th_heap_move_fn may_move, void *context);

/* What th_heap_compact(heap, may_move, context) would do now. */
typedef struct th_heap_plan {
    uint32_t blocks_moved;
    uint32_t blocks_vetoed;
    size_t bytes_moved;
    size_t largest_free_bytes; /* payload of the largest free block there would be */
} th_heap_plan;

/* Plays the compaction without moving anything: may_move (NULL: yes to all) is asked what
 * th_heap_compact would ask, in the same order, and where each of its answers is the same the next
 * time, th_heap_compact does exactly this, if the heap is not changed in between. So a caller sees
 * the moves first, and can prepare for them. Changes nothing; on a heap that is
 * zeroed or whose links are broken it ends where the walk does. O(n). */
th_heap_plan th_heap_plan_compaction(const th_heap *heap, th_heap_move_fn may_move, void *context);

/* One block as the walk shows it. */
typedef struct th_heap_block {
    uint32_t offset;        /* of the header, in dwords from the start of the region */
    uint32_t next_offset;   /* of the next block's header; 0 for LAST */
    uint32_t size_dwords;   /* payload, slack included */
    uint32_t tag;           /* TH_TAG_FREE (or TH_TAG_WIDE_FREE) for free blocks */
    uint32_t site;          /* 0 for free blocks, and in a lean heap */
    uint32_t alignment;     /* in bytes; the heap's own unless asked for more */
    size_t requested_bytes; /* 0 for free blocks; in a lean heap all of the payload */
    void *payload;
} th_heap_block;

/* The walk over all blocks, FIRST to LAST, free ones included:
 *   th_heap_block b;
 *   for (bool more = th_heap_first(h, &b); more; more = th_heap_next(h, &b)) ...
 * Takes no lock (th_heap_lock does) and no memory, and ends on any heap, however broken: a link
 * that does not point further up inside the region ends it. LAST is the block with next_offset ==
 * 0. O(1) each. */
bool th_heap_first(const th_heap *heap, th_heap_block *block);
bool th_heap_next(const th_heap *heap, th_heap_block *block);

/* Takes the heap's lock, if it has one, so that what is asked until th_heap_unlock is of one
 * moment: a walk, or several queries. The thread may change the heap meanwhile if its lock may be
 * taken again (lock.h). Hold it for as short as you can. Nothing is done for a zeroed heap. O(1).
 */
void th_heap_lock(const th_heap *heap);
void th_heap_unlock(const th_heap *heap);

/* The block whose header or payload contains `address`; false (and *block untouched) if it is
 * outside what is managed of the region. At guard level 3 the heap is validated first, and if the
 * th_heap itself is damaged, nothing is found. O(n). */
bool th_heap_find(const th_heap *heap, const void *address, th_heap_block *block);

/* Of a live payload: the bytes asked for, and the bytes there are (slack included). 0 for NULL.
 * With guards, a pointer that is no live payload raises a fault and gives 0. O(1). */
size_t th_heap_requested_size(const th_heap *heap, const void *pointer);
size_t th_heap_usable_size(const th_heap *heap, const void *pointer);

/* The site of a live payload: the number that it was allocated with, 0 in a lean heap. 0 for NULL;
 * else as the two above. O(1). */
uint32_t th_heap_site(const th_heap *heap, const void *pointer);

/* All sizes in bytes. Sizes of free blocks are payloads; LAST counts nowhere. */
typedef struct th_heap_stats {
    size_t region_bytes;       /* managed */
    size_t used_bytes;         /* live blocks with their headers */
    size_t high_water_bytes;   /* the largest used_bytes ever, moments inside calls included */
    size_t head_bytes;         /* payloads of live HEAD blocks, slack included */
    size_t tail_bytes;         /* payloads of live TAIL blocks, slack included */
    size_t free_bytes;         /* payloads of all free blocks */
    size_t free_head_bytes;    /* payloads of the free blocks below every TAIL block */
    size_t largest_free_bytes; /* payload of the largest free block */
    uint64_t head_blocks;
    uint64_t tail_blocks;
    uint64_t free_blocks;
    uint64_t failed_allocs; /* well-formed allocations and growths that found no room */
} th_heap_stats;

/* O(1) with an index, else O(n). */
th_heap_stats th_heap_get_stats(const th_heap *heap);

/* th_heap_stats.free_head_bytes (O(1)) and .largest_free_bytes (as th_heap_get_stats) alone. */
size_t th_heap_free_head_bytes(const th_heap *heap);
size_t th_heap_largest_free_bytes(const th_heap *heap);

/* The bytes that the heap takes from the first managed one on: what is managed, LAST included, and
 * the index if it lies in the region, wherever that begins. What a copy needs. O(1). */
size_t th_heap_region_bytes(const th_heap *heap);

/* The checker: proves links, tiling, sides, counters and absence of adjacent free blocks; with
 * guard >= 1 check words and canaries; with guard >= 2 poison in free payloads once used; with
 * guard 3 the control structure's own check words; the index. Raises no fault: returns
 * TH_ERR_CORRUPT with the first thing wrong in *fault, or TH_OK (TH_ERR_NULL for a heap that is
 * NULL or zeroed) with TH_FAULT_NONE there; fault may be NULL. O(n + bytes once used). */
th_status th_heap_check(const th_heap *heap, th_fault *fault);

#ifdef __cplusplus
}
#endif
#endif
