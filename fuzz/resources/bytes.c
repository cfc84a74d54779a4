/* SPDX-License-Identifier: MIT */
/* Rings, growable buffers and gather lists, each beside an array of the bytes that it must hold. */
#include "resources/play.h"
#include "tagheap/buffer.h"
#include "tagheap/ring.h"

#include <string.h>

#define RING_MAX   64u
#define BUFFER_MAX 2048u

/* ---- rings ---------------------------------------------------------------------------------- */

static unsigned char queue[RING_MAX];
static size_t queued;

static void require_ring(bool holds, const char *detail) {
    lab_require(holds, "ring", detail);
}

static void drop(size_t bytes) {
    queued -= bytes;
    memmove(queue, queue + bytes, queued);
}

static void compare_ring(const th_ring *ring, size_t capacity) {
    th_gather_part parts[2];
    size_t at = 0;
    size_t count = th_ring_peek(ring, parts);
    for (size_t i = 0; i < count; i++) {
        require_ring(parts[i].bytes > 0 && at + parts[i].bytes <= queued, "parts");
        require_ring(memcmp(parts[i].data, queue + at, parts[i].bytes) == 0, "contents");
        at += parts[i].bytes;
    }
    require_ring(at == queued && th_ring_size(ring) == queued, "size");
    count = th_ring_space(ring, parts);
    for (size_t i = 0; i < count; i++) {
        at += parts[i].bytes;
    }
    require_ring(at == capacity, "space");
    require_ring(th_ring_check(ring, NULL) == TH_OK, "check");
}

static void write_space(th_ring *ring, const unsigned char *some, size_t bytes, size_t room) {
    th_gather_part parts[2];
    (void)th_ring_space(ring, parts);
    require_ring((th_ring_commit(ring, bytes) == TH_OK) == (bytes <= room), "commit");
    for (size_t i = 0; bytes <= room && i < bytes; i++) {
        size_t first = parts[0].bytes;
        unsigned char *at = i < first ? (unsigned char *)parts[0].data + i
                                      : (unsigned char *)parts[1].data + (i - first);
        *at = some[i];
        queue[queued++] = some[i];
    }
}

static void act_on_ring(th_ring *ring, unsigned op, const unsigned char *some, size_t bytes,
                        size_t capacity) {
    unsigned char out[2 * RING_MAX];
    size_t room = capacity - queued;
    size_t fits = bytes < room ? bytes : room;
    size_t there = bytes < queued ? bytes : queued;
    if (op == 0) {
        require_ring(th_ring_write(ring, some, bytes) == fits, "written");
        memcpy(queue + queued, some, fits);
        queued += fits;
    } else if (op == 1) {
        require_ring(th_ring_write_over(ring, some, bytes) == bytes - fits, "dropped");
        for (size_t i = 0; i < bytes; i++) {
            drop(queued == capacity);
            queue[queued++] = some[i];
        }
    } else if (op == 2) {
        require_ring(th_ring_read(ring, out, bytes) == there, "read");
        require_ring(memcmp(out, queue, there) == 0, "contents-read");
        drop(there);
    } else if (op == 3) {
        require_ring((th_ring_consume(ring, bytes) == TH_OK) == (bytes <= queued), "consume");
        drop(bytes <= queued ? bytes : 0);
    } else {
        write_space(ring, some, bytes, room);
    }
}

void lab_play_ring(lab_input *input) {
    lab_source source;
    unsigned faults;
    th_ring ring;
    size_t capacity = 1 + lab_input_below(input, RING_MAX);
    const th_ring_config config = {.memory_bytes = capacity,
                                   .backing = lab_source_start(&source),
                                   .guarding = lab_count_faults(&faults)};
    unsigned char next = 1;
    queued = 0;
    (void)th_ring_init(&ring, &config);
    while (input->left > 0) {
        unsigned char some[2 * RING_MAX];
        unsigned op = lab_input_byte(input);
        size_t bytes = lab_input_below(input, 2 * capacity);
        for (size_t i = 0; i < bytes; i++) {
            some[i] = next;
            next = (unsigned char)((next + 1) & 0xFF);
        }
        act_on_ring(&ring, op % 5, some, bytes, capacity);
        compare_ring(&ring, capacity);
    }
    th_ring_clean_up(&ring);
    require_ring(faults == 0, "faults");
    lab_source_stop(&source, "ring");
}

