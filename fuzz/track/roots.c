/* SPDX-License-Identifier: MIT */
/* /proc/self/maps says which memory there is. Of what can be written, these are no roots:
 *
 *   - [heap], which is malloc's
 *   - what malloc has mapped for a block alone, or for an arena of further threads. It says so in
 *     two bits of the word before the block, as glibc's does
 *   - the image, and the data of our own library
 *   - of stacks, what lies below the stack pointer
 *   - devices */
#define _GNU_SOURCE
#include "track/roots.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "track/image.h"

enum { MAPPED_CHUNK = 2, OTHER_ARENA = 4, CHUNK_FLAGS = 7 };
#define ARENA_BYTES ((uintptr_t)64 << 20) /* an arena's first address is a multiple of it */
#define TEXT_BYTES  ((size_t)4 << 20)
#define MAPS_MAX    65536u
#define THREADS_MAX 4096u

/* One of ours in .data, one in .bss. */
static int our_data = 1;
static int our_bss;

typedef struct map {
    uintptr_t start;
    uintptr_t end;
    bool can_be_read;
    bool can_be_written;
    const char *name;
} map;

/* ---- text ------------------------------------------------------------------------------------ */

/* The whole file as a text. False: it cannot be read. */
static bool read_text(const char *path, char *text, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t got = 1;
    if (fd < 0) {
        return false;
    }
    while (got > 0 && length < room - 1) {
        got = read(fd, text + length, room - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    text[length] = '\0';
    close(fd);
    return got == 0;
}

static uintptr_t take_hex(const char **text) {
    static const char digits[] = "0123456789abcdef";
    uintptr_t value = 0;
    const char *digit;
    while (**text != '\0' && (digit = strchr(digits, **text)) != NULL) {
        value = value * 16 + (uintptr_t)(digit - digits);
        ++*text;
    }
    return value;
}

/* START-END rwxp OFFSET DEVICE INODE   NAME */
static map take_map(char **line) {
    char *end = strchr(*line, '\n');
    const char *at = *line;
    map m = {.start = take_hex(&at)};
    if (end != NULL) {
        *end = '\0';
    }
    at += *at == '-';
    m.end = take_hex(&at);
    m.can_be_read = at[0] == ' ' && at[1] == 'r';
    m.can_be_written = m.can_be_read && at[2] == 'w';
    const char *name = strpbrk(at, "/[");
    m.name = name != NULL ? name : "";
    *line = end != NULL ? end + 1 : *line + strlen(*line);
    return m;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

typedef struct ranges {
    lab_root *list;
    size_t count;
    size_t room;
} ranges;

static bool make_ranges(ranges *all, size_t room, th_allocator memory) {
    all->list = th_allocator_alloc_array(memory, room, sizeof *all->list);
    all->room = room;
    return all->list != NULL;
}

static void add(ranges *all, lab_root range) {
    if (range.start < range.end && all->count < all->room) {
        lab_root *last = all->count > 0 ? &all->list[all->count - 1] : NULL;
        if (last != NULL && range.start <= last->end && range.start >= last->start &&
            range.is_mallocs == last->is_mallocs) {
            last->end = range.end > last->end ? range.end : last->end;
        } else {
            all->list[all->count++] = range;
        }
    }
}

/* The range without what is in the list of others, which is sorted. */
static void add_without(ranges *all, lab_root range, const ranges *others) {
    for (size_t i = 0; i < others->count && range.start < range.end; i++) {
        const lab_root *other = &others->list[i];
        if (other->end > range.start && other->start < range.end) {
            add(all, (lab_root){range.start, other->start, range.is_mallocs});
            range.start = other->end;
        }
    }
    add(all, range);
}

/* ---- what is malloc's ------------------------------------------------------------------------ */

static void add_chunks(ranges *all, const lab_root_block *blocks, size_t count) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < count; i++) {
        uintptr_t at = blocks[i].address;
        size_t head = ((const size_t *)at)[-1];
        if ((head & MAPPED_CHUNK) != 0) {
            uintptr_t start = (at - 2 * sizeof head) / page * page;
            add(all,
                (lab_root){start, at - 2 * sizeof head + (head & ~(size_t)CHUNK_FLAGS), false});
        } else if ((head & OTHER_ARENA) != 0) {
            uintptr_t start = at / ARENA_BYTES * ARENA_BYTES;
            add(all, (lab_root){start, start + ARENA_BYTES, false});
        }
    }
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* The stack pointer of each other thread, as far as the system tells it: of those that wait. */
static size_t find_stacks(uintptr_t *stacks, size_t room) {
    char path[64], text[512];
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    while (tasks != NULL && count < room && (task = readdir(tasks)) != NULL) {
        if (strlen(task->d_name) > 20 || task->d_name[0] == '.') {
            continue;
        }
        stpcpy(stpcpy(stpcpy(path, "/proc/self/task/"), task->d_name), "/syscall");
        const char *last;
        if (atol(task->d_name) == syscall(SYS_gettid) || !read_text(path, text, sizeof text) ||
            (last = strrchr(text, ' ')) == NULL) {
            continue;
        }
        while (last > text && last[-1] != ' ') { /* SP PC end the line */
            last--;
        }
        last += strncmp(last, "0x", 2) == 0 ? 2 : 0;
        stacks[count] = take_hex(&last);
        count += stacks[count] != 0;
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return count;
}

static bool holds(const map *m, const void *address) {
    return (uintptr_t)address >= m->start && (uintptr_t)address < m->end;
}

static bool is_root(const map *m) {
    return m->can_be_written && strcmp(m->name, "[heap]") != 0 &&
           strncmp(m->name, "/dev/", 5) != 0 && m->start != LAB_TRACK_ADDRESS &&
           !holds(m, &our_data) && !holds(m, &our_bss);
}

/* From where on it counts. */
static uintptr_t begin_of(const map *m, const uintptr_t *stacks, size_t count) {
    uintptr_t begin = m->start;
    for (size_t i = 0; i < count; i++) {
        if (holds(m, (const void *)stacks[i]) && stacks[i] > begin) {
            begin = stacks[i];
        }
    }
    return begin;
}

bool lab_roots_find(lab_roots *roots, const lab_root_block *blocks, size_t count,
                    th_allocator memory, uintptr_t stack) {
    ranges own = {.count = 0}, found = {.count = 0}, readable = {.count = 0};
    char *text = th_allocator_alloc(memory, TEXT_BYTES);
    uintptr_t *stacks = th_allocator_alloc_array(memory, THREADS_MAX, sizeof *stacks);
    if (text == NULL || stacks == NULL || !read_text("/proc/self/maps", text, TEXT_BYTES) ||
        !make_ranges(&own, count + 1, memory) ||
        !make_ranges(&found, MAPS_MAX + 2 * count, memory) ||
        !make_ranges(&readable, MAPS_MAX, memory)) {
        return false;
    }
    stacks[0] = stack;
    size_t threads = 1 + find_stacks(stacks + 1, THREADS_MAX - 1);
    add_chunks(&own, blocks, count);
    for (char *line = text; *line != '\0';) {
        map m = take_map(&line);
        if (m.can_be_read) {
            add(&readable, (lab_root){m.start, m.end, false});
        }
        if (is_root(&m)) {
            bool is_mallocs =
                strstr(m.name, "/libc.so") != NULL || strstr(m.name, "/libc-") != NULL;
            add_without(&found, (lab_root){begin_of(&m, stacks, threads), m.end, is_mallocs}, &own);
        }
    }
    *roots = (lab_roots){found.list, found.count, readable.list, readable.count};
    return true;
}

bool lab_roots_is_readable(const lab_roots *roots, uintptr_t start, uintptr_t end) {
    size_t low = 0, high = roots->readable_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (roots->readable[middle].end <= start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < roots->readable_count && roots->readable[low].start <= start &&
           end <= roots->readable[low].end;
}
