/* SPDX-License-Identifier: MIT */
/* A walk through a level of a game of 1993, in 300,000 bytes: the lumps of its WAD file (textures,
 * flats, sprites, sounds) go through a cache over the tagged heap, as they did through the memory
 * of the game that the tagged heap comes from.
 *
 *   wadcache [--lru | --sieve] [--level NAME] [--bytes N] [--trace OUT] [--script OUT N] [FILE]
 *
 * The level's own lumps are pinned at the top of the heap (TAIL tags). Somebody walks from thing to
 * thing, always to the nearest one that was not visited; at each stop what is within sight is
 * drawn, and something is heard. --trace writes a line for each access: lump, bytes, name. --script
 * writes the first N operations of the heap for heaplab. Without a file a small WAD is made up, and
 * the counts must be what they are known to be. Exit status 2 for a file that is no good. */
#include <stdalign.h>

#include "expect.h"
#include "tagheap/cache.h"
#include "wad.h"
#include "wad_made.h"

#define HEAP_BYTES 300000u
#define ENTRIES    2048u
#define SIGHT      640 /* map units */
#define STOPS_MAX  400u

enum { TAG_PATCH = 1, TAG_FLAT, TAG_SPRITE, TAG_SOUND, TAG_LEVEL = 0x4001 };

/* What can stand around in a level: its number, its sprite, the sound it makes or NULL. */
static const struct kind {
    int type;
    char sprite[5];
    const char *sound;
    bool moves;
} kinds[] = {
    {3004, "POSS", "DSPOSIT1", true},  {9, "SPOS", "DSPOSIT2", true},
    {3001, "TROO", "DSBGSIT1", true},  {3002, "SARG", "DSSGTSIT", true},
    {58, "SARG", "DSSGTATK", true},    {3003, "BOSS", "DSBRSSIT", true},
    {3005, "HEAD", "DSCACSIT", true},  {3006, "SKUL", "DSSKLATK", true},
    {2001, "SHOT", "DSSHOTGN", false}, {2002, "MGUN", "DSPISTOL", false},
    {2003, "LAUN", "DSRLAUNC", false}, {2005, "CSAW", "DSSAWUP", false},
    {2007, "CLIP", "DSITEMUP", false}, {2008, "SHEL", "DSITEMUP", false},
    {2010, "ROCK", "DSITEMUP", false}, {2046, "BROK", "DSITEMUP", false},
    {2048, "AMMO", "DSITEMUP", false}, {2049, "SBOX", "DSITEMUP", false},
    {8, "BPAK", "DSITEMUP", false},    {2011, "STIM", "DSITEMUP", false},
    {2012, "MEDI", "DSITEMUP", false}, {2014, "BON1", "DSITEMUP", false},
    {2015, "BON2", "DSITEMUP", false}, {2018, "ARM1", "DSITEMUP", false},
    {2019, "ARM2", "DSITEMUP", false}, {2013, "SOUL", "DSGETPOW", false},
    {2025, "SUIT", "DSGETPOW", false}, {2035, "BAR1", "DSBAREXP", false},
    {2028, "COLU", NULL, false},       {48, "ELEC", NULL, false},
    {30, "COL1", NULL, false},         {34, "CAND", NULL, false},
    {35, "CBRA", NULL, false},         {46, "TRED", NULL, false},
    {10, "PLAY", "DSPLDETH", false},   {12, "PLAY", "DSPLDETH", false},
    {15, "PLAY", "DSSLOP", false},     {24, "POL5", NULL, false},
    {43, "TRE1", NULL, false},         {47, "SMIT", NULL, false},
    {5, "BKEY", "DSITEMUP", false},    {13, "RKEY", "DSITEMUP", false},
    {6, "YKEY", "DSITEMUP", false},
};

static wad file;
static th_heap heap;
static th_handles handles;
static th_cache cache;
static alignas(16) unsigned char region[1u << 20];
static th_handles_slot slots[ENTRIES];
static th_cache_entry table[ENTRIES + ENTRIES / 4];
static FILE *trace, *script;
static unsigned long accesses, misfits;
static unsigned checksum;
static uint64_t level_misses;
static th_cache_stats walked; /* at the end */

