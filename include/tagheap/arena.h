/* SPDX-License-Identifier: MIT */
/* Arena: blocks are handed out of chunks one after the other, and freed all at once, or back to a
 * mark. Chunks come from a backing allocator, from memory of the caller's, or first from the one
 * and then from the other.
 *
 *   chunk 0                        chunk 1                        current chunk
 *   [header][block][block]..  <--  [header][block][block]..  <--  [header][block][ free ]
 *                      own chunks:  [header][large block]  <--  [header][large block]
 *
 * Where a block goes. After the last one in the current chunk, at the first address that has its
 * alignment, if there is room. Else the request counts as `need` bytes: its size, and what its
 * alignment exceeds 16 by. It gets a chunk of its own iff
 *   need > a quarter of a chunk's capacity, and there is no spare chunk, or
 *   need > the capacity;
 * otherwise a new current chunk is begun: a spare one, or one from the backing. So at most a
 * quarter of a chunk stays unused after its last block, unless a larger request has gone on to a
 * spare chunk, and nothing is spent per block.
 *
 * Ownership: the arena owns its chunks and gives them back to the backing when they are not needed
 * any more: own chunks and, with return_chunks, all others as soon as a reset or a rollback has
 * emptied them; without it these are kept as spares, until th_arena_trim or th_arena_clean_up. The
 * caller owns the backing, the first memory and the th_arena; they must outlive the blocks. A
 * block is the caller's until it is freed by a reset, a rollback to an earlier mark,
 * th_arena_clean_up, or th_arena_free of it.
 * Sizes are bytes; alignments are any powers of two.
 * Thread rule: one arena, one thread at a time.
 * Complexity: an allocation is O(1), but for what the backing costs when a chunk is begun; reset
 * and rollback O(chunks that are emptied); th_arena_owns, and at guard level 1 and up th_arena_free
 * and th_arena_resize_in_place, O(chunks). At guard level 1 reset and rollback cost O(gaps) more,
 * at 2 everything O(bytes concerned), at 3 O(memory used). Guards: span.h says what is kept and
 * verified; besides, every chunk's header has a check word (TH_FAULT_HEADER). In a th_fault `block`
 * is the number of the chunk, counted from 0 since th_arena_init, and `offset` counts from the end
 * of its header. Which blocks there are is not recorded: a pointer that comes back is verified to
 * lie in memory that is handed out, not to be the start of a block. Source: D. R. Hanson, "Fast
 * allocation and deallocation of memory based on object lifetimes", Software: Practice and
 * Experience 20(1), 1990. */
#ifndef TAGHEAP_ARENA_H
#define TAGHEAP_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/compiler.h"
#include "tagheap/guarding.h"
#include "tagheap/span.h"
#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a chunk spends on its header, at most; the rest is its capacity. */
#define TH_ARENA_HEADER_BYTES TH_SIZE_C(64)

/* The default size of a chunk, header included. */
#define TH_ARENA_CHUNK_BYTES TH_SIZE_C(4096)

/* Smaller chunks are refused. */
#define TH_ARENA_CHUNK_BYTES_MIN TH_SIZE_C(128)

/* A backing or a memory is needed; all else may be zero. */
typedef struct th_arena_config {
    th_allocator backing; /* of chunks; zeroed: none, the memory is all there is */
    void *memory;         /* the first chunk, never given back; NULL: none. Any alignment. */
    size_t memory_bytes;
    size_t chunk_bytes; /* of a chunk from the backing, header included; 0: TH_ARENA_CHUNK_BYTES */
    bool return_chunks; /* give emptied chunks back at once, rather than keep them as spares */
    th_guarding guarding;
} th_arena_config;

typedef struct th_arena_chunk th_arena_chunk;

/* A rollback: marks that are older than it and have a higher position are stale. */
typedef struct th_arena_rollback_note {
    uint64_t generation;
    size_t position;
} th_arena_rollback_note;

#define TH_ARENA_NOTES 8

/* Its fields are the library's own; declared here so that it can live in static storage. Zeroed,
 * it is an arena without memory. */
typedef struct th_arena {
    th_span span; /* of the current chunk */
    uint64_t allocs;
    th_arena_chunk *chunk; /* the current one; NULL: none yet */
    th_arena_chunk *large; /* the newest of those with one block of their own */
    bool large_open;       /* its block may be resized and freed */
    th_arena_chunk *spare; /* emptied, kept */
    size_t number;         /* of the current chunk */
    size_t numbers;        /* given so far */
    size_t position;       /* bytes used below the current chunk, */
    size_t large_position; /* and in the chunks of `large` */
    size_t reserved;       /* bytes of all chunks, spares included */
    size_t chunks, larges, spares;
    uint64_t failed_allocs;
    size_t high_water;
    uint64_t generation; /* grows with every rollback and reset */
    uint64_t oldest;     /* marks of generations before this one are stale */
    unsigned notes;
    th_arena_rollback_note note[TH_ARENA_NOTES]; /* generations and positions ascend */
    th_arena_config config;
} th_arena;

