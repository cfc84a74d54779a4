/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* no more: then a resource is an int in every C library */

#include "limit_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

bool limit(int resource, uint64_t most) {
    struct rlimit now;
    if (getrlimit(resource, &now) != 0) {
        return false;
    }
    now.rlim_cur = most == UNLIMITED ? RLIM_INFINITY : (rlim_t)most;
    now.rlim_cur = now.rlim_cur < now.rlim_max ? now.rlim_cur : now.rlim_max;
    return setrlimit(resource, &now) == 0;
}

size_t open_files(void) {
    size_t count = 0;
    for (int file = 0; file < 64; file++) {
        count += fcntl(file, F_GETFD) >= 0;
    }
    return count;
}