/* ---- lumps ---------------------------------------------------------------------------------- */

static th_status read_lump(void *context, uint64_t key, void *payload, size_t bytes) {
    (void)context;
    return wad_read(&file, file.lumps[key].at, payload, bytes) ? TH_OK : TH_ERR_CORRUPT;
}

/* Reads what is in a lump while it is pinned. */
static void use_lump(uint32_t lump, uint32_t tag) {
    uint32_t bytes = lump != WAD_NONE ? file.lumps[lump].bytes : 0;
    void *payload;
    if (bytes == 0) {
        return;
    }
    accesses++;
    if (trace != NULL) {
        (void)fprintf(trace, "%" PRIu32 " %" PRIu32 " %s\n", lump, bytes,
                      wad_text(file.lumps[lump].name));
    }
    if (th_cache_load(&cache, lump, bytes, tag, read_lump, NULL, &payload) != TH_OK) {
        misfits++; /* larger than all the room there is */
        return;
    }
    const unsigned char *at = th_cache_pin(&cache, lump, NULL);
    checksum = checksum * 31 + at[0] + at[bytes / 2] + at[bytes - 1];
    EXPECT(th_cache_unpin(&cache, lump) == TH_OK);
}

static void use_named(const char *name, uint32_t tag) {
    use_lump(wad_find(&file, wad_name_of(name)), tag);
}

/* A lump that stays: pinned. NULL, with nothing said, if there is none of at least `least` bytes.
 */
static const unsigned char *keep_lump(uint32_t lump, const char *name, uint32_t *bytes) {
    void *payload;
    if (lump >= file.count || file.lumps[lump].name != wad_name_of(name) ||
        file.lumps[lump].bytes == 0 ||
        th_cache_load(&cache, lump, file.lumps[lump].bytes, TAG_LEVEL, read_lump, NULL, &payload) !=
            TH_OK) {
        return NULL;
    }
    *bytes = file.lumps[lump].bytes;
    return th_cache_pin(&cache, lump, NULL);
}

/* ---- the level ------------------------------------------------------------------------------ */

/* An array of records of the level. */
typedef struct records {
    const unsigned char *at;
    uint32_t count;
    uint32_t bytes; /* of each */
} records;

static struct {
    records things, lines, sides, points, sectors;
    const unsigned char *textures, *patches;
    uint32_t textures_bytes, patches_bytes;
} level;

static const unsigned char *record(const records *r, int32_t number) {
    return number >= 0 && (uint32_t)number < r->count ? r->at + (size_t)number * r->bytes : NULL;
}

static bool keep_records(records *r, uint32_t lump, const char *name, uint32_t bytes_each) {
    uint32_t bytes = 0;
    r->at = keep_lump(lump, name, &bytes);
    r->bytes = bytes_each;
    r->count = bytes / bytes_each;
    return r->count > 0;
}

static bool load_level(const char *name) {
    char what[120];
    uint32_t mark = wad_find(&file, wad_name_of(name));
    level.textures =
        keep_lump(wad_find(&file, wad_name_of("TEXTURE1")), "TEXTURE1", &level.textures_bytes);
    level.patches =
        keep_lump(wad_find(&file, wad_name_of("PNAMES")), "PNAMES", &level.patches_bytes);
    if (mark == WAD_NONE || !keep_records(&level.things, mark + 1, "THINGS", 10) ||
        !keep_records(&level.lines, mark + 2, "LINEDEFS", 14) ||
        !keep_records(&level.sides, mark + 3, "SIDEDEFS", 30) ||
        !keep_records(&level.points, mark + 4, "VERTEXES", 4) ||
        !keep_records(&level.sectors, mark + 8, "SECTORS", 26) || level.textures == NULL ||
        level.patches == NULL) {
        (void)snprintf(what, sizeof what,
                       "the level %s, TEXTURE1 or PNAMES is missing, empty, or too large for the "
                       "heap",
                       name);
        return wad_refuse(&file, what);
    }
    return true;
}

