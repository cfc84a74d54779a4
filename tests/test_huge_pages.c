/* SPDX-License-Identifier: MIT */
/* Huge pages: whatever the system has of them, the memory is there. What this machine does not have
 * is played by system calls of our own. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "base/track.h"
#include "death.h"
#include "os/huge.h"
#include "suite.h"
#include "system_fixture.h"
#include "tagheap/pages.h"

static void sizes_are_asked_of_the_system(void) {
    size_t page = th_pages_size(), huge = th_huge_pages_size();
    CHECK(huge == 0 || (huge > page && (huge & (huge - 1)) == 0));
    CHECK_EQ(th_huge_pages_size(), huge);
    size_t unit = huge > 0 ? huge : page;
    CHECK_EQ(th_huge_pages_round(0), 0);
    CHECK_EQ(th_huge_pages_round(1), unit);
    CHECK_EQ(th_huge_pages_round(unit), unit);
    CHECK_EQ(th_huge_pages_round(unit + 1), 2 * unit);
    CHECK_EQ(th_huge_pages_round((size_t)PTRDIFF_MAX - unit + 1), (size_t)PTRDIFF_MAX - unit + 1);
    CHECK_EQ(th_huge_pages_round((size_t)PTRDIFF_MAX - unit + 2), 0);
    CHECK_EQ(th_huge_pages_round(SIZE_MAX), 0);
}

static bool write_to_it(void *pages) {
    memset(pages, 0x22, th_pages_size());
    return true;
}

static void memory_is_there_whatever_it_is_made_of(void) {
    static const char *const names[] = {"plain pages", "asked for", "of the pool"};
    size_t unit = th_huge_pages_round(1);
    long before = pages_in_use();
    for (size_t bytes = 1; bytes <= 2 * unit + 1; bytes += unit) {
        th_huge_pages_kind kind = (th_huge_pages_kind)-1;
        unsigned char *pages = th_huge_pages_map(bytes, &kind);
        CHECK(pages != NULL && (uintptr_t)pages % unit == 0);
        CHECK((unsigned)kind <= TH_HUGE_PAGES_POOL);
        printf("# huge pages of %zu bytes: %s\n", th_huge_pages_size(), names[kind]);
        size_t whole = th_huge_pages_round(bytes);
        for (size_t at = 0; at < whole; at += th_pages_size()) {
            CHECK_EQ(pages[at], 0);
            pages[at] = 0x11;
        }
        CHECK_EQ(th_pages_protect(pages, unit, TH_PAGES_READ), TH_OK);
        CHECK(may_access(pages, false) && !may_access(pages, true));
        CHECK_EQ(th_pages_protect(pages, unit, TH_PAGES_READ_WRITE), TH_OK);
        CHECK(holds_in_child(write_to_it, pages) || kind == TH_HUGE_PAGES_POOL);
        CHECK_EQ(pages[0], 0x11);
        CHECK_EQ(th_huge_pages_release(pages, bytes), TH_OK);
    }
    CHECK(tools_take_pages() || pages_in_use() == before);
}

static void what_cannot_be_had_is_refused(void) {
    th_huge_pages_kind kind = TH_HUGE_PAGES_POOL;
    CHECK(th_huge_pages_map(0, &kind) == NULL);
    CHECK(th_huge_pages_map(SIZE_MAX, &kind) == NULL);
    CHECK(th_huge_pages_map((size_t)PTRDIFF_MAX, &kind) == NULL);
    CHECK_EQ(kind, TH_HUGE_PAGES_POOL);
    CHECK_EQ(th_huge_pages_release(NULL, 1), TH_ERR_NULL);
    unsigned char *pages = th_huge_pages_map(1, NULL);
    CHECK(pages != NULL);
    CHECK_EQ(th_huge_pages_release(pages + 1, 1), TH_ERR_MISALIGNED);
    CHECK_EQ(th_huge_pages_release(pages, 0), TH_ERR_MISALIGNED);
    CHECK_EQ(th_huge_pages_release(pages, 1), TH_OK);
}

/* ---- other systems ---------------------------------------------------------------------------
 *
 * What the system says of its huge pages is asked once in each process; os/huge.h asks anew. */

