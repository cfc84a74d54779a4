/* SPDX-License-Identifier: MIT */
/* Shared memory objects: names, sizes, and who may do what. */
#define _DEFAULT_SOURCE

#include "tagheap/shared_memory.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "death.h"
#include "suite.h"
#include "system_fixture.h"

enum { BYTES = 8192, NOBODY = 65534 };

static char name[64];

static void start(void) {
    (void)snprintf(name, sizeof name, "/test_shared_memory-%ld", (long)getpid());
}

static th_file_map make(unsigned permissions) {
    th_file_map map;
    start();
    CHECK_EQ(th_shared_memory_open_new(&map, name, BYTES, permissions), TH_OK);
    return map;
}

static void end(th_file_map *map) {
    th_file_map_close(map);
    CHECK_EQ(th_shared_memory_remove(name), TH_OK);
}

static bool writes_there(void *context) {
    th_file_map map;
    const void *elsewhere = context;
    bool good = th_shared_memory_open(&map, name, TH_FILE_MAP_SHARED) == TH_OK &&
                map.bytes == BYTES && map.start != elsewhere;
    if (good) {
        memcpy((char *)map.start + BYTES / 2, "from a child", 13);
    }
    return good;
}

static void processes_see_the_same_memory(void) {
    th_file_map map = make(0600);
    static const unsigned char zeros[BYTES];
    CHECK_EQ(map.bytes, BYTES);
    CHECK_EQ(memcmp(map.start, zeros, BYTES), 0);
    CHECK(holds_in_child(writes_there, map.start));
    CHECK_EQ(strcmp((char *)map.start + BYTES / 2, "from a child"), 0);
    end(&map);
}

