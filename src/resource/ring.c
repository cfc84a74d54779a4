/* SPDX-License-Identifier: MIT */
/* Byte rings. */
#include "tagheap/ring.h"

#include <string.h>

#include "alloc/guarding.h"

static bool is_started(const th_ring *ring) {
    return ring != NULL && ring->capacity > 0;
}

static th_status verify_config(const th_ring_config *config) {
    if (config->memory_bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (config->memory_bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    bool has_memory = config->memory != NULL || config->backing.table != NULL;
    return has_memory && th_guarding_is_valid(&config->guarding) &&
                   th_backing_is_usable(&config->backing)
               ? TH_OK
               : TH_ERR_CONFIG;
}

th_status th_ring_init(th_ring *ring, const th_ring_config *config) {
    if (ring == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = verify_config(config);
    if (status != TH_OK) {
        return status;
    }
    void *data = config->memory;
    if (data == NULL) {
        data = th_allocator_alloc(config->backing, config->memory_bytes);
    }
    if (data == NULL) {
        return TH_ERR_EXHAUSTED;
    }
    *ring = (th_ring){.data = data, .capacity = config->memory_bytes, .config = *config};
    return TH_OK;
}

void th_ring_clean_up(th_ring *ring) {
    if (ring == NULL) {
        return;
    }
    if (ring->config.memory == NULL) {
        th_allocator_free(ring->config.backing, ring->data);
    }
    *ring = (th_ring){0};
}

th_status th_ring_reset(th_ring *ring) {
    if (!is_started(ring)) {
        return TH_ERR_NULL;
    }
    ring->start = 0;
    ring->bytes = 0;
    return TH_OK;
}

TH_DEFINE_SETTLE(ring);

/* `distance` bytes after the place, both less than the capacity or, of the distance, equal. */
static size_t advance(const th_ring *ring, size_t place, size_t distance) {
    size_t to_the_end = ring->capacity - place;
    return distance < to_the_end ? place + distance : distance - to_the_end;
}

/* The pieces of the `bytes` bytes from `place` on. */
static size_t cut(const th_ring *ring, size_t place, size_t bytes, th_gather_part parts[2]) {
    size_t to_the_end = ring->capacity - place;
    size_t first = bytes < to_the_end ? bytes : to_the_end;
    parts[0] = (th_gather_part){.data = ring->data + place, .bytes = first};
    parts[1] = (th_gather_part){.data = ring->data, .bytes = bytes - first};
    return (size_t)(first > 0) + (size_t)(bytes > first);
}

size_t th_ring_peek(const th_ring *ring, th_gather_part parts[2]) {
    return is_started(ring) && parts != NULL ? cut(ring, ring->start, ring->bytes, parts) : 0;
}

size_t th_ring_space(const th_ring *ring, th_gather_part parts[2]) {
    if (!is_started(ring) || parts == NULL) {
        return 0;
    }
    return cut(ring, advance(ring, ring->start, ring->bytes), ring->capacity - ring->bytes, parts);
}

static void consume(th_ring *ring, size_t bytes) {
    ring->start = advance(ring, ring->start, bytes);
    ring->bytes -= bytes;
}

th_status th_ring_consume(th_ring *ring, size_t bytes) {
    if (!is_started(ring)) {
        return TH_ERR_NULL;
    }
    if (bytes > ring->bytes) {
        return TH_ERR_TOO_LARGE;
    }
    consume(ring, bytes);
    th_ring_settle(ring);
    return TH_OK;
}

th_status th_ring_commit(th_ring *ring, size_t bytes) {
    if (!is_started(ring)) {
        return TH_ERR_NULL;
    }
    if (bytes > ring->capacity - ring->bytes) {
        return TH_ERR_TOO_LARGE;
    }
    ring->bytes += bytes;
    ring->written += bytes;
    if (ring->bytes > ring->peak) {
        ring->peak = ring->bytes;
    }
    th_ring_settle(ring);
    return TH_OK;
}

size_t th_ring_write(th_ring *ring, const void *source, size_t bytes) {
    th_gather_part parts[2];
    if (th_ring_space(ring, parts) == 0 || source == NULL) {
        return 0;
    }
    size_t room = parts[0].bytes + parts[1].bytes;
    size_t some = bytes < room ? bytes : room;
    size_t first = some < parts[0].bytes ? some : parts[0].bytes;
    memcpy(parts[0].data, source, first);
    memcpy(parts[1].data, (const unsigned char *)source + first, some - first);
    (void)th_ring_commit(ring, some); /* there is room */
    return some;
}

size_t th_ring_write_over(th_ring *ring, const void *source, size_t bytes) {
    if (!is_started(ring) || source == NULL) {
        return 0;
    }
    size_t skipped = bytes > ring->capacity ? bytes - ring->capacity : 0;
    size_t kept = bytes - skipped;
    size_t room = ring->capacity - ring->bytes;
    size_t pushed = kept > room ? kept - room : 0;
    consume(ring, pushed);
    (void)th_ring_write(ring, (const unsigned char *)source + skipped, kept);
    ring->dropped += pushed + skipped;
    return pushed + skipped;
}

size_t th_ring_read(th_ring *ring, void *target, size_t bytes) {
    th_gather_part parts[2];
    if (th_ring_peek(ring, parts) == 0 || target == NULL) {
        return 0;
    }
    size_t some = bytes < ring->bytes ? bytes : ring->bytes;
    size_t first = some < parts[0].bytes ? some : parts[0].bytes;
    memcpy(target, parts[0].data, first);
    memcpy((unsigned char *)target + first, parts[1].data, some - first);
    (void)th_ring_consume(ring, some); /* so many are there */
    return some;
}

size_t th_ring_size(const th_ring *ring) {
    return ring != NULL ? ring->bytes : 0;
}

th_ring_stats th_ring_get_stats(const th_ring *ring) {
    if (ring == NULL) {
        return (th_ring_stats){0};
    }
    return (th_ring_stats){.bytes = ring->bytes,
                           .capacity_bytes = ring->capacity,
                           .high_water_bytes = ring->peak,
                           .written = ring->written,
                           .dropped = ring->dropped};
}

th_status th_ring_check(const th_ring *ring, th_fault *fault) {
    th_no_fault(fault);
    if (!is_started(ring)) {
        return TH_ERR_NULL;
    }
    if (ring->start >= ring->capacity) {
        return th_guarding_corrupt(fault, TH_FAULT_CONTROL, SIZE_MAX, SIZE_MAX, ring->capacity,
                                   ring->start);
    }
    if (ring->bytes > ring->peak || ring->peak > ring->capacity) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, ring->peak,
                                   ring->bytes);
    }
    return TH_OK;
}
