/* SPDX-License-Identifier: MIT */
#ifndef LAB_ACTORS_SHARED_H
#define LAB_ACTORS_SHARED_H

#include "actors/actors.h"
#include "subjects/subject.h"
#include "tagheap/heap.h"
#include "tagheap/mutex.h"

enum { LAB_SHARED_ALIGNMENT = 64 };

struct lab_shared {
    lab_config config;
    bool is_started;
    bool is_heap;
    th_heap heap;
    th_mutex mutex;
    void *memory; /* the heap's */
    size_t bytes;
    lab_heap_start start;
    const lab_subject *subject; /* NULL: the heap */
    lab_instance instance;
};

#endif
