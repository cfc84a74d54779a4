/* SPDX-License-Identifier: MIT */
/* Gather lists: an array of parts, consumed from the front. */
#include "tagheap/gather.h"

#include <string.h>

#include "alloc/guarding.h"
#include "base/align.h"

static bool is_started(const th_gather *gather) {
    return gather != NULL && gather->parts != NULL;
}

th_status th_gather_init(th_gather *gather, const th_gather_config *config) {
    if (gather == NULL || config == NULL || config->memory == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_is_aligned((uintptr_t)config->memory, _Alignof(th_gather_part))) {
        return TH_ERR_MISALIGNED;
    }
    if (config->memory_bytes < sizeof(th_gather_part)) {
        return TH_ERR_TOO_SMALL;
    }
    if (!th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *gather = (th_gather){.parts = config->memory,
                          .capacity = config->memory_bytes / sizeof(th_gather_part),
                          .config = *config};
    if (gather->config.bytes_max == 0) {
        gather->config.bytes_max = PTRDIFF_MAX;
    }
    return TH_OK;
}

void th_gather_clean_up(th_gather *gather) {
    if (gather != NULL) {
        *gather = (th_gather){0};
    }
}

th_status th_gather_reset(th_gather *gather) {
    if (!is_started(gather)) {
        return TH_ERR_NULL;
    }
    gather->first = 0;
    gather->end = 0;
    gather->bytes = 0;
    return TH_OK;
}

TH_DEFINE_SETTLE(gather);

/* Does it begin where the last part ends? */
static bool continues(const th_gather *gather, const void *data) {
    if (gather->end == gather->first) {
        return false;
    }
    const th_gather_part *last = gather->parts + gather->end - 1;
    return (uintptr_t)last->data + last->bytes == (uintptr_t)data;
}

/* A part at the end, which may have to move to the array's beginning; NULL: there is none left. */
static th_gather_part *take_part(th_gather *gather) {
    if (gather->end == gather->capacity && gather->first > 0) {
        size_t count = gather->end - gather->first;
        memmove(gather->parts, gather->parts + gather->first, count * sizeof *gather->parts);
        gather->first = 0;
        gather->end = count;
    }
    return gather->end < gather->capacity ? gather->parts + gather->end++ : NULL;
}

static th_status add(th_gather *gather, const void *data, size_t bytes) {
    if (bytes > gather->config.bytes_max - gather->bytes) {
        return TH_ERR_TOO_LARGE;
    }
    if (continues(gather, data)) {
        gather->parts[gather->end - 1].bytes += bytes;
    } else {
        th_gather_part *part = take_part(gather);
        if (part == NULL) {
            return TH_ERR_EXHAUSTED;
        }
        *part = (th_gather_part){.data = (void *)(uintptr_t)data, .bytes = bytes};
    }
    gather->bytes += bytes;
    if (gather->bytes > gather->peak) {
        gather->peak = gather->bytes;
    }
    return TH_OK;
}

th_status th_gather_add(th_gather *gather, const void *data, size_t bytes) {
    if (!is_started(gather) || (data == NULL && bytes > 0)) {
        return TH_ERR_NULL;
    }
    if (bytes == 0) {
        return TH_OK;
    }
    th_status status = add(gather, data, bytes);
    gather->refusals += status != TH_OK;
    th_gather_settle(gather);
    return status;
}

const th_gather_part *th_gather_parts(const th_gather *gather, size_t *count) {
    size_t left = gather != NULL ? gather->end - gather->first : 0;
    if (count != NULL) {
        *count = left;
    }
    return left > 0 ? gather->parts + gather->first : NULL;
}

size_t th_gather_size(const th_gather *gather) {
    return gather != NULL ? gather->bytes : 0;
}

th_status th_gather_consume(th_gather *gather, size_t bytes) {
    if (!is_started(gather)) {
        return TH_ERR_NULL;
    }
    if (bytes > gather->bytes) {
        return TH_ERR_TOO_LARGE;
    }
    gather->bytes -= bytes;
    while (bytes > 0 && bytes >= gather->parts[gather->first].bytes) {
        bytes -= gather->parts[gather->first].bytes;
        gather->first++;
    }
    if (bytes > 0) {
        th_gather_part *part = gather->parts + gather->first;
        part->data = (unsigned char *)part->data + bytes;
        part->bytes -= bytes;
    }
    th_gather_settle(gather);
    return TH_OK;
}

/* Copies from the parts (to `target`) or into them (from `source`): one of the two is NULL. */
static size_t move_bytes(const th_gather *gather, unsigned char *target,
                         const unsigned char *source, size_t bytes) {
    size_t done = 0;
    for (size_t i = gather->first; i < gather->end && done < bytes; i++) {
        const th_gather_part *part = gather->parts + i;
        size_t some = part->bytes < bytes - done ? part->bytes : bytes - done;
        if (target != NULL) {
            memmove(target + done, part->data, some);
        } else {
            memmove(part->data, source + done, some);
        }
        done += some;
    }
    return done;
}

size_t th_gather_copy(const th_gather *gather, void *target, size_t bytes) {
    return gather != NULL && target != NULL ? move_bytes(gather, target, NULL, bytes) : 0;
}

size_t th_gather_fill(const th_gather *gather, const void *source, size_t bytes) {
    return gather != NULL && source != NULL ? move_bytes(gather, NULL, source, bytes) : 0;
}

th_gather_stats th_gather_get_stats(const th_gather *gather) {
    if (gather == NULL) {
        return (th_gather_stats){0};
    }
    return (th_gather_stats){.parts = gather->end - gather->first,
                             .bytes = gather->bytes,
                             .high_water_bytes = gather->peak,
                             .refusals = gather->refusals};
}

th_status th_gather_check(const th_gather *gather, th_fault *fault) {
    size_t bytes = 0;
    th_no_fault(fault);
    if (!is_started(gather)) {
        return TH_ERR_NULL;
    }
    if (gather->end > gather->capacity) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, gather->capacity,
                                   gather->end);
    }
    for (size_t i = gather->first; i < gather->end; i++) {
        if (gather->parts[i].bytes == 0 || gather->parts[i].data == NULL) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, i, SIZE_MAX, 1, 0);
        }
        bytes += gather->parts[i].bytes;
    }
    return bytes == gather->bytes ? TH_OK
                                  : th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX,
                                                        bytes, gather->bytes);
}
