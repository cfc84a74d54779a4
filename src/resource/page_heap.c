/* SPDX-License-Identifier: MIT */
#include "tagheap/page_heap.h"

#include "base/align.h"
#include "heap/call.h"
#include "heap/freeze.h"
#include "tagheap/pages.h"

/* Where the region begins: at a multiple of what suits every heap. */
#define REGION_ALIGNMENT ((size_t)16)
#define REGION_AT        ((sizeof(th_page_heap) + REGION_ALIGNMENT - 1) & ~(REGION_ALIGNMENT - 1))

th_page_heap *th_page_heap_create(size_t bytes, const th_heap_config *config) {
    bool is_outside = config != NULL && config->index == TH_HEAP_INDEX_GIVEN;
    bool is_possible = bytes > 0 && bytes <= PTRDIFF_MAX;
    size_t whole = is_possible ? th_pages_round(REGION_AT + bytes) : 0;
    th_page_heap *made = is_outside ? NULL : th_pages_map_guarded(whole);
    if (made == NULL) {
        return NULL;
    }
    unsigned char *region = (unsigned char *)made + REGION_AT;
    if (th_heap_init(&made->heap, region, whole - REGION_AT, config) != TH_OK) {
        (void)th_pages_release_guarded(made, whole);
        return NULL;
    }
    made->bytes = whole;
    return made;
}

/* What the pages allow and what the heap says of itself change under one lock: no other thread
 * comes to pages that are read-only in a heap that is not frozen. */

static th_status thaw(th_page_heap *page_heap) {
    th_status status = th_pages_commit(page_heap, page_heap->bytes);
    return status == TH_OK ? th_thaw_held(&page_heap->heap) : status;
}

static th_status freeze(th_page_heap *page_heap) {
    th_status status = th_freeze_held(&page_heap->heap);
    if (status == TH_OK) {
        status = th_pages_protect(page_heap, page_heap->bytes, TH_PAGES_READ);
        if (status != TH_OK) {
            (void)thaw(page_heap); /* the first of the pages may be read-only */
        }
    }
    return status;
}

static th_status with_lock(th_page_heap *page_heap, th_status (*change)(th_page_heap *page_heap)) {
    if (page_heap == NULL || th_is_ended(&page_heap->heap)) {
        return TH_ERR_NULL;
    }
    th_hold(&page_heap->heap);
    th_status status = change(page_heap);
    th_let_go(&page_heap->heap);
    return status;
}

th_status th_page_heap_freeze(th_page_heap *page_heap) {
    return with_lock(page_heap, freeze);
}

th_status th_page_heap_thaw(th_page_heap *page_heap) {
    return with_lock(page_heap, thaw);
}

/* One that is frozen is ended by a copy of what it says of itself: its own stays read-only, as the
 * system may leave it. */
void th_page_heap_destroy(th_page_heap *page_heap) {
    if (page_heap != NULL) {
        size_t bytes = page_heap->bytes;
        th_heap *heap = &page_heap->heap;
        th_heap frozen = *heap;
        if (frozen.busy == TH_FAULT_FROZEN) {
            (void)th_heap_thaw(&frozen);
            heap = &frozen;
        }
        th_heap_clean_up(heap);
        (void)th_pages_release_guarded(page_heap, bytes);
    }
}
