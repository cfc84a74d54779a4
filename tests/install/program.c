/* SPDX-License-Identifier: MIT */
/* A program in C that uses the installed library, or the two files (-DTWO_FILES): the heap, an
 * allocator over it, and the version. Exit status 0: all of it works. */
#ifdef TWO_FILES
#include "tagheap.h"
#else
#include <tagheap/allocator.h>
#include <tagheap/heap.h>
#include <tagheap/heap_allocator.h>
#include <tagheap/pool.h>
#include <tagheap/version.h>
#endif

#include <stdio.h>
#include <string.h>

struct point {
    int x, y;
};

TH_POOL_STATIC(points, struct point, 10);

static TH_ALLOCATOR_ALIGNAS unsigned char region[65536];
static th_heap heap;

static bool the_heap_works(void) {
    if (th_heap_init(&heap, region, sizeof region, NULL) != TH_OK) {
        return false;
    }
    char *text = th_heap_alloc(&heap, 6, 0x1001);
    if (text == NULL) {
        return false;
    }
    memcpy(text, "hello", 6);
    th_tagged_allocator adapter;
    th_allocator allocator = th_heap_allocator(&adapter, &heap, 0x4001);
    void *more = th_allocator_alloc(allocator, 100);
    return more != NULL && strcmp(text, "hello") == 0 && th_heap_check(&heap, NULL) == TH_OK &&
           th_heap_free_tags(&heap, 0x4001, 0x4001) == 1 && th_heap_free(&heap, text) > 0;
}

static bool the_pool_works(void) {
    struct point *point = th_pool_alloc(&points);
    if (point == NULL) {
        return false;
    }
    point->x = point->y = 1;
    th_pool_free(&points, point);
    return true;
}

int main(void) {
    printf("%s\n", th_version());
    return the_heap_works() && the_pool_works() && strcmp(th_version(), TH_VERSION) == 0 ? 0 : 1;
}
