/* SPDX-License-Identifier: MIT */
/* A small WAD file, made up: a level with a row of things between two walls, whose textures change
 * along it. */
#ifndef EXAMPLES_WAD_MADE_H
#define EXAMPLES_WAD_MADE_H

#include "expect.h"
#include "wad.h"

#define MADE_THINGS         60u
#define MADE_WALLS          12u /* kinds of them: a texture of two patches, and a sound, each */
#define MADE_LUMPS          64u
#define MADE_LUMP_BYTES_MAX 8192u

/* What a walk through it comes to, its own lumps included. */
#define MADE_ACCESSES     4737u
#define MADE_MISSES_LRU   1819u
#define MADE_MISSES_SIEVE 1806u

/* A lump under construction, and the directory. */
static unsigned char made_lump[MADE_LUMP_BYTES_MAX];
static size_t made_bytes;
static unsigned char made_directory[MADE_LUMPS][WAD_ENTRY_BYTES];
static uint32_t made_count, made_at;

static inline void made_put(uint32_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        made_lump[made_bytes++] = (unsigned char)((uint64_t)value >> 8 * i);
    }
}

static inline void made_put_name(const char *name, uint32_t number) {
    char text[16];
    (void)snprintf(text, sizeof text, name, (unsigned)number);
    for (size_t i = 0; i < 8; i++) {
        made_lump[made_bytes++] = (unsigned char)(i < strlen(text) ? text[i] : 0);
    }
}

/* Writes the lump, and its entry into the directory. */
static inline void made_end(FILE *out, const char *name, uint32_t number) {
    size_t bytes = made_bytes;
    EXPECT(made_count < MADE_LUMPS && bytes < sizeof made_lump - WAD_ENTRY_BYTES);
    EXPECT(fwrite(made_lump, 1, bytes, out) == bytes);
    made_put(made_at, 4);
    made_put((uint32_t)bytes, 4);
    made_put_name(name, number);
    memcpy(made_directory[made_count++], made_lump + bytes, WAD_ENTRY_BYTES);
    made_at += (uint32_t)bytes;
    made_bytes = 0;
}

static inline void made_fill(size_t bytes) {
    memset(made_lump, (int)(made_count & 0xFF), bytes);
    made_bytes = bytes;
}

static inline void made_textures(FILE *out) {
    made_put(MADE_WALLS, 4);
    for (uint32_t i = 0; i < MADE_WALLS; i++) {
        made_put(4 + 4 * MADE_WALLS + i * 42, 4);
    }
    for (uint32_t i = 0; i < MADE_WALLS; i++) {
        made_put_name("WALL%u", i);
        made_put(0, 4);
        made_put(64, 2);
        made_put(128, 2);
        made_put(0, 4);
        made_put(2, 2);
        for (uint32_t p = 0; p < 2; p++) {
            made_put(0, 4);
            made_put((i + p) % MADE_WALLS, 2);
            made_put(0, 4);
        }
    }
    made_end(out, "TEXTURE1", 0);
    made_put(MADE_WALLS, 4);
    for (uint32_t i = 0; i < MADE_WALLS; i++) {
        made_put_name("PATCH%u", i);
    }
    made_end(out, "PNAMES", 0);
}

static inline void made_level(FILE *out) {
    static const uint32_t types[] = {3004, 2007, 3001, 2011, 9, 2014};
    made_end(out, "E1M1", 0);
    for (uint32_t i = 0; i < MADE_THINGS; i++) {
        made_put(i * 150, 2);
        made_put(i % 7 * 30, 2);
        made_put(0, 2);
        made_put(types[i % 6], 2);
        made_put(7, 2);
    }
    made_end(out, "THINGS", 0);
    for (uint32_t i = 0; i < MADE_THINGS; i++) { /* a line from each point to the next */
        made_put(i, 2);
        made_put((i + 1) % MADE_THINGS, 2);
        made_put(0, 6);
        made_put(i % MADE_WALLS, 2);
        made_put(0xFFFF, 2);
    }
    made_end(out, "LINEDEFS", 0);
    for (uint32_t i = 0; i < MADE_WALLS; i++) {
        made_put(0, 4);
        made_put_name("-", 0);
        made_put_name("-", 0);
        made_put_name("WALL%u", i);
        made_put(i % 3, 2);
    }
    made_end(out, "SIDEDEFS", 0);
    for (uint32_t i = 0; i < MADE_THINGS; i++) {
        made_put(i * 150, 2);
        made_put(i % 2 * 200, 2);
    }
    made_end(out, "VERTEXES", 0);
    made_end(out, "SEGS", 0);
    made_end(out, "SSECTORS", 0);
    made_end(out, "NODES", 0);
    for (uint32_t i = 0; i < 3; i++) {
        made_put(0, 4);
        made_put_name("FLOOR%u", i);
        made_put_name("CEIL", 0);
        made_put(0, 6);
    }
    made_end(out, "SECTORS", 0);
}

static inline void made_things(FILE *out) {
    static const char *const items[] = {"CLIPA0", "STIMA0", "BON1A0"};
    static const char *const moving[] = {"POSS", "TROO", "SPOS"};
    static const char *const sounds[] = {"DSPOSIT1", "DSPOSIT2", "DSBGSIT1", "DSITEMUP",
                                         "DSPISTOL", "DSSHOTGN", "DSPODTH1", "DSPODTH2"};
    for (size_t i = 0; i < 3; i++) {
        made_fill(300 + 100 * i);
        made_end(out, items[i], 0);
        for (uint32_t phase = 0; phase < 4; phase++) {
            char name[9];
            (void)snprintf(name, sizeof name, "%s%c1", moving[i], (char)('A' + phase));
            made_fill(1500 + 70 * phase);
            made_end(out, name, 0);
        }
    }
    for (size_t i = 0; i < sizeof sounds / sizeof sounds[0]; i++) {
        made_fill(2500 + 300 * i);
        made_end(out, sounds[i], 0);
    }
}

static inline void wad_make(FILE *out) {
    unsigned char header[WAD_HEADER_BYTES];
    made_count = 0;
    made_at = WAD_HEADER_BYTES;
    made_bytes = 0;
    EXPECT(fwrite("IWAD........", 1, WAD_HEADER_BYTES, out) == WAD_HEADER_BYTES);
    made_textures(out);
    for (uint32_t i = 0; i < MADE_WALLS; i++) {
        made_fill(1000 + 433 * i % 3000);
        made_end(out, "PATCH%u", i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        made_fill(4096);
        made_end(out, "FLOOR%u", i);
    }
    made_fill(4096);
    made_end(out, "CEIL", 0);
    made_things(out);
    made_level(out);
    EXPECT(fwrite(made_directory, WAD_ENTRY_BYTES, made_count, out) == made_count);
    memcpy(made_lump, "IWAD", 4);
    made_bytes = 4;
    made_put(made_count, 4);
    made_put(made_at, 4);
    memcpy(header, made_lump, sizeof header);
    EXPECT(fseek(out, 0, SEEK_SET) == 0 && fwrite(header, 1, sizeof header, out) == sizeof header);
}

#endif
