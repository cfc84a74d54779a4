/* SPDX-License-Identifier: MIT */
/* Status codes: how every fallible call of this library that returns no pointer says what went
 * wrong. A status is about exhaustion and bad requests only; misuse and corruption raise a fault
 * (fault.h) instead. Thread rule: everything here is pure. */
#ifndef TAGHEAP_STATUS_H
#define TAGHEAP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_status {
    TH_OK = 0,
    TH_ERR_NULL,        /* a pointer that must not be NULL is NULL, or an object is zeroed */
    TH_ERR_MISALIGNED,  /* a region or an address does not have the alignment that is needed */
    TH_ERR_TOO_SMALL,   /* a region cannot hold the smallest structure */
    TH_ERR_TOO_LARGE,   /* a size is beyond what the layout can express */
    TH_ERR_ALIGNMENT,   /* an alignment is not one of the supported powers of two */
    TH_ERR_CONFIG,      /* an option has a value outside its range */
    TH_ERR_LAYOUT,      /* a layout of blocks that this build of the library does not contain */
    TH_ERR_EXHAUSTED,   /* no memory of that size is left */
    TH_ERR_CORRUPT,     /* a checker found the structure broken */
    TH_ERR_BUSY,        /* called from inside a callback of the same object */
    TH_ERR_UNSUPPORTED, /* the allocator behind the interface has no such call */
    TH_ERR_STALE,       /* a handle, or a plan, is about what is not so any more */
    TH_ERR_PINNED,      /* what is to go or to move is pinned */
    TH_ERR_UNKNOWN,     /* there is no entry with that key */
    TH_ERR_CYCLE        /* what is to depend on something is what that depends on */
} th_status;

/* The name of the status as a static string ("TH_ERR_NULL"); "TH_ERR_?" for no status. O(1). */
const char *th_status_name(th_status status);

#ifdef __cplusplus
}
#endif
#endif
