/* SPDX-License-Identifier: MIT */
#include "handles_fixture.h"

fixture handles_fx;
th_handles handles;
th_handles_slot handles_slots[HANDLES_SLOTS];
unsigned handles_faults;
th_fault handles_last_fault;

void handles_note_fault(void *context, const th_fault *fault) {
    CHECK_PTR_EQ(context, handles_slots);
    handles_faults++;
    handles_last_fault = *fault;
}

void handles_start_on(uint32_t dwords, const th_handles_config *config) {
    const th_heap_config heap_config = {.alignment = 4, .guarding.level = 3};
    handles_faults = 0;
    fixture_start_with(&handles_fx, 0, (size_t)dwords * 4, &heap_config);
    CHECK_EQ(th_handles_init(&handles, &handles_fx.heap, config), TH_OK);
}

th_handles_config handles_usual_config(void) {
    return (th_handles_config){.memory = handles_slots,
                               .memory_bytes = sizeof handles_slots,
                               .guarding = {3, handles_note_fault, handles_slots}};
}

void handles_start(uint32_t dwords) {
    const th_handles_config config = handles_usual_config();
    handles_start_on(dwords, &config);
}

void handles_stop(void) {
    CHECK_EQ(th_handles_check(&handles, NULL), TH_OK);
    th_handles_clean_up(&handles);
    CHECK(handles.heap == NULL);
    CHECK_EQ(handles_fx.faults, 0);
    fixture_stop(&handles_fx);
}

th_handles_stats handles_stats(void) {
    CHECK_EQ(th_handles_check(&handles, NULL), TH_OK);
    return th_handles_get_stats(&handles);
}

/* A block of so many dwords under the tag, filled with it. */
th_handle handles_take(uint32_t dwords, uint32_t tag) {
    th_handle handle = th_handles_alloc(&handles, (size_t)dwords * 4, tag);
    CHECK(handle.generation != 0);
    fill(th_handles_get(&handles, handle), (size_t)dwords * 4, tag);
    return handle;
}

bool handles_holds(th_handle handle, uint32_t dwords, uint32_t seed) {
    return filled(th_handles_get(&handles, handle), (size_t)dwords * 4, seed);
}

void handles_expect_stale(uint32_t slot, uint32_t expected, uint32_t found) {
    CHECK_EQ(handles_faults, 1);
    CHECK_EQ(handles_last_fault.kind, TH_FAULT_STALE);
    CHECK_EQ(handles_last_fault.block, slot);
    CHECK_EQ(handles_last_fault.expected, expected);
    CHECK_EQ(handles_last_fault.found, found);
    handles_faults = 0;
}