/* ---- what is seen and heard ----------------------------------------------------------------- */

/* The patches that a texture is made of. A place that lies outside of its lump is passed over. */
static void use_texture(const unsigned char *name8) {
    uint64_t name = wad_name(name8, 8);
    uint32_t count = level.textures_bytes >= 4 ? (uint32_t)wad_i32(level.textures) : 0;
    for (uint32_t i = 0; i < count && 8 + 4 * (uint64_t)i <= level.textures_bytes; i++) {
        uint32_t at = (uint32_t)wad_i32(level.textures + 4 + 4 * (size_t)i);
        if ((uint64_t)at + 22 > level.textures_bytes || wad_name(level.textures + at, 8) != name) {
            continue;
        }
        uint32_t patches = (uint32_t)(wad_i16(level.textures + at + 20) & 0xFFFF);
        for (uint32_t p = 0;
             p < patches && (uint64_t)at + 32 + 10 * (uint64_t)p <= level.textures_bytes; p++) {
            uint32_t number =
                (uint32_t)(wad_i16(level.textures + at + 22 + 10 * (size_t)p + 4) & 0xFFFF);
            if (12 + 8 * (uint64_t)number <= level.patches_bytes) {
                use_lump(wad_find(&file, wad_name(level.patches + 4 + 8 * (size_t)number, 8)),
                         TAG_PATCH);
            }
        }
        return;
    }
}

static void use_side(int32_t number) {
    const unsigned char *side = record(&level.sides, number);
    if (side == NULL) {
        return;
    }
    for (size_t part = 4; part < 28; part += 8) {
        if (side[part] != '-' && side[part] != '\0') {
            use_texture(side + part);
        }
    }
    const unsigned char *sector = record(&level.sectors, wad_i16(side + 28));
    if (sector != NULL) {
        use_lump(wad_find(&file, wad_name(sector + 4, 8)), TAG_FLAT);
        use_lump(wad_find(&file, wad_name(sector + 12, 8)), TAG_FLAT);
    }
}

typedef struct place {
    int32_t x, y;
} place;

static place place_of(const unsigned char *at) {
    return (place){wad_i16(at), wad_i16(at + 2)};
}

static int64_t distance(place a, place b) {
    int64_t x = (int64_t)a.x - b.x;
    int64_t y = (int64_t)a.y - b.y;
    return x * x + y * y;
}

static bool in_sight(place from, place of) {
    return distance(from, of) <= (int64_t)SIGHT * SIGHT;
}

static const struct kind *kind_of(const unsigned char *thing) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].type == wad_i16(thing + 6)) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* The sprite of a thing as it is seen now: what moves has four phases and eight sides, and some
 * lumps show two of them. */
static void use_sprite(const struct kind *kind, place from, place at, uint32_t frame) {
    static const char sides[4][3] = {"1", "28", "37", "46"};
    char name[16];
    if (!kind->moves) {
        (void)snprintf(name, sizeof name, "%sA0", kind->sprite);
        use_named(name, TAG_SPRITE);
        return;
    }
    const char *side = sides[((at.x < from.x) * 2 + (at.y < from.y)) % 4];
    char phase = (char)('A' + frame % 4);
    (void)snprintf(name, sizeof name, "%s%c%c", kind->sprite, phase, side[0]);
    if (side[1] != '\0') {
        (void)snprintf(name, sizeof name, "%s%c%c%c%c", kind->sprite, phase, side[0], phase,
                       side[1]);
    }
    use_named(name, TAG_SPRITE);
}

static void draw_frame(place from, uint32_t frame) {
    for (uint32_t i = 0; i < level.lines.count; i++) {
        const unsigned char *line = record(&level.lines, (int32_t)i);
        const unsigned char *point = record(&level.points, wad_i16(line) & 0xFFFF);
        if (point != NULL && in_sight(from, place_of(point))) {
            use_side(wad_i16(line + 10));
            use_side(wad_i16(line + 12));
        }
    }
    for (uint32_t i = 0; i < level.things.count; i++) {
        const unsigned char *thing = record(&level.things, (int32_t)i);
        const struct kind *kind = kind_of(thing);
        if (kind != NULL && in_sight(from, place_of(thing))) {
            use_sprite(kind, from, place_of(thing), frame);
        }
    }
}

