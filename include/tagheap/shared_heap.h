/* SPDX-License-Identifier: MIT */
/* The shared heap: a tagged heap in memory that unrelated processes map, each at an address of its
 * own: a shared memory object (shared_memory.h) or a file (file_map.h). A process that dies at any
 * point, by whatever signal, leaves a heap that the next one repairs:
 *
 *   each call that returned has happened, and what it did stays;
 *   the one in flight has happened as a whole, or not at all (a compaction: some of its moves);
 *   no block of another process is lost, and none is ever handed out twice;
 *   or the heap is refused from then on, and th_shared_heap_explain says why.
 *
 * That holds for the death of processes. It does not hold if the machine stops (power, kernel):
 * what was written may then be on the disk in any order.
 *
 * Terms. The object is the memory that is shared. An attachment is what one process has of it, a
 * th_shared_heap. A reference is an offset, the same in every process, and 0 is none; payloads are
 * reached by th_shared_heap_at. What lies in a payload must be references too, never pointers.
 *
 * Waiting: calls wait for the lock of the heap as long as its holder lives (one that is stopped
 * lives), or config.wait_ns. Of a heap that was copied while somebody had the lock, or that has
 * outlived its machine, nobody is left who could give it back: with wait_ns that is TH_ERR_BUSY.
 * A compaction moves blocks, and with them the payloads of other processes: who reads or writes a
 * payload while others compact does so between th_shared_heap_lock and th_shared_heap_unlock, and
 * looks its references up again when .moves of the statistics has changed (by tag and site:
 * th_shared_heap_find). A block that its process had not yet noted anywhere when it died is found
 * by its tag.
 *
 * Signals: a handler may use the attachment whose call it may have interrupted, and no other one of
 * that thread: in the middle of a call it is told TH_ERR_BUSY, and nothing happens. It waits for
 * other processes as every call does.
 *
 * Ownership: the memory is the caller's, mapped before init or attach until after clean_up. The
 * object keeps no pointer.
 *
 * Thread rule: one attachment, one thread at a time; a process may have several. The lock is one
 * thread's, by one attachment, from lock to unlock or for a call. Meanwhile another attachment of
 * that thread is told TH_ERR_BUSY at once, for waiting it would wait for itself; so is another
 * thread that uses the attachment, and its unlock and clean_up do nothing. When the thread has
 * ended its lock has gone with it, as with the death of a process, and the next call by the
 * attachment takes it anew (TH_ERR_BUSY if somebody else just has it). After fork the child has the
 * parent's attachments as its own; but one that a thread was in at that moment, of whichever
 * thread, or that had the lock, is of no use to it: TH_ERR_STALE, until clean_up.
 *
 * PID namespaces: the lock knows threads by their numbers, so all who work in a heap must be in the
 * PID namespace of its maker (containers have one each). Others are not attached
 * (TH_ERR_UNSUPPORTED), but to read; where there is no /proc this is not noticed, nor if a child is
 * forked into another namespace with an attachment. With config.any_namespace they are: for a heap
 * that outlives the container of its maker. Two namespaces at once: a thread with the number of the
 * one that has the lock is told TH_ERR_BUSY at once, and if it is killed just then, the lock may
 * pass for that of a dead one: nothing is promised any more.
 *
 * Errors: a call that cannot begin returns 0 (or false, or zeros), and th_shared_heap_status says
 * why: TH_ERR_UNSUPPORTED (attached to be read only), TH_ERR_CORRUPT (refused), TH_ERR_STALE (see
 * above), TH_ERR_BUSY (from inside a callback or a call; see the thread rule; or the lock was not
 * to be had in wait_ns), TH_ERR_NULL (not attached). Misuse raises faults as in heap.h; handlers
 * and callbacks return, or end the process. Complexity: that of the tagged heap, with an index in
 * the object, and a constant for the lock and the journal; docs/shared-heap.md gives it in
 * instructions. Attaching and repairing: O(n + bytes used). Source of the journal: write-ahead undo
 * and redo (Gray and Reuter, Transaction Processing, 1993); of reading without the lock: sequence
 * counters (Lameter, 2005). */
#ifndef TAGHEAP_SHARED_HEAP_H
#define TAGHEAP_SHARED_HEAP_H

#include "tagheap/heap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a payload begins, in dwords from the start of the region in the object; 0: none. */
typedef uint32_t th_shared_ref;

