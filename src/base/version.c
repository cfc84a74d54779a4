/* SPDX-License-Identifier: MIT */
#include "tagheap/version.h"

const char *th_version(void) {
    return TH_VERSION;
}