/* The nearest thing that was not visited; NULL if there is none left. */
static const unsigned char *nearest(place from, const bool *visited, uint32_t *number) {
    const unsigned char *found = NULL;
    for (uint32_t i = 0; i < level.things.count; i++) {
        const unsigned char *thing = record(&level.things, (int32_t)i);
        if (!visited[i] && kind_of(thing) != NULL &&
            (found == NULL || distance(from, place_of(thing)) < distance(from, place_of(found)))) {
            found = thing;
            *number = i;
        }
    }
    return found;
}

/* From stop to stop, with a look around half-way. How many stops there were. */
static uint32_t walk(void) {
    static bool visited[UINT16_MAX];
    uint32_t stops = 0, number = 0;
    place here = place_of(level.things.at);
    memset(visited, 0, sizeof visited);
    level.things.count = level.things.count < UINT16_MAX ? level.things.count : UINT16_MAX;
    const unsigned char *thing;
    while (stops < STOPS_MAX && (thing = nearest(here, visited, &number)) != NULL) {
        place there = place_of(thing);
        const struct kind *kind = kind_of(thing);
        visited[number] = true;
        draw_frame((place){(here.x + there.x) / 2, (here.y + there.y) / 2}, 2 * stops);
        draw_frame(there, 2 * stops + 1);
        if (kind->sound != NULL) {
            use_named(kind->sound, TAG_SOUND);
        }
        if (kind->moves) {
            use_named(stops % 3 == 0 ? "DSPISTOL" : "DSSHOTGN", TAG_SOUND);
            use_named(stops % 2 == 0 ? "DSPODTH1" : "DSPODTH2", TAG_SOUND);
        }
        here = there;
        stops++;
    }
    return stops;
}

/* ---- the heap ------------------------------------------------------------------------------- */

#define DRAWN_COLUMNS 100u
#define DRAWN_ROWS    6u

/* A character for each 500 bytes: of what most of them are. */
static void draw_heap(void) {
    static const char letters[] = {'.', 'p', 'f', 's', 'd', 'L'};
    static uint32_t parts[DRAWN_COLUMNS * DRAWN_ROWS][sizeof letters];
    size_t each = (th_heap_get_stats(&heap).region_bytes + sizeof parts / sizeof parts[0] - 1) /
                  (sizeof parts / sizeof parts[0]);
    th_heap_block b;
    memset(parts, 0, sizeof parts);
    for (bool more = th_heap_first(&heap, &b); more; more = th_heap_next(&heap, &b)) {
        size_t what = b.tag == TH_TAG_FREE ? 0 : b.tag >= TH_TAG_TAIL_MIN ? 5 : b.tag;
        size_t end = b.next_offset != 0 ? b.next_offset * (size_t)4 : b.offset * (size_t)4;
        for (size_t at = b.offset * (size_t)4; at < end; at += 4) {
            parts[at / each][what]++;
        }
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t most = 0;
        for (size_t what = 1; what < sizeof letters; what++) {
            most = parts[i][what] > parts[i][most] ? what : most;
        }
        (void)printf("%s%c%s", i % DRAWN_COLUMNS == 0 ? "  |" : "", letters[most],
                     i % DRAWN_COLUMNS == DRAWN_COLUMNS - 1 ? "|\n" : "");
    }
}

static void print_fragmentation(const char *when) {
    th_heap_stats s = th_heap_get_stats(&heap);
    double lost =
        s.free_bytes == 0 ? 0 : 100.0 - 100.0 * (double)s.largest_free_bytes / (double)s.free_bytes;
    (void)printf("%s: %" PRIu64 " blocks, %zu bytes free in %" PRIu64
                 " pieces, the largest %zu: %.1f %% fragmented\n",
                 when, s.head_blocks + s.tail_blocks, s.free_bytes, s.free_blocks,
                 s.largest_free_bytes, lost);
    draw_heap();
}

