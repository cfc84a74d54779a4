/* SPDX-License-Identifier: MIT */
#include "base/guard_max.h"
#include "tagheap/guarding.h"

int th_guard_max(void) {
    return TH_GUARD;
}
