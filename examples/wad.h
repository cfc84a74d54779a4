/* SPDX-License-Identifier: MIT */
/* A reader of WAD files (the id Software format of 1993): a header of 12 bytes, lumps, and a
 * directory of 16 bytes for each. All numbers are little-endian and signed. What is wrong with a
 * file is said in one line on standard error. */
#ifndef EXAMPLES_WAD_H
#define EXAMPLES_WAD_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAD_HEADER_BYTES 12u
#define WAD_ENTRY_BYTES  16u
#define WAD_NONE         UINT32_MAX

typedef struct wad_lump {
    uint64_t name; /* eight characters, as they stand there; 0 after the last one */
    uint32_t at, bytes;
} wad_lump;

typedef struct wad {
    const char *path;
    FILE *file;
    uint64_t bytes;
    wad_lump *lumps;
    uint32_t count;
    uint32_t *index; /* hash of names to lumps; of several, the last */
    uint32_t index_mask;
} wad;

static inline int32_t wad_i32(const unsigned char *at) {
    return (int32_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                     (uint32_t)at[3] << 24);
}

static inline int32_t wad_i16(const unsigned char *at) {
    return (int16_t)(at[0] | at[1] << 8);
}

/* Upper case; what stands after a NUL does not count. */
static inline uint64_t wad_name(const unsigned char *at, size_t length) {
    uint64_t name = 0;
    for (size_t i = 0; i < length && i < 8 && at[i] != '\0'; i++) {
        uint64_t c = at[i] >= 'a' && at[i] <= 'z' ? at[i] - 32u : at[i];
        name |= c << 8 * i;
    }
    return name;
}

static inline uint64_t wad_name_of(const char *text) {
    return wad_name((const unsigned char *)text, strlen(text));
}

/* As text; what cannot be printed is a question mark. */
static inline const char *wad_text(uint64_t name) {
    static char text[9];
    memset(text, 0, sizeof text);
    for (size_t i = 0; i < 8 && (name >> 8 * i & 0xFF) != 0; i++) {
        char c = (char)(name >> 8 * i & 0xFF);
        text[i] = c;
        if (c < ' ' || c > '~') {
            text[i] = '?';
        }
    }
    return text;
}

static inline void wad_close(wad *w) {
    if (w->file != NULL) {
        (void)fclose(w->file);
    }
    free(w->lumps);
    free(w->index);
    memset(w, 0, sizeof *w);
}

/* Says what is wrong; false. */
static inline bool wad_refuse(wad *w, const char *what) {
    (void)fprintf(stderr, "wadcache: %s: %s; name another file, or install this one again\n",
                  w->path, what);
    wad_close(w);
    return false;
}

static inline bool wad_read(const wad *w, uint64_t at, void *to, size_t bytes) {
    return fseek(w->file, (long)at, SEEK_SET) == 0 && fread(to, 1, bytes, w->file) == bytes;
}

static inline uint32_t *wad_slot(const wad *w, uint64_t name) {
    uint32_t at = (uint32_t)((name ^ name >> 29) * 0x9E3779B97F4A7C15u >> 40) & w->index_mask;
    while (w->index[at] != WAD_NONE && w->lumps[w->index[at]].name != name) {
        at = (at + 1) & w->index_mask;
    }
    return &w->index[at];
}

/* The last lump of that name; WAD_NONE if there is none. */
static inline uint32_t wad_find(const wad *w, uint64_t name) {
    return *wad_slot(w, name);
}

static inline bool wad_make_index(wad *w) {
    uint32_t slots = 2;
    while (slots < 2 * w->count) {
        slots *= 2;
    }
    w->index = malloc(slots * sizeof *w->index);
    w->index_mask = slots - 1;
    if (w->index == NULL) {
        return wad_refuse(w, "no memory for its directory");
    }
    memset(w->index, 0xFF, slots * sizeof *w->index);
    for (uint32_t i = 0; i < w->count; i++) {
        *wad_slot(w, w->lumps[i].name) = i;
    }
    return true;
}

