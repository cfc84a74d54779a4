/* SPDX-License-Identifier: MIT */
/* What a checker says in its fault as long as nothing wrong was found. */
#ifndef TH_BASE_NO_FAULT_H
#define TH_BASE_NO_FAULT_H

#include "tagheap/fault.h"

/* Every public checker begins with this: no path through it leaves *fault (which may be NULL) as
 * the caller had it. */
static inline void th_no_fault(th_fault *fault) {
    if (fault != NULL) {
        *fault = (th_fault){
            .kind = TH_FAULT_NONE, .block = TH_FAULT_NOWHERE, .offset = TH_FAULT_NOWHERE};
    }
}

#endif