/* Where an arena is to be rolled back to. A value: copy it, forget it. */
typedef struct th_arena_mark {
    const th_arena *arena;
    th_arena_chunk *chunk;
    th_arena_chunk *large;
    size_t used; /* bytes of the chunk */
    size_t position;
    uint64_t generation;
} th_arena_mark;

/* Starts an empty arena. Takes nothing from the backing yet. The config is copied.
 * Fails, leaving *arena untouched, iff arena or config is NULL, or there is neither a backing nor a
 * memory (TH_ERR_NULL); guarding.level is not 0 to 3, or the backing cannot allocate or free
 * (TH_ERR_CONFIG); chunk_bytes is not 0 and below TH_ARENA_CHUNK_BYTES_MIN, or the memory holds no
 * header at a multiple of 16 and one byte (TH_ERR_TOO_SMALL); chunk_bytes or memory_bytes is above
 * PTRDIFF_MAX (TH_ERR_TOO_LARGE). */
th_status th_arena_init(th_arena *arena, const th_arena_config *config);

/* Ends it: every chunk is given back, the caller's memory is ordinary again, *arena is zeroed.
 * With guards, damage is reported first, and does not stop it; but chunks after one with a damaged
 * header cannot be found, and stay with the backing. NULL is allowed. */
void th_arena_clean_up(th_arena *arena);

/* A block of `bytes` bytes aligned to TH_ALLOCATOR_ALIGNMENT, contents indeterminate. NULL iff
 * bytes is 0 or above PTRDIFF_MAX, or there is no room in the current chunk and the backing gives
 * no other (which `failed_allocs` counts), or after a fault. */
void *th_arena_alloc(th_arena *arena, size_t bytes);

/* The same at a multiple of `alignment`. NULL also iff that is not a power of two. */
void *th_arena_alloc_aligned(th_arena *arena, size_t bytes, size_t alignment);

/* Makes a block `bytes` bytes long, where it is. Only the block made last in the current chunk
 * and the newest one with a chunk of its own can be resized, and only until a mark is taken.
 * False, with nothing changed, iff the pointer is none of these, bytes is 0 or there is no room
 * after it, or after a fault. */
bool th_arena_resize_in_place(th_arena *arena, void *pointer, size_t bytes);

/* Gives back a block that could be resized; of any other block, does nothing. NULL is allowed. */
void th_arena_free(th_arena *arena, void *pointer);

/* The state of now. Whatever is allocated from here on is freed by a rollback to it. */
th_arena_mark th_arena_take_mark(th_arena *arena);

/* Frees what was allocated since the mark was taken. The mark and those before it stay good, and
 * those taken after it with nothing allocated in between, which are the same state; further ones
 * become stale, and a reset makes all stale. A mark must not outlive
 * th_arena_clean_up, which nothing notices. To roll back to a stale mark or to a mark of another
 * arena is misuse: undefined at guard level 0, at 1 and up a fault (TH_FAULT_DOUBLE_FREE,
 * `expected` the bytes now in use and `found` those of the mark, or TH_FAULT_FOREIGN), as long as
 * no more than TH_ARENA_NOTES rollbacks to ever higher positions are to be remembered.
 * TH_ERR_CORRUPT, with nothing changed, after a fault; TH_ERR_NULL for NULL and a zeroed arena;
 * else TH_OK. */
th_status th_arena_rollback(th_arena *arena, const th_arena_mark *mark);

/* Frees every block at once. TH_ERR_CORRUPT, with nothing changed, after a fault; TH_ERR_NULL for
 * NULL and a zeroed arena; else TH_OK. */
th_status th_arena_reset(th_arena *arena);

/* Gives the spare chunks back to the backing. Returns their bytes; 0 also after a fault. */
size_t th_arena_trim(th_arena *arena);

/* Does the address lie in memory that is handed out? */
bool th_arena_owns(const th_arena *arena, const void *pointer);

typedef struct th_arena_stats {
    size_t used_bytes;       /* blocks, and what was skipped between them for alignment */
    size_t high_water_bytes; /* the most that used_bytes has ever been */
    size_t reserved_bytes;   /* of all chunks: the caller's memory, and what the backing gave */
    uint64_t chunks;         /* in use, the caller's memory included */
    uint64_t large_chunks;   /* in use for one block each */
    uint64_t spare_chunks;
    uint64_t allocs;        /* blocks ever made */
    uint64_t failed_allocs; /* requests that found no room */
} th_arena_stats;

/* All of them are 0 for a zeroed arena. */
th_arena_stats th_arena_get_stats(const th_arena *arena);

/* Proves the chain of chunks, the counters, and canaries and poison as far as the guard level keeps
 * them. Raises nothing: TH_ERR_CORRUPT, with the first thing wrong in *fault (which may be NULL),
 * or TH_OK. TH_ERR_NULL for NULL and a zeroed arena. */
th_status th_arena_check(const th_arena *arena, th_fault *fault);

/* The arena as an allocator, valid as long as *arena is. free is th_arena_free, so what was
 * allocated last is given back at once and the rest at the next reset; a block that shrinks stays
 * where it is. */
th_allocator th_arena_allocator(th_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