/* The start of the memory must be a multiple of this, and no block can be aligned to more. */
#define TH_SHARED_HEAP_ALIGNMENT_MAX 4096u

/* A zeroed config is a good one. */
typedef struct th_shared_heap_config {
    size_t alignment; /* of every payload: 4, 8 or 16; 0: what suits every object (init only) */
    th_heap_layout layout; /* of the headers (init only) */
    th_guarding guarding;  /* the level is the object's, chosen by init; who is told of faults in
                              this  process */
    bool read_only;        /* the memory may be mapped without the right to write (attach only) */
    bool any_namespace;    /* the maker may have been in another PID namespace, in which nobody is
                              attached now (attach only) */
    uint64_t wait_ns;      /* so long attach and calls wait for the lock, in nanoseconds; 0: as long
                              as it is held */
} th_shared_heap_config;

/* What one change belongs to; the library's own. */
typedef struct th_shared_intent {
    uint32_t kind;
    uint64_t first;
    uint64_t second;
} th_shared_intent;

/* An attachment. Zeroed: none. Its fields are the library's own. */
typedef struct th_shared_heap {
    th_heap heap; /* the heap as this process sees it */
    void *object;
    uint32_t seen;           /* the object's state when `heap` was brought into line with it */
    uint32_t held;           /* how often this attachment has the lock, by `thread` */
    volatile bool is_inside; /* a call is in progress; a signal handler reads it */
    uint64_t wait_ns;
    uint64_t process; /* of the last call */
    uint64_t thread;
    uint64_t operations;
    uint64_t moves;
    uint64_t repairs;
    th_shared_intent now;
    th_shared_intent then; /* what the second change belongs to */
    th_status status;
    bool read_only;
} th_shared_heap;

/* Makes a heap in memory that is zero, and attaches to it. Fails, leaving *shared untouched, iff a
 * pointer is NULL (TH_ERR_NULL); memory is no multiple of TH_SHARED_HEAP_ALIGNMENT_MAX
 * (TH_ERR_MISALIGNED); there is something already (TH_ERR_BUSY); config->read_only is set
 * (TH_ERR_CONFIG); the system has no lock to give (TH_ERR_EXHAUSTED); or as th_heap_init does for a
 * region of what is left of the bytes (some 770 and the index are not). A process that dies here
 * leaves what attach refuses with TH_ERR_BUSY. O(bytes of the index). */
th_status th_shared_heap_init(th_shared_heap *shared, void *memory, size_t bytes,
                              const th_shared_heap_config *config);

/* Attaches to a heap that is there, repairs it if its last holder has died, and checks it as a
 * whole (one that is attached to be read only is looked at, not checked). Fails, leaving *shared
 * untouched, iff a pointer is NULL (TH_ERR_NULL), or memory misaligned (TH_ERR_MISALIGNED); there
 * is no heap yet: its maker is at work, or has died, or the lock was not to be had in wait_ns, or
 * another attachment of this thread has it (TH_ERR_BUSY); this is no shared heap (TH_ERR_UNKNOWN),
 * or one of another version, machine, C library or word size, with a layout that this build does
 * not contain, or a guard level above its own (TH_ERR_LAYOUT); the memory is shorter
 * (TH_ERR_TOO_SMALL) or longer (TH_ERR_TOO_LARGE) than the heap says; it is damaged, or was refused
 * before (TH_ERR_CORRUPT); its maker was in another PID namespace, and the config is neither
 * read_only nor any_namespace (TH_ERR_UNSUPPORTED). th_shared_heap_explain has a sentence for each,
 * but for a lock that is not to be had, and for damage that only the check finds.
 * O(n + bytes used). */
th_status th_shared_heap_attach(th_shared_heap *shared, void *memory, size_t bytes,
                                const th_shared_heap_config *config);

/* Why attaching to this memory fails, or what has been done to the heap, as a static sentence
 * without a full stop; NULL: nothing is known against it. Looks at what never changes, and at
 * whether the heap was refused after a death; not at blocks and counters. Changes nothing. O(1). */
const char *th_shared_heap_explain(const void *memory, size_t bytes);

/* Ends the attachment, and gives the lock back if it has it; the heap stays. NULL is allowed. Does
 * nothing where the status would be TH_ERR_BUSY: inside a callback or a call, or while another
 * thread has the lock by it. */
void th_shared_heap_clean_up(th_shared_heap *shared);

/* Why the last call of this attachment did not begin; TH_OK: it did. */
th_status th_shared_heap_status(const th_shared_heap *shared);

