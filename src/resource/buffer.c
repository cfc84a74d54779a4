/* SPDX-License-Identifier: MIT */
/* Growable buffers: [ data ... bytes | closed ... capacity ]. */
#include "tagheap/buffer.h"

#include <string.h>

#include "alloc/guarding.h"
#include "base/align.h"

enum { FIRST_BYTES = 64 };

static bool is_started(const th_buffer *buffer) {
    return buffer != NULL && buffer->config.alignment != 0;
}

static th_status verify_config(const th_buffer_config *config) {
    if (config->alignment != 0 && !th_is_power_of_two(config->alignment)) {
        return TH_ERR_ALIGNMENT;
    }
    if (config->bytes_first > PTRDIFF_MAX || config->bytes_max > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    bool known =
        (unsigned)config->growth <= TH_GROWTH_EXACT && (unsigned)config->shrink <= TH_SHRINK_EXACT;
    return known && config->backing.table != NULL && th_backing_is_usable(&config->backing) &&
                   th_guarding_is_valid(&config->guarding)
               ? TH_OK
               : TH_ERR_CONFIG;
}

static size_t or_default(size_t value, size_t otherwise) {
    return value != 0 ? value : otherwise;
}

th_status th_buffer_init(th_buffer *buffer, const th_buffer_config *config) {
    if (buffer == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = verify_config(config);
    if (status != TH_OK) {
        return status;
    }
    *buffer = (th_buffer){.config = *config};
    buffer->config.alignment = or_default(config->alignment, TH_ALLOCATOR_ALIGNMENT);
    buffer->config.bytes_first = or_default(config->bytes_first, FIRST_BYTES);
    buffer->config.bytes_max = or_default(config->bytes_max, PTRDIFF_MAX);
    return TH_OK;
}

/* ---- the block ---------------------------------------------------------------------------- */

/* To its backing the whole block is in use. */
static void open_block(const th_buffer *buffer) {
    if (buffer->data != NULL) {
        th_track_release(buffer->data + buffer->bytes, buffer->capacity - buffer->bytes);
    }
}

static void close_rest(const th_buffer *buffer) {
    if (buffer->data != NULL) {
        th_track_close(buffer->data + buffer->bytes, buffer->capacity - buffer->bytes);
    }
}

void th_buffer_clean_up(th_buffer *buffer) {
    if (buffer == NULL) {
        return;
    }
    open_block(buffer);
    th_allocator_free(buffer->config.backing, buffer->data);
    *buffer = (th_buffer){0};
}

/* A block of `capacity` bytes (not less than the buffer has) in place of the one that there is, or
 * none. */
static bool set_capacity(th_buffer *buffer, size_t capacity) {
    open_block(buffer);
    void *data = th_allocator_realloc(buffer->config.backing, buffer->data, buffer->bytes, capacity,
                                      buffer->config.alignment, NULL);
    bool done = data != NULL || capacity == 0;
    if (done) {
        buffer->data = data;
        buffer->capacity = capacity;
        buffer->moves++;
    }
    close_rest(buffer);
    return done;
}

/* The capacity that the policy wants for `bytes` bytes, which are more than there is room for. */
static size_t grown(const th_buffer *buffer, size_t bytes) {
    const th_buffer_config *config = &buffer->config;
    size_t now = buffer->capacity;
    size_t wanted = now + now;
    if (config->growth == TH_GROWTH_EXACT) {
        return bytes;
    }
    if (config->growth == TH_GROWTH_GOLDEN) {
        wanted = now + now / 2 + now / 8;
    }
    if (wanted < config->bytes_first) {
        wanted = config->bytes_first;
    }
    if (wanted > config->bytes_max) {
        wanted = config->bytes_max;
    }
    return wanted > bytes ? wanted : bytes;
}

static th_status reserve(th_buffer *buffer, size_t bytes) {
    if (bytes > buffer->config.bytes_max) {
        return TH_ERR_TOO_LARGE;
    }
    if (bytes <= buffer->capacity) {
        return TH_OK;
    }
    size_t wanted = grown(buffer, bytes);
    if (set_capacity(buffer, wanted) || (wanted > bytes && set_capacity(buffer, bytes))) {
        return TH_OK;
    }
    buffer->failed_allocs++;
    return TH_ERR_EXHAUSTED;
}

/* After it has become shorter. A block that cannot be exchanged stays. */
static void apply_shrink(th_buffer *buffer) {
    size_t least = buffer->bytes;
    if (buffer->config.shrink == TH_SHRINK_NEVER) {
        return;
    }
    if (buffer->config.shrink == TH_SHRINK_QUARTER) {
        if (buffer->bytes > buffer->capacity / 4) {
            return;
        }
        least = 2 * buffer->bytes;
        if (least < buffer->config.bytes_first) {
            least = buffer->config.bytes_first;
        }
    }
    if (least < buffer->capacity) {
        (void)set_capacity(buffer, least);
    }
}

TH_DEFINE_SETTLE(buffer);

/* Of no more bytes than there is room for. */
static void set_bytes(th_buffer *buffer, size_t bytes) {
    size_t was = buffer->bytes;
    buffer->bytes = bytes;
    if (bytes > was) {
        th_track_open(buffer->data + was, bytes - was);
    } else {
        close_rest(buffer);
        apply_shrink(buffer);
    }
    if (bytes > buffer->peak) {
        buffer->peak = bytes;
    }
    th_buffer_settle(buffer);
}

/* ---- what callers do ---------------------------------------------------------------------- */

th_status th_buffer_reserve(th_buffer *buffer, size_t bytes) {
    return is_started(buffer) ? reserve(buffer, bytes) : TH_ERR_NULL;
}

th_status th_buffer_resize(th_buffer *buffer, size_t bytes) {
    th_status status = th_buffer_reserve(buffer, bytes);
    if (status == TH_OK) {
        set_bytes(buffer, bytes);
    }
    return status;
}

void *th_buffer_extend(th_buffer *buffer, size_t bytes) {
    size_t was = th_buffer_size(buffer);
    if (bytes == 0 || bytes > PTRDIFF_MAX || th_buffer_resize(buffer, was + bytes) != TH_OK) {
        return NULL;
    }
    return buffer->data + was;
}

th_status th_buffer_append(th_buffer *buffer, const void *source, size_t bytes) {
    if (!is_started(buffer) || (source == NULL && bytes > 0)) {
        return TH_ERR_NULL;
    }
    if (bytes == 0) {
        return TH_OK;
    }
    if (bytes > buffer->config.bytes_max - buffer->bytes) {
        return TH_ERR_TOO_LARGE;
    }
    size_t was = buffer->bytes;
    size_t place = (size_t)((uintptr_t)source - (uintptr_t)buffer->data);
    bool is_inside = place < was;
    th_status status = th_buffer_resize(buffer, was + bytes);
    if (status == TH_OK) {
        memmove(buffer->data + was, is_inside ? buffer->data + place : source, bytes);
    }
    return status;
}

th_status th_buffer_remove(th_buffer *buffer, size_t offset, size_t bytes) {
    if (!is_started(buffer)) {
        return TH_ERR_NULL;
    }
    if (offset > buffer->bytes || bytes > buffer->bytes - offset) {
        return TH_ERR_TOO_LARGE;
    }
    if (bytes > 0) {
        unsigned char *hole = buffer->data + offset;
        memmove(hole, hole + bytes, buffer->bytes - offset - bytes);
        set_bytes(buffer, buffer->bytes - bytes);
    }
    return TH_OK;
}

th_status th_buffer_trim(th_buffer *buffer) {
    if (!is_started(buffer)) {
        return TH_ERR_NULL;
    }
    if (buffer->bytes == buffer->capacity || set_capacity(buffer, buffer->bytes)) {
        return TH_OK;
    }
    return TH_ERR_EXHAUSTED;
}

th_status th_buffer_reset(th_buffer *buffer) {
    return th_buffer_resize(buffer, 0);
}

/* ---- questions ---------------------------------------------------------------------------- */

void *th_buffer_data(const th_buffer *buffer) {
    return buffer != NULL ? buffer->data : NULL;
}

size_t th_buffer_size(const th_buffer *buffer) {
    return buffer != NULL ? buffer->bytes : 0;
}

th_buffer_stats th_buffer_get_stats(const th_buffer *buffer) {
    if (buffer == NULL) {
        return (th_buffer_stats){0};
    }
    return (th_buffer_stats){.bytes = buffer->bytes,
                             .capacity_bytes = buffer->capacity,
                             .high_water_bytes = buffer->peak,
                             .moves = buffer->moves,
                             .failed_allocs = buffer->failed_allocs};
}

th_status th_buffer_check(const th_buffer *buffer, th_fault *fault) {
    th_no_fault(fault);
    if (!is_started(buffer)) {
        return TH_ERR_NULL;
    }
    if (buffer->bytes > buffer->capacity || buffer->bytes > buffer->peak) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, buffer->capacity,
                                   buffer->bytes);
    }
    if ((buffer->data == NULL) != (buffer->capacity == 0)) {
        return th_guarding_corrupt(fault, TH_FAULT_CONTROL, SIZE_MAX, SIZE_MAX, 1,
                                   buffer->capacity);
    }
    return TH_OK;
}
