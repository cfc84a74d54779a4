/* SPDX-License-Identifier: MIT */
/* Peers: general allocators from the system's packages, loaded when they are asked for. They are
 * called by the entry points that are theirs alone; the malloc and free that the libraries define
 * as well stay with them (RTLD_LOCAL), so the program's own are not touched. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "subjects/subjects.h"

/* More than this is not asked for, as of the system's malloc. */
#define BYTES_MAX     ((size_t)1 << 18)
#define ALIGNMENT_MAX ((size_t)4096)

#define PEER_FLAGS (LAB_SUBJECT_FREES | LAB_SUBJECT_OWN_MEMORY | LAB_SUBJECT_ANY_THREADS)

/* A function of a library: its name, and where its address is to be stored. */
typedef struct entry {
    const char *name;
    void *address;
} entry;

typedef struct library {
    const char *file;
    const char *package;
    void *object;
    bool is_whole;     /* loaded, and every entry found */
    char missing[512]; /* what is in the way; "": nobody has asked yet */
} library;

static void explain(library *from, const char *error) {
    if (strstr(error, "No such file") != NULL) {
        (void)snprintf(from->missing, sizeof from->missing, "not installed (package %s)",
                       from->package);
        return;
    }
    (void)snprintf(from->missing, sizeof from->missing, "not usable: %.300s%s", error,
                   strstr(error, LAB_PEER_NO_ROOM) != NULL ? " (set " LAB_PEER_ROOM ")" : "");
}

/* Why the library cannot be used; NULL: it can. */
static const char *load(library *from, const entry *entries, size_t count) {
    if (from->is_whole || from->missing[0] != '\0') {
        return from->is_whole ? NULL : from->missing;
    }
    from->object = dlopen(from->file, RTLD_NOW | RTLD_LOCAL);
    bool whole = from->object != NULL;
    for (size_t i = 0; whole && i < count; i++) {
        void *address = dlsym(from->object, entries[i].name);
        memcpy(entries[i].address, &address, sizeof address);
        whole = address != NULL;
    }
    from->is_whole = whole;
    if (!whole) {
        const char *error = dlerror();
        explain(from, error != NULL ? error : from->file);
    }
    return whole ? NULL : from->missing;
}

static void fill_in(lab_instance *instance, const th_allocator_table *table) {
    *instance = (lab_instance){
        .allocator = {.table = table}, .bytes_max = BYTES_MAX, .alignment_max = ALIGNMENT_MAX};
}

static void destroy(void *state) {
    (void)state;
}

/* ---- mimalloc ----------------------------------------------------------------------------- */

static struct {
    void *(*alloc)(size_t bytes, size_t alignment);
    void (*free)(void *pointer);
    void *(*resize)(void *pointer, size_t bytes, size_t alignment);
    void *(*expand)(void *pointer, size_t bytes);
    size_t (*usable_size)(const void *pointer);
    bool (*owns)(const void *pointer);
} mi;

static const char *mimalloc_missing(void) {
    static const entry entries[] = {
        {"mi_malloc_aligned", &mi.alloc},    {"mi_free", &mi.free},
        {"mi_realloc_aligned", &mi.resize},  {"mi_expand", &mi.expand},
        {"mi_usable_size", &mi.usable_size}, {"mi_is_in_heap_region", &mi.owns}};
    static library from = {.file = "libmimalloc.so.2", .package = "libmimalloc2.0"};
    return load(&from, entries, sizeof entries / sizeof entries[0]);
}

static void *mimalloc_alloc(void *self, size_t bytes, size_t alignment) {
    (void)self;
    return mi.alloc(bytes, alignment);
}

static void mimalloc_free(void *self, void *pointer) {
    (void)self;
    mi.free(pointer);
}

static bool mimalloc_resize_in_place(void *self, void *pointer, size_t bytes) {
    (void)self;
    return mi.expand(pointer, bytes) != NULL;
}

static void *mimalloc_resize(void *self, void *pointer, size_t kept, size_t bytes,
                             size_t alignment) {
    (void)self;
    (void)kept;
    return mi.resize(pointer, bytes, alignment);
}