/* ---- buffers -------------------------------------------------------------------------------- */

static unsigned char text[4 * BUFFER_MAX];
static size_t length;

static void require_buffer(bool holds, const char *detail) {
    lab_require(holds, "buffer", detail);
}

/* Was it right to refuse or to accept to be `bytes` long? */
static bool accepted(const lab_source *source, size_t refusals, th_status status, size_t bytes) {
    if (status == TH_ERR_TOO_LARGE) {
        require_buffer(bytes > BUFFER_MAX, "limit-too-early");
    } else if (status == TH_ERR_EXHAUSTED) {
        require_buffer(source->refusals > refusals, "refused");
        require_buffer(source->left != LAB_SOURCE_ANY || bytes > source->bytes_max, "not-tried");
    } else {
        require_buffer(status == TH_OK && bytes <= BUFFER_MAX, "limit-too-late");
    }
    return status == TH_OK;
}

static void act_on_buffer(lab_input *input, th_buffer *buffer, lab_source *source, unsigned op) {
    size_t bytes = lab_input_below(input, 600);
    size_t at = lab_input_below(input, length + 1);
    size_t refusals = source->refusals;
    unsigned char *data = th_buffer_data(buffer);
    unsigned char some[600];
    memset(some, (int)(bytes + op), sizeof some);
    if (op == 0 &&
        accepted(source, refusals, th_buffer_append(buffer, some, bytes), length + bytes)) {
        memcpy(text + length, some, bytes);
        length += bytes;
    } else if (op == 1 && length > 0) { /* of itself */
        bytes = bytes < length - at ? bytes : length - at;
        if (accepted(source, refusals, th_buffer_append(buffer, data + at, bytes),
                     length + bytes)) {
            memmove(text + length, text + at, bytes);
            length += bytes;
        }
    } else if (op == 2) {
        if (accepted(source, refusals, th_buffer_resize(buffer, bytes), bytes)) {
            for (; length < bytes; length++) {
                ((unsigned char *)th_buffer_data(buffer))[length] = text[length] = 9;
            }
            length = bytes;
        }
    } else if (op == 3) {
        bool inside = bytes <= length - at;
        require_buffer((th_buffer_remove(buffer, at, bytes) == TH_OK) == inside, "remove");
        if (inside) {
            memmove(text + at, text + at + bytes, length - at - bytes);
            length -= bytes;
        }
    } else if (op == 4) {
        (void)accepted(source, refusals, th_buffer_reserve(buffer, 4 * bytes), 4 * bytes);
    } else if (op == 5) {
        th_status status = th_buffer_trim(buffer);
        require_buffer(status != TH_OK || th_buffer_get_stats(buffer).capacity_bytes == length,
                       "trim");
    } else if (op == 6) {
        require_buffer(th_buffer_reset(buffer) == TH_OK, "reset");
        length = 0;
    }
}

static void compare_buffer(const th_buffer *buffer, const lab_source *source) {
    th_buffer_stats stats = th_buffer_get_stats(buffer);
    require_buffer(th_buffer_size(buffer) == length, "size");
    require_buffer(length == 0 || memcmp(th_buffer_data(buffer), text, length) == 0, "contents");
    require_buffer(stats.capacity_bytes == source->live_bytes, "capacity");
    require_buffer(stats.high_water_bytes >= length, "high-water");
    require_buffer(th_buffer_check(buffer, NULL) == TH_OK, "check");
    if (source->refusals == 0 && buffer->config.shrink == TH_SHRINK_EXACT &&
        buffer->config.growth == TH_GROWTH_EXACT) {
        require_buffer(stats.capacity_bytes <= 4 * 600, "exact");
    }
}