/* Takes in the entry of a lump. A lump without bytes may say any place: it is a mark. */
static inline bool wad_take_entry(wad *w, uint32_t number, const unsigned char *entry) {
    char what[160];
    int32_t at = wad_i32(entry);
    int32_t bytes = wad_i32(entry + 4);
    wad_lump *lump = &w->lumps[number];
    lump->name = wad_name(entry + 8, 8);
    if (bytes < 0 || (bytes > 0 && at < 0)) {
        (void)snprintf(what, sizeof what,
                       "lump %" PRIu32 " (%s) has %" PRId32 " bytes at %" PRId32
                       ": numbers below 0",
                       number, wad_text(lump->name), bytes, at);
        return wad_refuse(w, what);
    }
    if (bytes > 0 && (uint64_t)at + (uint64_t)bytes > w->bytes) {
        (void)snprintf(what, sizeof what,
                       "lump %" PRIu32 " (%s) ends at byte %" PRIu64 ", the file at %" PRIu64,
                       number, wad_text(lump->name), (uint64_t)at + (uint64_t)bytes, w->bytes);
        return wad_refuse(w, what);
    }
    lump->at = (uint32_t)at;
    lump->bytes = (uint32_t)bytes;
    return true;
}

static inline bool wad_read_directory(wad *w, int32_t count, int32_t at) {
    char what[160];
    uint64_t end = (uint64_t)(uint32_t)at + (uint64_t)(uint32_t)count * WAD_ENTRY_BYTES;
    if (count <= 0) {
        (void)snprintf(what, sizeof what, "the header counts %" PRId32 " lumps", count);
        return wad_refuse(w, what);
    }
    if (at < (int32_t)WAD_HEADER_BYTES || end > w->bytes) {
        (void)snprintf(what, sizeof what,
                       "the directory of %" PRId32 " lumps at byte %" PRId32
                       " is not in the file, which ends at %" PRIu64,
                       count, at, w->bytes);
        return wad_refuse(w, what);
    }
    w->lumps = calloc((size_t)count, sizeof *w->lumps);
    if (w->lumps == NULL) {
        return wad_refuse(w, "no memory for its directory");
    }
    w->count = (uint32_t)count;
    for (uint32_t i = 0; i < w->count; i++) {
        unsigned char entry[WAD_ENTRY_BYTES];
        if (!wad_read(w, (uint64_t)(uint32_t)at + (uint64_t)i * sizeof entry, entry,
                      sizeof entry)) {
            return wad_refuse(w, "its directory cannot be read");
        }
        if (!wad_take_entry(w, i, entry)) {
            return false;
        }
    }
    return wad_make_index(w);
}

/* Takes over an open file, and verifies all of its directory. False: said why, and closed. */
static inline bool wad_take(wad *w, FILE *opened, const char *path) {
    unsigned char header[WAD_HEADER_BYTES];
    memset(w, 0, sizeof *w);
    w->path = path;
    w->file = opened;
    if (opened == NULL) {
        return wad_refuse(w, "cannot be opened");
    }
    long end = fseek(opened, 0, SEEK_END) == 0 ? ftell(opened) : -1;
    if (end < 0 || end > INT32_MAX) {
        return wad_refuse(w, "has no size that a WAD can have");
    }
    w->bytes = (uint64_t)end;
    if (w->bytes < sizeof header || !wad_read(w, 0, header, sizeof header)) {
        return wad_refuse(w, "is shorter than a WAD's header, 12 bytes");
    }
    if (memcmp(header, "IWAD", 4) != 0 && memcmp(header, "PWAD", 4) != 0) {
        return wad_refuse(w, "does not begin with IWAD or PWAD");
    }
    return wad_read_directory(w, wad_i32(header + 4), wad_i32(header + 8));
}

#endif
