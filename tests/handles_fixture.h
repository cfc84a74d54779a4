/* SPDX-License-Identifier: MIT */
/* Handles over one heap, for the suites that test them. */
#ifndef TESTS_HANDLES_FIXTURE_H
#define TESTS_HANDLES_FIXTURE_H

#include "heap_fixture.h"
#include "tagheap/handles.h"

#define HANDLES_SLOTS 8

extern fixture handles_fx;
extern th_handles handles;
extern th_handles_slot handles_slots[HANDLES_SLOTS];
extern unsigned handles_faults;
extern th_fault handles_last_fault;

void handles_note_fault(void *context, const th_fault *fault);
void handles_start_on(uint32_t dwords, const th_handles_config *config);
th_handles_config handles_usual_config(void);
void handles_start(uint32_t dwords);
void handles_stop(void);
th_handles_stats handles_stats(void);
/* A block of so many dwords under the tag, filled with it. */
th_handle handles_take(uint32_t dwords, uint32_t tag);
bool handles_holds(th_handle handle, uint32_t dwords, uint32_t seed);
void handles_expect_stale(uint32_t slot, uint32_t expected, uint32_t found);

#endif
