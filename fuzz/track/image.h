/* SPDX-License-Identifier: MIT */
/* The image: the file in which the preload library (watch.c) keeps what it knows, from inside the
 * program, and which labtrack reads when that has ended. Both map it at the same address, so that
 * pointers in it are good in both. The kernel keeps it whatever happens to the process: nothing has
 * to be written at exit, at a fatal signal or SIGKILL.
 *
 *   [ header, with the tracker itself ][ the tracker's tables, modules, leaks ... ][ unused: a hole
 * ]
 *
 * labtrack makes it in its full length before the program starts. */
#ifndef LAB_TRACK_IMAGE_H
#define LAB_TRACK_IMAGE_H

#include <assert.h>
#include <stdint.h>

#include "tagheap/tracker.h"

#define LAB_TRACK_MAGIC   "LABTRACK"
#define LAB_TRACK_VERSION 1u

/* Far from where programs, the sanitizers' shadows and the kernel put anything. */
#define LAB_TRACK_ADDRESS     ((uintptr_t)0x2A0000000000)
#define LAB_TRACK_IMAGE_BYTES ((size_t)1 << 36)
#define LAB_TRACK_MODULES_MAX 1024u
#define LAB_TRACK_PATH_BYTES  256u

/* Environment variables through which the library is told what to do. */
#define LAB_TRACK_ENV_FILE     "LAB_TRACK_FILE"     /* absolute path of the image */
#define LAB_TRACK_ENV_PROCESS  "LAB_TRACK_PROCESS"  /* who is tracked: "NUMBER:NAMESPACE" */
#define LAB_TRACK_ENV_CHILDREN "LAB_TRACK_CHILDREN" /* if set: its children, too */

typedef enum lab_track_state {
    LAB_TRACK_NONE = 0, /* no process has come to use the image */
    LAB_TRACK_RUNNING,  /* it was ended from outside, or by a signal */
    LAB_TRACK_ENDED     /* the program ended by itself, and leaks were looked for if asked */
} lab_track_state;

typedef enum lab_track_stop {
    LAB_TRACK_COMPLETE = 0,
    LAB_TRACK_FULL /* there was no room for the tables: later blocks are missing */
} lab_track_stop;

/* A file that code was mapped from, as dl_iterate_phdr tells it: addresses [start, end), which lie
 * at address - bias in the file's own terms. */
typedef struct lab_track_module {
    uintptr_t start;
    uintptr_t end;
    uintptr_t bias;
    uint64_t offset; /* of `start` in the file */
    char path[LAB_TRACK_PATH_BYTES];
} lab_track_module;

typedef enum lab_track_leak_kind {
    LAB_TRACK_REACHABLE,
    LAB_TRACK_POSSIBLE,
    LAB_TRACK_INDIRECT,
    LAB_TRACK_DEFINITE,
    LAB_TRACK_LEAK_KINDS
} lab_track_leak_kind;

/* What of a site is live at the end. `indirect` is what is lost with its definite blocks. */
typedef struct lab_track_leak {
    th_tracker_count counts[LAB_TRACK_LEAK_KINDS];
    uint64_t indirect_bytes;
} lab_track_leak;

typedef struct lab_track_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    /* What is asked for. */
    uint32_t frames_max; /* 0: the caller of malloc alone */
    uint32_t sample_bytes;
    uint32_t look_for_leaks;
    /* What was done. */
    uint32_t state; /* lab_track_state */
    uint32_t stop;  /* lab_track_stop */
    uint32_t module_count;
    uint64_t used_bytes; /* of the image, from its start */
    uint64_t lost;       /* blocks that there was no room to note */
    th_tracker tracker;
    lab_track_leak *leaks; /* one for each site; NULL: leaks were not looked for */
    lab_track_module modules[LAB_TRACK_MODULES_MAX];
} lab_track_header;

static_assert(sizeof(void *) == 8, "addresses of the image need 64 bits");

#endif