static void a_name_that_is_taken_is_not_touched(void) {
    th_file_map map = make(0600);
    th_file_map other = {.bytes = 7};
    memcpy(map.start, "mine", 5);
    errno = 0;
    CHECK_EQ(th_shared_memory_open_new(&other, name, BYTES, 0600), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, EEXIST);
    CHECK_EQ(other.bytes, 7);
    CHECK_EQ(strcmp(map.start, "mine"), 0);
    end(&map);
    CHECK_EQ(th_shared_memory_remove(name), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(th_shared_memory_open(&other, name, TH_FILE_MAP_READ), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, ENOENT);
}

static bool may_only_read(void *context) {
    th_file_map map;
    (void)context;
    if (getuid() == 0 && setuid(NOBODY) != 0) {
        return false;
    }
    bool refused = th_shared_memory_open(&map, name, TH_FILE_MAP_SHARED) == TH_ERR_EXHAUSTED &&
                   errno == EACCES;
    return refused && th_shared_memory_open(&map, name, TH_FILE_MAP_READ) == TH_OK;
}

static bool may_nothing(void *context) {
    th_file_map map;
    (void)context;
    if (getuid() == 0 && setuid(NOBODY) != 0) {
        return false;
    }
    return th_shared_memory_open(&map, name, TH_FILE_MAP_SHARED) == TH_ERR_EXHAUSTED &&
           errno == EACCES &&
           th_shared_memory_open(&map, name, TH_FILE_MAP_READ) == TH_ERR_EXHAUSTED &&
           errno == EACCES;
}

static void rights_are_those_that_were_given(void) {
    mode_t mask = umask(0077);
    th_file_map map = make(0444); /* of everybody, whatever the mask is */
    CHECK(holds_in_child(may_only_read, NULL));
    end(&map);
    map = make(0);
    CHECK(holds_in_child(may_nothing, NULL));
    end(&map);
    (void)umask(mask);
}

static void a_map_to_read_cannot_be_written(void) {
    th_file_map map = make(0600);
    th_file_map other;
    CHECK_EQ(th_shared_memory_open(&other, name, TH_FILE_MAP_READ), TH_OK);
    CHECK(may_access(other.start, false));
    CHECK(!may_access(other.start, true));
    th_file_map_close(&other);
    end(&map);
}

static void what_cannot_be_whole_is_removed(void) {
    th_file_map map = {.bytes = 7};
    struct rlimit before;
    start();
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit limit = {BYTES, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    th_status status = th_shared_memory_open_new(&map, name, (size_t)4 * BYTES, 0600);
    int reason = errno;
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(reason, EFBIG);
    CHECK_EQ(map.bytes, 7);
    CHECK_EQ(th_shared_memory_remove(name), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, ENOENT);
}

static bool refuses_fchmod;

int fchmod(int file, mode_t mode) {
    if (refuses_fchmod) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_fchmod, file, mode);
}

static void nor_is_there_one_that_nobody_may_use(void) {
    th_file_map map = {.bytes = 7};
    start();
    long before = pages_in_use();
    refuses_fchmod = true;
    th_status status = th_shared_memory_open_new(&map, name, BYTES, 0600);
    int reason = errno;
    refuses_fchmod = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(reason, EPERM);
    CHECK_EQ(map.bytes, 7);
    CHECK(tools_take_pages() || pages_in_use() == before);
    CHECK_EQ(th_shared_memory_remove(name), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, ENOENT);
}

static void expect_no_name(const char *text) {
    th_file_map map = {.bytes = 7};
    errno = 0;
    CHECK_EQ(th_shared_memory_open_new(&map, text, BYTES, 0600), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, EINVAL);
    errno = 0;
    CHECK_EQ(th_shared_memory_open(&map, text, TH_FILE_MAP_READ), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, EINVAL);
    errno = 0;
    CHECK_EQ(th_shared_memory_remove(text), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(map.bytes, 7);
}

/* The system itself takes some of them. */
static void what_is_no_name_is_refused(void) {
    char without_slash[sizeof name], of_two[sizeof name + 1];
    th_file_map map = make(0600);
    memcpy(without_slash, name + 1, sizeof name - 1);
    (void)snprintf(of_two, sizeof of_two, "/%s", name);
    expect_no_name(without_slash);
    expect_no_name(of_two);
    expect_no_name("");
    expect_no_name("/");
    expect_no_name("/.");
    expect_no_name("/..");
    expect_no_name("/two/parts");
    expect_no_name("/part/");
    end(&map);
    (void)snprintf(name, sizeof name, "/...%ld", (long)getpid());
    CHECK_EQ(th_shared_memory_open_new(&map, name, BYTES, 0600), TH_OK);
    end(&map);
}

static void names_that_are_too_long_are_refused(void) {
    char text[NAME_MAX + 3];
    th_file_map map = {.bytes = 7};
    memset(text, 'x', sizeof text);
    text[0] = '/';
    text[NAME_MAX + 2] = '\0';
    CHECK_EQ(th_shared_memory_open_new(&map, text, BYTES, 0600), TH_ERR_EXHAUSTED);
    CHECK_EQ(errno, ENAMETOOLONG);
    CHECK_EQ(map.bytes, 7);
}

static void bad_requests_are_refused(void) {
    th_file_map map = {.bytes = 7};
    start();
    CHECK_EQ(th_shared_memory_open_new(NULL, name, BYTES, 0600), TH_ERR_NULL);
    CHECK_EQ(th_shared_memory_open_new(&map, NULL, BYTES, 0600), TH_ERR_NULL);
    CHECK_EQ(th_shared_memory_open_new(&map, name, 0, 0600), TH_ERR_TOO_SMALL);
    CHECK_EQ(th_shared_memory_open_new(&map, name, PTRDIFF_MAX, 0600), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_shared_memory_open_new(&map, name, BYTES, 01000), TH_ERR_CONFIG);
    CHECK_EQ(th_shared_memory_open(NULL, name, TH_FILE_MAP_READ), TH_ERR_NULL);
    CHECK_EQ(th_shared_memory_open(&map, NULL, TH_FILE_MAP_READ), TH_ERR_NULL);
    CHECK_EQ(th_shared_memory_open(&map, name, TH_FILE_MAP_MODES), TH_ERR_CONFIG);
    CHECK_EQ(th_shared_memory_remove(NULL), TH_ERR_NULL);
    CHECK_EQ(map.bytes, 7);
}

TH_SUITE("shared_memory", TEST(processes_see_the_same_memory),
         TEST(a_name_that_is_taken_is_not_touched), TEST(rights_are_those_that_were_given),
         TEST(a_map_to_read_cannot_be_written), TEST(what_cannot_be_whole_is_removed),
         TEST(nor_is_there_one_that_nobody_may_use), TEST(what_is_no_name_is_refused),
         TEST(names_that_are_too_long_are_refused), TEST(bad_requests_are_refused))