/* ---- what heaplab plays again ---------------------------------------------------------------- */

#define SCRIPT_SLOTS 256u

static const void *script_blocks[SCRIPT_SLOTS];
static unsigned long script_left;
static bool script_moving;

static uint32_t script_slot(const void *address) {
    uint32_t slot = 0;
    while (slot < SCRIPT_SLOTS && script_blocks[slot] != address) {
        slot++;
    }
    EXPECT(slot < SCRIPT_SLOTS);
    return slot;
}

static void write_operation(void *context, const th_event *event) {
    (void)context;
    if (script_left == 0) {
        return;
    }
    bool moving = event->kind == TH_EVENT_MOVE;
    if (event->kind == TH_EVENT_ALLOC) {
        uint32_t slot = script_slot(NULL);
        script_blocks[slot] = event->address;
        (void)fprintf(script, "alloc s%" PRIu32 " tag=0x%04" PRIx32 " bytes=%zu\n", slot,
                      event->tag, event->bytes);
        script_left--;
    } else if (event->kind == TH_EVENT_FREE) {
        uint32_t slot = script_slot(event->old_address);
        script_blocks[slot] = NULL;
        (void)fprintf(script, "free s%" PRIu32 "\n", slot);
        script_left--;
    } else if (moving) {
        script_blocks[script_slot(event->old_address)] = event->address;
        if (!script_moving) {
            (void)fprintf(script, "compact veto=0x00\n");
            script_left--;
        }
    }
    script_moving = moving;
}

/* ---- one walk ------------------------------------------------------------------------------- */

typedef struct options {
    th_cache_policy policy;
    const char *level;
    const char *path; /* NULL: what is made up */
    const char *trace, *script;
    size_t bytes;
    unsigned long operations;
} options;

static void start(const options *o) {
    const th_heap_config heap_config = {.alignment = 16,
                                        .on_event = script != NULL ? write_operation : NULL};
    const th_handles_config handles_config = {.memory = slots, .memory_bytes = sizeof slots};
    EXPECT(th_heap_init(&heap, region, o->bytes, &heap_config) == TH_OK);
    EXPECT(th_handles_init(&handles, &heap, &handles_config) == TH_OK);
    const th_cache_config config = {
        .handles = &handles, .memory = table, .memory_bytes = sizeof table, .policy = o->policy};
    EXPECT(th_cache_init(&cache, &config) == TH_OK);
    if (script != NULL) {
        script_left = o->operations;
        (void)fprintf(
            script,
            "# SPDX-License-Identifier: MIT\n"
            "# Recorded from examples/wadcache: the first %lu operations of the heap in a "
            "walk through %s\n"
            "heap dwords=%zu align=16 guard=3 slots=%u lowmem=0 skew=0\n",
            o->operations, o->level, o->bytes / 4, SCRIPT_SLOTS);
    }
}

static void finish(void) {
    th_cache_clean_up(&cache);
    th_handles_clean_up(&handles);
    th_heap_clean_up(&heap);
}

/* The level's own lumps do not count. */
static unsigned long misses(void) {
    return (unsigned long)(th_cache_get_stats(&cache).misses - level_misses);
}

static void report(const options *o, uint32_t stops) {
    th_cache_stats s = th_cache_get_stats(&cache);
    double rate = accesses > 0 ? 100.0 * (double)(accesses - misses()) / (double)accesses : 0;
    (void)printf("%s: level %s, %" PRIu32 " stops, %lu accesses, %s, %zu bytes of heap\n", o->path,
                 o->level, stops, accesses, o->policy == TH_CACHE_LRU ? "LRU" : "SIEVE", o->bytes);
    (void)printf("hits %lu, misses %lu (%.2f %% hits), evictions %" PRIu64 ", moves %" PRIu64
                 ", too large %lu\n",
                 accesses - misses(), misses(), rate, s.evictions, s.moves, misfits);
    (void)printf(
        "p patches, f flats, s sprites, d sounds, L the level's own lumps, pinned, . free\n");
    print_fragmentation("after the walk");
    uint64_t gone = th_cache_invalidate_tags(&cache, TAG_FLAT, TAG_SPRITE);
    (void)printf("flats and sprites are freed by tag: %" PRIu64 " entries\n", gone);
    print_fragmentation("before compaction");
    th_heap_compaction done = th_handles_compact(&handles);
    (void)printf("compaction: %" PRIu32 " blocks moved, %zu bytes\n", done.blocks_moved,
                 done.bytes_moved);
    print_fragmentation("after compaction");
}