#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void every_kind_of_system_has_memory(void) {}
static void only_sizes_that_make_sense_are_taken(void) {}
static void only_answers_are_taken_for_one(void) {}
static void a_shortage_is_asked_about_again(void) {}

#else

static const char *said; /* by the system of the size; NULL: the file is not there */
static bool is_played;   /* what is said */
static bool has_pool;    /* and what it has */
static bool refuses_advice;
static bool refuses_plain;
static int read_result; /* of a read that fails */
static int reason;      /* of an open or read that fails */
static int pool_flags;  /* of the last map of the pool */
static size_t pool_bytes;
static size_t opens, closes; /* of the file that says the size */

enum { FILE_OF_SIZE = 77 };

static int open_as_told(const char *path, int flags, int mode) {
    if (is_played && strstr(path, "hpage_pmd_size") != NULL) {
        errno = reason;
        opens += said != NULL;
        return said != NULL ? FILE_OF_SIZE : -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    return open_as_told(path, flags, mode);
}

#ifdef __GLIBC__ /* where a file that asks for large offsets calls this one */
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    return open_as_told(path, flags, mode);
}
#endif

int close(int file) {
    if (is_played && file == FILE_OF_SIZE) {
        closes++;
        return 0;
    }
    return (int)syscall(SYS_close, file);
}

ssize_t read(int file, void *to, size_t bytes) {
    if (is_played && file == FILE_OF_SIZE) {
        size_t length = strlen(said);
        memcpy(to, said, length < bytes ? length : bytes);
        errno = reason;
        return read_result < 0 ? read_result : (ssize_t)(length < bytes ? length : bytes);
    }
    return (ssize_t)syscall(SYS_read, file, to, bytes);
}

static void *map_as_told(void *pages, size_t bytes, int protection, int flags, int file,
                         int64_t offset) {
    if (!is_played) {
        return system_mmap(pages, bytes, protection, flags, file, offset);
    }
    bool of_pool = (flags & MAP_HUGETLB) != 0;
    if (of_pool) {
        pool_flags = flags;
        pool_bytes = bytes;
        flags &= MAP_PRIVATE | MAP_ANONYMOUS; /* plain ones do as well */
    }
    if (of_pool ? !has_pool : refuses_plain) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return system_mmap(pages, bytes, protection, flags, file, offset);
}

void *mmap(void *pages, size_t bytes, int protection, int flags, int file, off_t offset) {
    return map_as_told(pages, bytes, protection, flags, file, offset);
}

#ifdef __GLIBC__
void *mmap64(void *pages, size_t bytes, int protection, int flags, int file, off64_t offset) {
    return map_as_told(pages, bytes, protection, flags, file, offset);
}
#endif

int madvise(void *pages, size_t bytes, int advice) {
    if (is_played && advice == MADV_HUGEPAGE) {
        errno = EINVAL;
        return refuses_advice ? -1 : 0;
    }
    return (int)syscall(SYS_madvise, pages, bytes, advice);
}

typedef struct system_played {
    const char *says;
    bool pool, advice, plain;
    size_t huge; /* what is to be known of it */
    int kind;    /* of what is mapped; -1: nothing is */
} system_played;

static void play(const system_played *system) {
    th_huge_pages_kind kind = (th_huge_pages_kind)-1;
    said = system->says;
    has_pool = system->pool;
    refuses_advice = !system->advice;
    refuses_plain = !system->plain;
    is_played = true;
    reason = ENOENT;
    size_t huge = 1;
    bool is_answer = th_huge_ask_size(&huge);
    unsigned char *pages = th_huge_map(100, huge, &kind);
    unsigned char *no_name = th_huge_map(100, huge, NULL);
    is_played = false;
    CHECK(is_answer && huge == system->huge);
    CHECK_EQ(pages != NULL, system->kind >= 0);
    CHECK_EQ(no_name != NULL, pages != NULL);
    CHECK_EQ((int)kind, system->kind);
    size_t whole = th_huge_round(100, huge);
    CHECK_EQ(whole, huge > 0 ? huge : th_pages_size());
    if (pages != NULL) {
        CHECK_EQ((uintptr_t)pages % (kind == TH_HUGE_PAGES_POOL ? 1 : whole), 0);
        CHECK_EQ(pages[whole - 1], 0);
        CHECK_EQ(th_pages_release(pages, whole), TH_OK);
        CHECK_EQ(th_pages_release(no_name, whole), TH_OK);
    }
}

