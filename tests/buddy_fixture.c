/* SPDX-License-Identifier: MIT */
#include "buddy_fixture.h"

#include <stdalign.h>

alignas(REGION_BYTES) unsigned char buddy_region[2 * REGION_BYTES];
alignas(16) unsigned char buddy_book[BOOK_BYTES];
th_buddy buddy;
fault_log buddy_faults;

void buddy_start(int level, void *memory, size_t bytes, size_t unit) {
    th_buddy_config config = {.unit = unit, .guarding = guarding_with(&buddy_faults, level)};
    size_t room = th_buddy_bookkeeping_bytes(memory, bytes, &config);
    CHECK(room > 0 && room <= sizeof buddy_book);
    CHECK_EQ(th_buddy_init(&buddy, memory, bytes, buddy_book, room, &config), TH_OK);
}

void buddy_stop(void) {
    CHECK_EQ(buddy_faults.count, 0);
    CHECK_EQ(th_buddy_check(&buddy, NULL), TH_OK);
    th_buddy_clean_up(&buddy);
}

th_buddy_stats buddy_stats(void) {
    th_buddy_stats s = th_buddy_get_stats(&buddy);
    CHECK_EQ(s.managed_bytes, s.live_bytes + s.free_bytes);
    return s;
}