static bool mimalloc_owns(const void *self, const void *pointer) {
    (void)self;
    return mi.owns(pointer);
}

/* Under ASan maps lie where it does not look. */
static bool mimalloc_knows_its_own(void) {
    void *block = mi.alloc(1, 1);
    bool knows = block != NULL && mi.owns(block);
    mi.free(block);
    return knows;
}

static size_t mimalloc_usable_size(const void *self, const void *pointer) {
    (void)self;
    return mi.usable_size(pointer);
}

static bool mimalloc_create(const lab_setup *setup, lab_instance *instance) {
    static th_allocator_table table = {.alloc = mimalloc_alloc,
                                       .free = mimalloc_free,
                                       .resize_in_place = mimalloc_resize_in_place,
                                       .realloc = mimalloc_resize,
                                       .usable_size = mimalloc_usable_size};
    (void)setup;
    if (mimalloc_missing() != NULL) {
        return false;
    }
    table.owns = mimalloc_knows_its_own() ? mimalloc_owns : NULL;
    fill_in(instance, &table);
    return true;
}

const lab_subject lab_subject_mimalloc = {
    .version = LAB_SUBJECT_VERSION,
    .name = "mimalloc",
    .purpose = "mimalloc, as a peer",
    .flags = PEER_FLAGS,
    .create = mimalloc_create,
    .destroy = destroy,
    .missing = mimalloc_missing,
};

/* ---- jemalloc ----------------------------------------------------------------------------- */

static struct {
    void *(*alloc)(size_t bytes, int flags);
    void (*free)(void *pointer, int flags);
    void *(*resize)(void *pointer, size_t bytes, int flags);
    size_t (*resize_in_place)(void *pointer, size_t bytes, size_t extra, int flags);
    size_t (*usable_size)(const void *pointer, int flags);
} je;

static const char *jemalloc_missing(void) {
    static const entry entries[] = {{"mallocx", &je.alloc},
                                    {"dallocx", &je.free},
                                    {"rallocx", &je.resize},
                                    {"xallocx", &je.resize_in_place},
                                    {"sallocx", &je.usable_size}};
    static library from = {.file = "libjemalloc.so.2", .package = "libjemalloc2"};
    return load(&from, entries, sizeof entries / sizeof entries[0]);
}

/* MALLOCX_ALIGN: the logarithm, in the low bits of the flags. */
static int alignment_flag(size_t alignment) {
    int log2 = 0;
    while ((size_t)1 << log2 < alignment) {
        log2++;
    }
    return log2;
}

static void *jemalloc_alloc(void *self, size_t bytes, size_t alignment) {
    (void)self;
    return je.alloc(bytes, alignment_flag(alignment));
}

static void jemalloc_free(void *self, void *pointer) {
    (void)self;
    je.free(pointer, 0);
}

static bool jemalloc_resize_in_place(void *self, void *pointer, size_t bytes) {
    (void)self;
    return je.resize_in_place(pointer, bytes, 0, 0) >= bytes;
}

static void *jemalloc_resize(void *self, void *pointer, size_t kept, size_t bytes,
                             size_t alignment) {
    (void)self;
    (void)kept;
    return je.resize(pointer, bytes, alignment_flag(alignment));
}

static size_t jemalloc_usable_size(const void *self, const void *pointer) {
    (void)self;
    return je.usable_size(pointer, 0);
}

static bool jemalloc_create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = jemalloc_alloc,
                                             .free = jemalloc_free,
                                             .resize_in_place = jemalloc_resize_in_place,
                                             .realloc = jemalloc_resize,
                                             .usable_size = jemalloc_usable_size};
    (void)setup;
    fill_in(instance, &table);
    return jemalloc_missing() == NULL;
}

const lab_subject lab_subject_jemalloc = {
    .version = LAB_SUBJECT_VERSION,
    .name = "jemalloc",
    .purpose = "jemalloc, as a peer",
    .flags = PEER_FLAGS,
    .create = jemalloc_create,
    .destroy = destroy,
    .missing = jemalloc_missing,
};