static void every_kind_of_system_has_memory(void) {
    const size_t huge = (size_t)2 << 20;
    const system_played systems[] = {
        {"2097152\n", true, true, true, huge, TH_HUGE_PAGES_POOL},
        {"2097152\n", true, false, false, huge, TH_HUGE_PAGES_POOL},
        {"2097152\n", false, true, true, huge, TH_HUGE_PAGES_ASKED},
        {"2097152\n", false, false, true, huge, TH_HUGE_PAGES_NONE},
        {"2097152\n", false, true, false, huge, -1},
        {NULL, true, true, true, 0, TH_HUGE_PAGES_NONE},
        {NULL, true, true, false, 0, -1},
    };
    long before = pages_in_use();
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        printf("# system %zu\n", i);
        play(&systems[i]);
        CHECK(tools_take_pages() || pages_in_use() == before);
    }
    CHECK_EQ(pool_bytes, huge);
    CHECK_EQ(pool_flags & MAP_PRIVATE, MAP_PRIVATE);
    CHECK_EQ((unsigned)pool_flags >> 26, 21); /* log2 of 2 MiB */
    is_played = has_pool = true;
    CHECK(th_huge_map(0, huge, NULL) == NULL); /* of the pool neither */
    CHECK(th_huge_map(SIZE_MAX, huge, NULL) == NULL);
    is_played = false;
}

static void only_sizes_that_make_sense_are_taken(void) {
    char page[32];
    (void)snprintf(page, sizeof page, "%zu", th_pages_size());
    const system_played systems[] = {
        {.says = "2097152\n", .huge = 2097152},
        {.says = "1048576", .huge = 1048576},
        {.says = "1048576kB", .huge = 1048576},
        {.says = "", .huge = 0},
        {.says = "none", .huge = 0},
        {.says = "0", .huge = 0},
        {.says = page, .huge = 0},
        {.says = "2097151\n", .huge = 0},
        {.says = "3145728", .huge = 0},
        {.says = "-2097152", .huge = 0},
        {.says = NULL, .huge = 0},
    };
    is_played = true;
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        printf("# row %zu\n", i);
        said = systems[i].says;
        size_t huge = 1;
        CHECK(th_huge_ask_size(&huge) && huge == systems[i].huge);
        CHECK_EQ(closes, opens);
    }
    is_played = false;
}

/* What passes is no answer, wherever it fails. */
static void only_answers_are_taken_for_one(void) {
    static const struct {
        int reason;
        bool is_answer;
    } rows[] = {{ENOENT, true},  {EACCES, true},  {EIO, true},   {EMFILE, false},
                {ENFILE, false}, {ENOMEM, false}, {EINTR, false}};
    is_played = true;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        printf("# row %zu\n", i);
        size_t huge = 1;
        said = i % 2 == 0 ? NULL : "2097152";
        read_result = -1;
        reason = rows[i / 2].reason;
        CHECK_EQ(th_huge_ask_size(&huge), rows[i / 2].is_answer);
        CHECK_EQ(huge, 0);
        CHECK_EQ(closes, opens);
    }
    read_result = 0;
    is_played = false;
}

/* Before anything is known in this process: nothing is after it. */
static void a_shortage_is_asked_about_again(void) {
    is_played = true;
    said = NULL;
    reason = EMFILE;
    CHECK_EQ(th_huge_pages_size(), 0);
    CHECK_EQ(th_huge_pages_round(1), th_pages_size());
    size_t asked = opens;
    said = ""; /* what is no answer is not remembered */
    read_result = -1;
    reason = EINTR;
    CHECK_EQ(th_huge_pages_size(), 0);
    CHECK_EQ(opens, asked + 1);
    read_result = 0;
    is_played = false;
}

#endif

TH_SUITE("huge_pages", TEST(a_shortage_is_asked_about_again), TEST(every_kind_of_system_has_memory),
         TEST(only_sizes_that_make_sense_are_taken), TEST(only_answers_are_taken_for_one),
         TEST(sizes_are_asked_of_the_system), TEST(memory_is_there_whatever_it_is_made_of),
         TEST(what_cannot_be_had_is_refused))
