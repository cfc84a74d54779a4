/* SPDX-License-Identifier: MIT */
/* What the region held when heap and model were last found to agree.
 *
 * Comparing every block and every live byte after every operation costs more than the operation.
 * Most of it is as it was. So the bytes of headers and payloads are kept, and after an operation
 *   - the bytes outside of what the model says has changed must be those kept,
 *   - what has changed, and the header above it, whose link leads back, is compared with the model.
 * That is as good as comparing everything, by induction: the walk and the contents depend on these
 * bytes, and on base, last, unit and layout of the heap (which are compared), and on nothing else;
 * outside of the change, the model has the same blocks and contents as before. Where the bytes
 * differ nothing is concluded: then everything is compared.
 *
 *   region  |####### ever used #######|      never used      |## ever used ##|
 *   kept    0                        low                    high            N    (dwords)
 *   changed          |-----|hdr|                                 at most one range
 *
 * What was never used holds no block's bytes; of the free block there, the header lies below low.
 * A fresh heap has changed as a whole.
 *
 * Of the changed range itself the model says nothing of what the heap's checker alone sees: links
 * back, check words, canaries, poison, the index. With LAB_COMPARE_SPARSE the checker is asked
 * after every eighth operation, and at once where bytes outside of the change differ. So it may
 * miss what an operation wrote wrong inside its own change and one of the next seven put right,
 * without a wrong result, statistic or block in between. At guard level 3, where the heap validates
 * itself after each operation, it misses nothing. */
#ifndef LAB_RUNNER_SNAPSHOT_H
#define LAB_RUNNER_SNAPSHOT_H

#include <stdint.h>

typedef struct lab_snapshot {
    unsigned char *bytes; /* owned: as large as an arena, and used as the region lies in it */
    uint32_t low, high;   /* dwords [0, low) and [high, N) are kept */
    unsigned layout;      /* of the headers */
} lab_snapshot;

#endif
