/* SPDX-License-Identifier: MIT */
/* The highest guard level that the library contains, as its build says: 0 to 3. */
#ifndef TH_BASE_GUARD_MAX_H
#define TH_BASE_GUARD_MAX_H

#include <assert.h>

#ifndef TH_GUARD
#define TH_GUARD 0
#endif

static_assert(TH_GUARD >= 0 && TH_GUARD <= 3, "TH_GUARD is 0, 1, 2 or 3");

#endif
