/* SPDX-License-Identifier: MIT */
/* The source `plugin`: somebody's allocator, a shared object as docs/your-allocator.md describes
 * (bench_asked.plugin), called through its th_allocator. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "sources.h"
#include "subjects/subject.h"

enum { EXTRA = 64, LEAST = 64 * 1024 };

static const lab_subject *subject;
static lab_instance instance;

void bench_load_plugin(const char *path) {
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        bench_fail("the plug-in cannot be loaded", dlerror());
    }
    const lab_subject *found = dlsym(object, LAB_SUBJECT_EXPORT);
    if (found == NULL) {
        bench_fail("the plug-in exports no " LAB_SUBJECT_EXPORT, path);
    }
    if (found->version != LAB_SUBJECT_VERSION || found->create == NULL) {
        bench_fail("the plug-in is for another version of heaplab", path);
    }
    const char *missing = found->missing != NULL ? found->missing() : NULL;
    if (missing != NULL) {
        bench_fail("the plug-in cannot be used", missing);
    }
    subject = found;
}

/* Twice what the blocks need, and more for each of them: what it does not touch does not count. */
static void *start(bench_need need) {
    if (bench_asked.plugin == NULL) {
        bench_fail("which one? --plugin FILE", "plugin");
    }
    bench_load_plugin(bench_asked.plugin);
    size_t bytes = 2 * (need.live_bytes + need.blocks * EXTRA + need.bytes) + LEAST;
    const lab_setup setup = {.backing = th_system_allocator(),
                             .bytes =
                                 bench_asked.region_bytes != 0 ? bench_asked.region_bytes : bytes,
                             .alignment = 16,
                             .guard = bench_asked.guard,
                             .on_fault = th_fault_abort};
    instance = (lab_instance){0};
    if (!subject->create(&setup, &instance)) {
        bench_refuse("the plug-in refuses so much memory", subject->name);
    }
    if (instance.bytes_max != 0 && instance.bytes_max < need.bytes) {
        bench_refuse("the plug-in gives no blocks that are so large", subject->name);
    }
    return &instance.allocator;
}

static void end(void *self) {
    (void)self;
    subject->destroy(instance.state);
}

static void *place(void *self, size_t bytes, size_t alignment, bool high) {
    const th_allocator *from = self;
    (void)high;
    return from->table->alloc(from->self, bytes, alignment != 0 ? alignment : 16);
}

static void *alloc(void *self, size_t bytes) {
    return place(self, bytes, 0, false);
}

static void release(void *self, void *block) {
    const th_allocator *from = self;
    from->table->free(from->self, block);
}

static void *resize(void *self, void *block, size_t kept, size_t bytes) {
    return th_allocator_realloc(*(const th_allocator *)self, block, kept, bytes, 16, NULL);
}

BENCH_CHURN(plugin, place, release)

const bench_source bench_plugins[] = {{"plugin", BENCH_CHURNS, start, end, .alloc = alloc,
                                       .free = release, .place = place, .resize = resize,
                                       .churn = plugin_churn, .sides = plugin_sides},
                                      {.name = NULL}};