void lab_play_buffer(lab_input *input) {
    lab_source source;
    unsigned faults;
    th_buffer buffer;
    unsigned policies = lab_input_byte(input);
    const th_buffer_config config = {.backing = lab_source_start(&source),
                                     .bytes_max = BUFFER_MAX,
                                     .bytes_first = policies >> 4,
                                     .growth = (th_growth)(policies % 3),
                                     .shrink = (th_shrink)(policies / 3 % 3),
                                     .guarding = lab_count_faults(&faults)};
    length = 0;
    (void)th_buffer_init(&buffer, &config);
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        source.left = op >= 240 ? op % 2 : LAB_SOURCE_ANY;
        source.bytes_max = op >= 200 ? 1000 : 0;
        size_t before = length;
        act_on_buffer(input, &buffer, &source, op % 7);
        compare_buffer(&buffer, &source);
        size_t capacity = th_buffer_get_stats(&buffer).capacity_bytes;
        bool shrank = length < before && op < 200;
        if (shrank && config.shrink == TH_SHRINK_EXACT) {
            require_buffer(capacity == length, "shrink-exact");
        } else if (shrank && config.shrink == TH_SHRINK_QUARTER) {
            require_buffer(length > capacity / 4 || capacity == buffer.config.bytes_first ||
                               capacity <= 2 * length || capacity < buffer.config.bytes_first,
                           "shrink-quarter");
        }
    }
    th_buffer_clean_up(&buffer);
    require_buffer(faults == 0, "faults");
    lab_source_stop(&source, "buffer");
}

/* ---- gather lists --------------------------------------------------------------------------- */

enum { PARTS = 6, GATHERED_MAX = 200 };

static void require_gather(bool holds, const char *detail) {
    lab_require(holds, "gather", detail);
}

void lab_play_gather(lab_input *input) {
    static unsigned char ground[256];
    static unsigned char *bytes_of[GATHERED_MAX]; /* where each byte lies */
    th_gather_part parts[PARTS];
    unsigned faults;
    th_gather list;
    size_t count = 0, runs = 0;
    const th_gather_config config = {.memory = parts,
                                     .memory_bytes = sizeof parts,
                                     .bytes_max = GATHERED_MAX,
                                     .guarding = lab_count_faults(&faults)};
    for (size_t i = 0; i < sizeof ground; i++) {
        ground[i] = (unsigned char)i;
    }
    (void)th_gather_init(&list, &config);
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t at = lab_input_below(input, 200);
        size_t bytes = lab_input_below(input, 50);
        if (op % 3 < 2) {
            bool joins = count > 0 && bytes_of[count - 1] + 1 == ground + at;
            th_status due = bytes == 0                     ? TH_OK
                            : count + bytes > GATHERED_MAX ? TH_ERR_TOO_LARGE
                            : joins || runs < PARTS        ? TH_OK
                                                           : TH_ERR_EXHAUSTED;
            require_gather(th_gather_add(&list, ground + at, bytes) == due, "add");
            for (size_t i = 0; due == TH_OK && i < bytes; i++) {
                bytes_of[count++] = ground + at + i;
            }
        } else {
            th_status due = at <= count ? TH_OK : TH_ERR_TOO_LARGE;
            require_gather(th_gather_consume(&list, at) == due, "consume");
            count -= due == TH_OK ? at : 0;
            memmove(bytes_of, bytes_of + (due == TH_OK ? at : 0), count * sizeof bytes_of[0]);
        }
        runs = 0;
        for (size_t i = 0; i < count; i++) {
            runs += i == 0 || bytes_of[i] != bytes_of[i - 1] + 1;
        }
        unsigned char copy[GATHERED_MAX];
        size_t found;
        (void)th_gather_parts(&list, &found);
        require_gather(found >= runs && found <= PARTS, "parts");
        runs = found;
        require_gather(th_gather_size(&list) == count, "size");
        require_gather(th_gather_copy(&list, copy, sizeof copy) == count, "copied");
        for (size_t i = 0; i < count; i++) {
            require_gather(copy[i] == *bytes_of[i], "contents");
        }
        require_gather(th_gather_check(&list, NULL) == TH_OK, "check");
    }
    th_gather_clean_up(&list);
    require_gather(faults == 0, "faults");
}
