/* SPDX-License-Identifier: MIT */
/* A heap that outlives its program: the region lies in a memory-mapped file, and a second process
 * opens it at another address, works on, and leaves it to the next one. Nothing is read in or
 * written out, however large the file is.
 *
 * Three rules make a file of it:
 *   Links inside are offsets, never pointers. The heap keeps to that; so must what lies in it.
 *   A way in. Here it is a tag: the one block under ROOT_TAG is where the list begins.
 *   Detach, then save the th_heap, a small structure, beside the region; attach at the next start,
 *   with hooks of one's own. What was damaged in between is refused there. */
#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"
#include "tagheap/file_map.h"
#include "tagheap/heap.h"

enum { ROOT_TAG = 0x4001, NOTE_TAG = 0x1001, REGION_BYTES = 65536 };

/* What stands in the file. The th_heap is that of one kind of build: a 32-bit program, or another
 * version, must not open it. A real program would put a mark of its own in front. */
typedef struct notebook {
    th_heap heap;
    _Alignas(16) unsigned char region[REGION_BYTES];
} notebook;

typedef struct note {
    uint32_t next; /* offset in the region; 0: the last one */
    char text[];
} note;

typedef struct root {
    uint32_t newest; /* a note */
    uint32_t count;
} root;

/* A notebook in this process. */
typedef struct session {
    th_file_map map;
    notebook *file;
    th_heap heap;
    root *root;
} session;

static note *note_at(const session *s, uint32_t offset) {
    return offset != 0 ? (note *)(void *)(s->file->region + offset) : NULL;
}

static void create(session *s, const char *path) {
    EXPECT(th_file_map_open_new(&s->map, path, sizeof(notebook)) == TH_OK);
    s->file = s->map.start;
    const th_heap_config config = {.guarding.level = th_guard_max()};
    EXPECT(th_heap_init(&s->heap, s->file->region, REGION_BYTES, &config) == TH_OK);
    s->root = th_heap_alloc(&s->heap, sizeof *s->root, ROOT_TAG);
    EXPECT(s->root != NULL);
    *s->root = (root){0};
}

/* The payload of the first block under a tag. */
static void *find(const th_heap *heap, uint32_t tag) {
    th_heap_block block;
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        if (block.tag == tag) {
            return block.payload;
        }
    }
    return NULL;
}

static void open_again(session *s, const char *path) {
    EXPECT(th_file_map_open(&s->map, path, TH_FILE_MAP_SHARED) == TH_OK);
    EXPECT(s->map.bytes == sizeof(notebook));
    s->file = s->map.start;
    s->heap = s->file->heap;
    s->heap.config = (th_heap_config){0}; /* hooks are addresses of the process before */
    EXPECT(th_heap_attach(&s->heap, s->file->region) == TH_OK);
    s->root = find(&s->heap, ROOT_TAG);
    EXPECT(s->root != NULL);
}

static void save(session *s) {
    th_heap_detach(&s->heap);
    s->file->heap = s->heap;
    EXPECT(th_file_map_flush(&s->map) == TH_OK);
    th_file_map_close(&s->map);
}

static void add(session *s, const char *text) {
    size_t bytes = strlen(text) + 1;
    note *added = th_heap_alloc(&s->heap, sizeof *added + bytes, NOTE_TAG);
    EXPECT(added != NULL);
    added->next = s->root->newest;
    memcpy(added->text, text, bytes);
    s->root->newest = (uint32_t)((unsigned char *)added - s->file->region);
    s->root->count++;
}

/* Another process: it knows nothing but the path. */
static void visit(const char *path, const void *first_address) {
    session s;
    open_again(&s, path);
    EXPECT((const void *)s.file != first_address);
    EXPECT(strcmp(note_at(&s, s.root->newest)->text, "written by the first process") == 0);
    add(&s, "written by the second one");
    save(&s);
}

static void expect_notes(const session *s) {
    static const char *const expected[] = {"written by the second one",
                                           "written by the first process"};
    uint32_t count = 0;
    for (const note *n = note_at(s, s->root->newest); n != NULL; n = note_at(s, n->next)) {
        EXPECT(count < 2 && strcmp(n->text, expected[count]) == 0);
        count++;
    }
    EXPECT(count == 2 && s->root->count == 2);
}

int main(void) {
    char folder[] = "/tmp/mapped_heap-XXXXXX";
    char path[sizeof folder + sizeof "/notebook"];
    EXPECT(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/notebook", folder);

    session s;
    create(&s, path);
    add(&s, "written by the first process");
    const void *first_address = s.file;
    th_heap_detach(&s.heap);
    s.file->heap = s.heap;

    pid_t child = fork(); /* our map stays, so that its map must lie elsewhere */
    EXPECT(child >= 0);
    if (child == 0) {
        visit(path, first_address);
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    th_file_map_close(&s.map);

    open_again(&s, path);
    expect_notes(&s);
    printf("mapped_heap: %u notes of two processes in one file of %zu bytes\n", s.root->count,
           s.map.bytes);
    th_heap_clean_up(&s.heap);
    th_file_map_close(&s.map);
    EXPECT(unlink(path) == 0 && rmdir(folder) == 0);
    return 0;
}
