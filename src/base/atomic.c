/* SPDX-License-Identifier: MIT */
#include "base/atomic.h"

#if TH_ATOMIC_STEPS
th_atomic_step_fn th_atomic_step;
#else
typedef int th_atomic_no_steps; /* C wants a declaration */
#endif
