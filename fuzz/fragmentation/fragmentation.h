/* SPDX-License-Identifier: MIT */
/* Plays a script's requests on one allocator and measures what is lost to fragmentation. Allocate,
 * aligned, resize and free count; everything else in a script is left out. Nothing is checked
 * here. */
#ifndef LAB_FRAGMENTATION_FRAGMENTATION_H
#define LAB_FRAGMENTATION_FRAGMENTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "script/script.h"
#include "tagheap/heap.h"

/* Sums over all operations that did something, of bytes after the operation. */
typedef struct lab_fragmentation {
    uint64_t ops;
    uint64_t asked;   /* for by those who have blocks */
    uint64_t granted; /* what these blocks take: the memory that is not free */
    uint64_t free;
    uint64_t largest;         /* of the pieces of free memory */
    uint64_t refused;         /* requests that were */
    uint64_t refused_in_vain; /* of these: so many bytes were free, but not in one piece */
} lab_fragmentation;

typedef enum lab_contestant {
    LAB_CONTESTANT_GOOD_FIT,
    LAB_CONTESTANT_FIRST_FIT,
    LAB_CONTESTANT_BEST_FIT,
    LAB_CONTESTANT_WORST_FIT,
    LAB_CONTESTANT_BUDDY,
    LAB_CONTESTANT_TAGGED,     /* the tagged heap, with all blocks on the HEAD side */
    LAB_CONTESTANT_SIDES,      /* with the script's tags */
    LAB_CONTESTANT_COMPACTING, /* and with a compaction where a request would find no room */
    LAB_CONTESTANTS
} lab_contestant;

const char *lab_contestant_name(lab_contestant contestant);

/* The tagged heaps have `layout`. In config.dwords * 4 bytes of memory, aligned to 64 KiB, without
 * guards. False: no memory, or the allocator refuses such a configuration. */
bool lab_fragmentation_measure(lab_contestant contestant, th_heap_layout layout,
                               const lab_script *script, lab_fragmentation *out);

/* In thousandths: of the memory taken, what nobody asked for; of the free memory, what is not in
 * its largest piece. 0 if there is none. */
unsigned lab_fragmentation_internal(const lab_fragmentation *f);
unsigned lab_fragmentation_external(const lab_fragmentation *f);

#endif
