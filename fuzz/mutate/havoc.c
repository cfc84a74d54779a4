/* SPDX-License-Identifier: MIT */
/* Byte-level mutations for engines that lend none of theirs. */
#include <string.h>

#include "mutate/state.h"

static size_t insert_bytes(lab_random *random, uint8_t *bytes, size_t size, size_t max_size) {
    size_t length = 1 + lab_random_below(random, 8);
    size_t at = lab_random_below(random, size + 1);
    if (length > max_size - size) {
        return size;
    }
    memmove(bytes + at + length, bytes + at, size - at);
    for (size_t i = 0; i < length; i++) {
        bytes[at + i] = (uint8_t)lab_random_next(random);
    }
    return size + length;
}

static size_t erase_bytes(lab_random *random, uint8_t *bytes, size_t size) {
    size_t at = lab_random_below(random, size);
    size_t length = 1 + lab_random_below(random, (size - at) / 2 + 1);
    length = length < size - at ? length : size - at;
    memmove(bytes + at, bytes + at + length, size - at - length);
    return size - length;
}

/* Copies a range over another place. */
static void copy_bytes(lab_random *random, uint8_t *bytes, size_t size) {
    size_t from = lab_random_below(random, size);
    size_t to = lab_random_below(random, size);
    size_t room = size - (from > to ? from : to);
    memmove(bytes + to, bytes + from, 1 + lab_random_below(random, room));
}

size_t lab_havoc(lab_random *random, uint8_t *bytes, size_t size, size_t max_size) {
    static const uint8_t values[] = {0, 1, 4, 0x10, 0x20, 0x40, 0x7F, 0x80, 0xFF};
    for (uint32_t rounds = 1 + lab_random_below(random, 4); rounds > 0; rounds--) {
        uint32_t what = lab_random_below(random, 8);
        if (size == 0 || what == 0) {
            size = insert_bytes(random, bytes, size, max_size);
            continue;
        }
        uint8_t *byte = &bytes[lab_random_below(random, size)];
        switch (what) {
        case 1:
            size = size > 1 ? erase_bytes(random, bytes, size) : size;
            break;
        case 2:
            copy_bytes(random, bytes, size);
            break;
        case 3:
        case 4:
            *byte = (uint8_t)(*byte ^ 1u << lab_random_below(random, 8));
            break;
        case 5:
            *byte = values[lab_random_below(random, sizeof values)];
            break;
        case 6:
            *byte = (uint8_t)lab_random_next(random);
            break;
        default:
            *byte = (uint8_t)(*byte + lab_random_below(random, 35) - 17u);
            break;
        }
    }
    return size;
}

size_t lab_mutate_plain(lab_mutator *m, uint8_t *bytes, size_t size, size_t max_size) {
    return m->bytes != NULL ? m->bytes(bytes, size, max_size)
                            : lab_havoc(&m->maker.random, bytes, size, max_size);
}