/* Has the lock until unlock, over several calls; may be nested. What is done in between is not one
 * operation: each call is. A status as above; TH_OK: it is held. Unlock is for the same thread;
 * where the lock is another one's, or the parent's, it does nothing, and the status says so. */
th_status th_shared_heap_lock(th_shared_heap *shared);
void th_shared_heap_unlock(th_shared_heap *shared);

/* The payload of a reference in this process, and back; NULL and 0 for each other. The address is
 * good until clean_up. O(1), without the lock. */
void *th_shared_heap_at(const th_shared_heap *shared, th_shared_ref ref);
th_shared_ref th_shared_heap_ref(const th_shared_heap *shared, const void *payload);

/* As th_heap_alloc, th_heap_alloc_at, th_heap_realloc and so on, with references; 0: it failed.
 * Alignments above TH_SHARED_HEAP_ALIGNMENT_MAX always fail. */
th_shared_ref th_shared_heap_alloc(th_shared_heap *shared, size_t bytes, uint32_t tag);
th_shared_ref th_shared_heap_alloc_at(th_shared_heap *shared, size_t bytes, size_t alignment,
                                      uint32_t tag, uint32_t site);

/* The zeros are part of the operation. */
th_shared_ref th_shared_heap_alloc_zeroed(th_shared_heap *shared, size_t bytes, size_t alignment,
                                          uint32_t tag, uint32_t site);
th_shared_ref th_shared_heap_resize(th_shared_heap *shared, th_shared_ref ref, size_t bytes);
size_t th_shared_heap_trim(th_shared_heap *shared, th_shared_ref ref);
bool th_shared_heap_retag(th_shared_heap *shared, th_shared_ref ref, uint32_t tag);
size_t th_shared_heap_free(th_shared_heap *shared, th_shared_ref ref);
uint32_t th_shared_heap_free_tags(th_shared_heap *shared, uint32_t low, uint32_t high);

/* As th_heap_compact_some (budget SIZE_MAX: all of it); may_move is called with addresses of this
 * process, with the lock held. */
th_heap_compaction th_shared_heap_compact(th_shared_heap *shared, size_t budget_bytes,
                                          th_heap_move_fn may_move, void *context);

/* The lowest live block with that tag and that site; 0: there is none. O(n). */
th_shared_ref th_shared_heap_find(th_shared_heap *shared, uint32_t tag, uint32_t site);

/* The bytes that were asked for; 0 for 0, and if a call cannot begin. */
size_t th_shared_heap_requested_size(th_shared_heap *shared, th_shared_ref ref);

typedef struct th_shared_heap_stats {
    size_t region_bytes; /* these nine as in th_heap_stats */
    size_t used_bytes;
    size_t high_water_bytes;
    size_t free_bytes;
    size_t largest_free_bytes;
    uint64_t head_blocks;
    uint64_t tail_blocks;
    uint64_t free_blocks;
    uint64_t failed_allocs;
    uint64_t operations; /* calls that changed the heap or tried to, by all processes */
    uint64_t moves;   /* blocks moved by compactions: while it is the same, references are good */
    uint64_t repairs; /* how often the heap was repaired after a death in a call */
} th_shared_heap_stats;

th_shared_heap_stats th_shared_heap_get_stats(th_shared_heap *shared);

/* The checker: th_heap_check, with the lock. A status as above. */
th_status th_shared_heap_check(th_shared_heap *shared, th_fault *fault);

/* Reads the heap without the lock, and without the right to write: look(context, heap) may walk and
 * query it (th_heap_first, th_heap_find, th_heap_get_stats ...), and must expect anything, as the
 * heap may change under it; then it is called again, so that it begins anew each time. There the
 * heap has no index, so queries take O(n), and raises no faults: what looks like damage may be a
 * change in progress. TH_OK: the last time nothing had changed, and what it saw is true.
 * TH_ERR_BUSY: it changed every time, or its holder has died and nobody has repaired it;
 * TH_ERR_CORRUPT: the heap is refused, or its counters are damaged; TH_ERR_NULL: `look` is NULL, or
 * nothing is attached. Contents of payloads are not covered: others write them without a call. Any
 * attachment can do this. */
typedef void (*th_shared_heap_look_fn)(void *context, const th_heap *heap);
th_status th_shared_heap_view(const th_shared_heap *shared, th_shared_heap_look_fn look,
                              void *context);

#ifdef __cplusplus
}
#endif
#endif
