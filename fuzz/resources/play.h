/* SPDX-License-Identifier: MIT */
/* Nouns of src/resource and src/os, each played by the bytes of an input beside a simple model of
 * its own. What the players share: the input, memory that can run out, and how a difference is
 * told. */
#ifndef LAB_RESOURCES_PLAY_H
#define LAB_RESOURCES_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"
#include "tagheap/guarding.h"

/* ---- the input ------------------------------------------------------------------------------ */

typedef struct lab_input {
    const uint8_t *bytes;
    size_t left;
} lab_input;

/* The next byte; 0 when there is none left. */
unsigned lab_input_byte(lab_input *input);

/* A number below `end`, at most 65536. */
size_t lab_input_below(lab_input *input, size_t end);

/* ---- memory --------------------------------------------------------------------------------- */

/* malloc, counted, that refuses when it is told to. */
typedef struct lab_source {
    size_t live;
    size_t live_bytes;
    size_t refusals;
    size_t bytes_max; /* larger requests are not met; 0: any are */
    unsigned left;    /* requests that will be met; LAB_SOURCE_ANY: all */
} lab_source;

#define LAB_SOURCE_ANY 255u

th_allocator lab_source_start(lab_source *source);

/* Everything came back. */
void lab_source_stop(const lab_source *source, const char *noun);

/* ---- findings ------------------------------------------------------------------------------- */

/* If not, says so in the words of the runner, and ends the process. */
void lab_require(bool holds, const char *noun, const char *detail);

/* At level 3; faults are counted. */
th_guarding lab_count_faults(unsigned *faults);

/* ---- the players ---------------------------------------------------------------------------- */

typedef void lab_resource_player(lab_input *input);

lab_resource_player lab_play_scope, lab_play_graph, lab_play_ref, lab_play_ring, lab_play_buffer,
    lab_play_gather, lab_play_buffer_pool, lab_play_resource_pool, lab_play_quota, lab_play_policy,
    lab_play_pages, lab_play_file_map, lab_play_device, lab_play_page_heap;

#endif
