/* SPDX-License-Identifier: MIT */
/* The table of attacks, with what each guard level must achieve. */
#include "attack/rows.h"

#define AT_ONCE LAB_NOTICE_AT_ONCE
#define NEXT    LAB_NOTICE_NEXT
#define CHECK   LAB_NOTICE_CHECK
#define NOT     LAB_NOTICE_NOT

/* What the levels 0 to 3 must achieve, by what is damaged. */
#define SLACK                                                                                      \
    { NOT, CHECK, CHECK, NEXT }
#define POISON                                                                                     \
    { NOT, NOT, CHECK, NEXT }
#define LINK                                                                                       \
    { CHECK, CHECK, CHECK, NEXT }
#define NO_LINK                                                                                    \
    { NOT, CHECK, CHECK, NEXT }
#define POINTER                                                                                    \
    { NOT, AT_ONCE, AT_ONCE, AT_ONCE }
#define COUNTER                                                                                    \
    { CHECK, CHECK, CHECK, NEXT }
#define CONTROL                                                                                    \
    { NOT, NOT, NOT, NEXT }
#define CALLBACK                                                                                   \
    { AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE }

#define ROW_OVERFLOW(n)                                                                            \
    { "overflow by " #n, lab_attack_overflow, n, SLACK, false, 0, false }
#define ROW_UNDERFLOW(n)                                                                           \
    { "underflow by " #n, lab_attack_underflow, n, SLACK, false, 0, false }
#define ROW_POINTERS(text, class)                                                                  \
    {"free of " text, lab_attack_pointer, class, POINTER, true, 0, false}, {                       \
        "resize, trim ... of " text, lab_attack_pointer, class | LAB_OTHER_CALLS, POINTER, true,   \
            0, false                                                                               \
    }

const lab_attack_row lab_attack_rows[] = {
    ROW_OVERFLOW(1),
    ROW_OVERFLOW(2),
    ROW_OVERFLOW(3),
    ROW_OVERFLOW(4),
    ROW_OVERFLOW(8),
    ROW_OVERFLOW(16),
    ROW_OVERFLOW(32),
    ROW_OVERFLOW(64),
    ROW_OVERFLOW(128),
    {"one byte anywhere in the slack", lab_attack_canary, 0, SLACK, false, 0, false},
    ROW_UNDERFLOW(1),
    ROW_UNDERFLOW(2),
    ROW_UNDERFLOW(3),
    ROW_UNDERFLOW(4),
    ROW_UNDERFLOW(8),
    ROW_UNDERFLOW(16),
    ROW_UNDERFLOW(24),
    ROW_UNDERFLOW(32),
    ROW_UNDERFLOW(64),
    {"write after free: the first byte", lab_attack_freed, LAB_FIRST_BYTE, POISON, false, 0, false},
    {"write after free: the last byte", lab_attack_freed, LAB_LAST_BYTE, POISON, false, 0, false},
    {"write after free: any byte", lab_attack_freed, LAB_EVERY_BYTE, POISON, false, 0, false},
    {"write after free: all bytes", lab_attack_freed, LAB_ALL_BYTES, POISON, false, 0, false},
    {"write after free by tag", lab_attack_tags, 0, POISON, false, 0, false},
    {"write where a header was merged away", lab_attack_merged, 0, POISON, false, 0, false},
    {"write to what trimming gave back", lab_attack_trimmed, 0, POISON, false, 0, false},
    {"write after a resize that moved", lab_attack_resized, 0, POISON, false, 0, false},
    {"write to memory never used, poisoned", lab_attack_unused, 0, POISON, false, 0, true},
    {"write after compaction, to free memory", lab_attack_moved, LAB_ZONE_POISON, POISON, false, 0,
     false},
    {"write after compaction, to a header", lab_attack_moved, LAB_ZONE_HEADER, NO_LINK, false, 0,
     false},
    {"write after compaction, to slack", lab_attack_moved, LAB_ZONE_CANARY, SLACK, false, 0, false},
    {"header bit: link to the block below", lab_attack_field, LAB_HEADER_PREV, LINK, false, 0,
     false},
    {"header bit: alignment", lab_attack_field, LAB_HEADER_ALIGN, NO_LINK, false, 0, false},
    {"header bit: link to the block above", lab_attack_field, LAB_HEADER_NEXT, LINK, false, 0,
     false},
    {"header bit: tag", lab_attack_field, LAB_HEADER_TAG, NO_LINK, false, 0, false},
    {"header bit: size", lab_attack_field, LAB_HEADER_SIZE, LINK, false, 0, false},
    {"header bit: requested size", lab_attack_field, LAB_HEADER_REQUESTED, NO_LINK, false, 0,
     false},
    {"header bit: site", lab_attack_field, LAB_HEADER_SITE, NO_LINK, false, 0, false},
    {"header bit: check word", lab_attack_field, LAB_HEADER_CHECK, NO_LINK, false, 0, false},
    {"header bit: padding", lab_attack_field, LAB_HEADER_PADDING, NO_LINK, false, 0, false},
    {"header bit: any of FIRST", lab_attack_first, 0, NO_LINK, false, 0, false},
    {"header bit: any of LAST", lab_attack_last, 0, NO_LINK, false, 0, false},
    {"header bit: any of a free neighbour", lab_attack_free_header, 0, NO_LINK, false, 0, false},
    {"counter: HEAD blocks", lab_attack_counter, 0, COUNTER, false, 0, false},
    {"counter: TAIL blocks", lab_attack_counter, 1, COUNTER, false, 0, false},
    {"counter: free blocks", lab_attack_counter, 2, COUNTER, false, 0, false},
    {"counter: HEAD dwords", lab_attack_counter, 3, COUNTER, false, 0, false},
    {"counter: TAIL dwords", lab_attack_counter, 4, COUNTER, false, 0, false},
    {"counter: high-water mark", lab_attack_counter, 5, CONTROL, false, 0, false},
    {"counter: failed allocations", lab_attack_counter, 6, CONTROL, false, 0, false},
    {"any other field of th_heap", lab_attack_control, 0, CONTROL, false, 3, false},
    ROW_POINTERS("a freed pointer", LAB_POINTER_FREED),
    ROW_POINTERS("one whose block merged", LAB_POINTER_MERGED),
    ROW_POINTERS("one whose memory is reused", LAB_POINTER_REUSED),
    ROW_POINTERS("one before a resize", LAB_POINTER_RESIZED),
    ROW_POINTERS("one before a compaction", LAB_POINTER_MOVED),
    ROW_POINTERS("an interior pointer", LAB_POINTER_INTERIOR),
    ROW_POINTERS("one after a copied header", LAB_POINTER_FORGED),
    ROW_POINTERS("a header's address", LAB_POINTER_HEADER),
    ROW_POINTERS("a misaligned pointer", LAB_POINTER_MISALIGNED),
    ROW_POINTERS("a foreign pointer", LAB_POINTER_FOREIGN),
    {"any call from a move callback", lab_attack_reentry, 0, CALLBACK, false, 0, false},
    {"end of the heap from low memory", lab_attack_end_inside, 0, CALLBACK, false, 0, false},
    {"low memory frees what is resized", lab_attack_free_inside, 0, POINTER, true, 0, false},
    {"a callback writes over a counter",
     lab_attack_control_inside,
     0,
     {CHECK, CHECK, CHECK, AT_ONCE},
     false,
     0,
     false},
    {"a callback writes over the block's header", lab_attack_callback, LAB_CALLBACK_HEADER, POINTER,
     false, 0, false},
    {"a callback writes over the block's canary", lab_attack_callback, LAB_CALLBACK_CANARY, POINTER,
     false, 0, false},
    {"a callback writes over the target's header", lab_attack_callback, LAB_CALLBACK_TARGET,
     POINTER, false, 0, false},
    {"a callback writes over the target's memory",
     lab_attack_callback,
     LAB_CALLBACK_MEMORY,
     {NOT, NOT, AT_ONCE, AT_ONCE},
     false,
     2,
     false},
    {"a callback writes over the header above", lab_attack_callback, LAB_CALLBACK_ABOVE, POINTER,
     false, 0, false},
    {"a callback writes over the header beyond", lab_attack_callback, LAB_CALLBACK_BEYOND, POINTER,
     false, 0, false},
    {"a callback writes below the target",
     lab_attack_callback,
     LAB_CALLBACK_FAR,
     {NOT, CHECK, AT_ONCE, AT_ONCE},
     false,
     0,
     false},
    {"any call after a report", lab_attack_again, 0, SLACK, false, 0, false},
};

const unsigned lab_attack_row_count = sizeof lab_attack_rows / sizeof lab_attack_rows[0];
