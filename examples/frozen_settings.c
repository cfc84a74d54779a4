/* SPDX-License-Identifier: MIT */
/* A server's settings: read once, then read-only for everybody, and a key that nobody else sees.
 *
 *   Settings lie in a heap on pages of its own. Between two phases of reading it is frozen: a stray
 *   pointer that writes to it ends the program at the guilty line, and a call that would change it
 *   fails with a fault that says so.
 *   The key lies between two guard pages, is not swapped, stands in no core dump where the system
 *   allows that, and is wiped in the end. What the system does not allow is said.
 *   The file is held: when it has grown, or was cut off, the program hears of it and follows. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"
#include "tagheap/file_map.h"
#include "tagheap/page_heap.h"
#include "tagheap/pages.h"
#include "tagheap/wipe.h"

enum { SETTING_TAG = 1, KEY_BYTES = 32 };

typedef struct setting {
    struct setting *next;
    char text[];
} setting;

static unsigned refusals;

static void note_refusal(void *context, const th_fault *fault) {
    (void)context;
    EXPECT(fault->kind == TH_FAULT_FROZEN);
    refusals++;
}

/* One setting for each line. Where the file was cut off in the middle of a line, the line is left
 * out. */
static setting *read_settings(th_page_heap *heap, const th_file_map *file) {
    const char *text = file->start;
    setting *first = NULL;
    for (size_t from = 0, at = 0; at < file->bytes; at++) {
        if (text[at] == '\n') {
            setting *read = th_heap_alloc(&heap->heap, sizeof *read + (at - from) + 1, SETTING_TAG);
            EXPECT(read != NULL);
            memcpy(read->text, text + from, at - from);
            read->text[at - from] = '\0';
            read->next = first;
            first = read;
            from = at + 1;
        }
    }
    return first;
}

static size_t count(const setting *first) {
    size_t found = 0;
    for (; first != NULL; first = first->next) {
        found++;
    }
    return found;
}

/* Does a stray write end the process that makes it? */
static bool is_caught(setting *victim) {
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        volatile char *text = victim->text;
        text[0] = '!';
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* From one phase to the next: thawed, read anew, frozen. */
static setting *read_again(th_page_heap *heap, th_file_map *file) {
    EXPECT(th_page_heap_thaw(heap) == TH_OK);
    (void)th_heap_free_tags(&heap->heap, SETTING_TAG, SETTING_TAG);
    EXPECT(th_file_map_refresh(file) == TH_OK);
    setting *first = read_settings(heap, file);
    EXPECT(th_page_heap_freeze(heap) == TH_OK);
    return first;
}

static void use_a_key(void) {
    unsigned char *key = th_pages_map_guarded(KEY_BYTES);
    EXPECT(key != NULL);
    bool is_locked = th_pages_lock(key, KEY_BYTES) == TH_OK;
    bool is_hidden = th_pages_hide(key, KEY_BYTES) == TH_OK;
    memset(key, 0x5A, KEY_BYTES); /* from wherever keys come */
    th_memory_wipe(key, KEY_BYTES);
    EXPECT(key[0] == 0 && key[KEY_BYTES - 1] == 0);
    EXPECT(th_pages_release_guarded(key, KEY_BYTES) == TH_OK);
    printf("frozen_settings: the key was %s, and %s core dumps\n",
           is_locked ? "locked in memory" : "not locked", is_hidden ? "in no" : "may be in");
}

int main(void) {
    char path[] = "/tmp/frozen_settings-XXXXXX";
    int writer = mkstemp(path); /* another program's descriptor */
    EXPECT(writer >= 0 && write(writer, "port=80\nname=x\n", 15) == 15);

    th_file_map file;
    const th_heap_config config = {.guarding = {.on_fault = note_refusal}};
    th_page_heap *heap = th_page_heap_create(65536, &config);
    EXPECT(heap != NULL);
    EXPECT(th_file_map_open_held(&file, path, TH_FILE_MAP_READ) == TH_OK);
    setting *settings = read_settings(heap, &file);
    EXPECT(th_page_heap_freeze(heap) == TH_OK);

    EXPECT(count(settings) == 2 && strcmp(settings->text, "name=x") == 0);
    EXPECT(th_heap_alloc(&heap->heap, 100, SETTING_TAG) == NULL); /* an honest mistake */
    EXPECT(th_heap_free(&heap->heap, settings) == 0);
    EXPECT(refusals == 2);
    EXPECT(is_caught(settings)); /* and a wild one */

    EXPECT(write(writer, "user=me\n", 8) == 8);
    settings = read_again(heap, &file);
    EXPECT(count(settings) == 3 && strcmp(settings->text, "user=me") == 0);

    uint64_t bytes;
    EXPECT(ftruncate(writer, 10) == 0); /* in the middle of the second line */
    EXPECT(th_file_map_file_bytes(&file, &bytes) == TH_OK && bytes < file.bytes);
    settings = read_again(heap, &file);
    EXPECT(count(settings) == 1 && strcmp(settings->text, "port=80") == 0);

    use_a_key();
    th_file_map_close(&file);
    th_page_heap_destroy(heap);
    EXPECT(close(writer) == 0 && unlink(path) == 0);
    printf("frozen_settings: %u changes refused while they were frozen\n", refusals);
    return 0;
}
