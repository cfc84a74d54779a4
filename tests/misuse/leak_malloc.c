/* SPDX-License-Identifier: MIT */
/* Memory of malloc is forgotten. What no tool sees inside a region, it sees here.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     detected memory leaks
 * memcheck: 40 bytes in 1 blocks are definitely lost in loss record 1 of 1
 * msan:     nothing
 * lsan:     detected memory leaks
 */
#include "misuse.h"

__attribute__((noinline)) static void work(void) {
    unsigned char *volatile payload = malloc(40); /* guilty */
    payload[8] = 'A';
    payload = NULL;
}

int main(int argc, char **argv) {
    misuse_start(argc, argv, 4);
    work();
    return 0;
}