static int play(const options *o, FILE *opened) {
    if (!wad_take(&file, opened, o->path)) {
        return 2;
    }
    start(o);
    if (!load_level(o->level)) {
        finish();
        return 2;
    }
    level_misses = th_cache_get_stats(&cache).misses;
    uint32_t stops = walk();
    EXPECT(th_cache_check(&cache, NULL) == TH_OK);
    EXPECT(th_heap_check(&heap, NULL) == TH_OK);
    report(o, stops);
    walked = th_cache_get_stats(&cache);
    finish();
    wad_close(&file);
    return 0;
}

/* What is made up (wad_made.h) is walked through as any file is, and comes to known counts. */
static int play_made_up(options *o) {
    o->path = "made up";
    o->bytes = 40000;
    FILE *made = tmpfile();
    EXPECT(made != NULL);
    wad_make(made);
    EXPECT(play(o, made) == 0);
    EXPECT(accesses == MADE_ACCESSES);
    EXPECT(walked.misses == (o->policy == TH_CACHE_LRU ? MADE_MISSES_LRU : MADE_MISSES_SIEVE));
    EXPECT(walked.evictions > 0 && walked.moves > 0 && misfits == 0);
    return 0;
}

static FILE *open_out(const char *path) {
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        (void)fprintf(stderr, "wadcache: %s: cannot be written; name another place\n", path);
        exit(2);
    }
    return out;
}

static int refuse_usage(const char *what) {
    (void)fprintf(stderr,
                  "wadcache: %s; usage: wadcache [--lru | --sieve] [--level NAME] [--bytes N] "
                  "[--trace OUT] [--script OUT N] [FILE]\n",
                  what);
    return 2;
}

int main(int argc, char **argv) {
    options o = {.policy = TH_CACHE_SIEVE, .level = "E1M1", .bytes = HEAP_BYTES};
    for (int i = 1; i < argc; i++) {
        int left = argc - i - 1;
        if (strcmp(argv[i], "--lru") == 0 || strcmp(argv[i], "--sieve") == 0) {
            o.policy = argv[i][2] == 'l' ? TH_CACHE_LRU : TH_CACHE_SIEVE;
        } else if (strcmp(argv[i], "--level") == 0 && left >= 1) {
            o.level = argv[++i];
        } else if (strcmp(argv[i], "--bytes") == 0 && left >= 1) {
            o.bytes = (size_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--trace") == 0 && left >= 1) {
            o.trace = argv[++i];
        } else if (strcmp(argv[i], "--script") == 0 && left >= 2) {
            o.script = argv[++i];
            o.operations = strtoul(argv[++i], NULL, 10);
        } else if (argv[i][0] == '-' || o.path != NULL) {
            return refuse_usage("unknown option, or one without its value");
        } else {
            o.path = argv[i];
        }
    }
    if (o.bytes < 10000 || o.bytes > sizeof region) {
        return refuse_usage("--bytes: from 10000 to 1048576");
    }
    if (o.path == NULL) {
        return play_made_up(&o);
    }
    trace = o.trace != NULL ? open_out(o.trace) : NULL;
    script = o.script != NULL ? open_out(o.script) : NULL;
    int status = play(&o, fopen(o.path, "rb"));
    if ((trace != NULL && fclose(trace) != 0) || (script != NULL && fclose(script) != 0)) {
        return refuse_usage("the output could not be written");
    }
    return status;
}
