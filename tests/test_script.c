/* SPDX-License-Identifier: MIT */
/* Scripts: values, round trips, the byte form. Round trips are exhaustive for each field: a script
 * with one operation for every value goes through both forms. */
#define _POSIX_C_SOURCE 200809L

#include "script/script.h"
#include "suite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- help --------------------------------------------------------------------------------- */

static const lab_config plain_config = {750, 4, 0, 3, 0, 16, LAB_SUBJECT_HEAP, LAB_LAYOUT_CLASSIC,
                                        0};

/* An operation of `kind` with all fields 0. */
static lab_op op_of(lab_op_kind kind) {
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)kind;
    return op;
}

static void append(lab_script *script, lab_op op) {
    CHECK(lab_script_append(script, op));
}

static void check_bytes_round_trip(const lab_script *script) {
    lab_script again = {0};
    size_t size = lab_script_encode(script, NULL, 0);
    CHECK_EQ(size, lab_header_bytes(&script->config) + script->count * LAB_RECORD_BYTES);
    uint8_t *bytes = malloc(size);
    CHECK(bytes != NULL);
    CHECK_EQ(lab_script_encode(script, bytes, size), size);
    CHECK(lab_script_decode(&again, bytes, size));
    CHECK(lab_script_is_valid(&again));
    CHECK(lab_script_equal(script, &again));
    CHECK(!lab_script_is_text(bytes, size));
    free(bytes);
    lab_script_clean_up(&again);
}

static void check_text_round_trip(const lab_script *script) {
    lab_script again = {0};
    lab_text_error error;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    CHECK(out != NULL);
    lab_script_print(script, out);
    CHECK_EQ(fclose(out), 0);
    CHECK(lab_script_parse(&again, text, size, &error));
    CHECK(lab_script_equal(script, &again));
    CHECK(lab_script_is_text((const uint8_t *)text, size));
    free(text);
    lab_script_clean_up(&again);
}

/* Takes the script through both forms and empties it. */
static void check_round_trips(lab_script *script) {
    CHECK(lab_script_is_valid(script));
    check_bytes_round_trip(script);
    check_text_round_trip(script);
    lab_script_clean_up(script);
}

static void parse(lab_script *script, const char *text) {
    lab_text_error error;
    CHECK(lab_script_parse(script, text, strlen(text), &error));
}

/* ---- values ------------------------------------------------------------------------------- */

static void sizes_mean_bytes(void) {
    CHECK(lab_size_bytes((lab_size){LAB_SIZE_BYTES, 0}) == 0);
    CHECK(lab_size_bytes((lab_size){LAB_SIZE_BYTES, LAB_SIZE_VALUE_MAX}) == LAB_SIZE_VALUE_MAX);
    CHECK(lab_size_bytes((lab_size){LAB_SIZE_HALF, 0}) == SIZE_MAX / 2);
    CHECK(lab_size_bytes((lab_size){LAB_SIZE_HALF, 1}) == SIZE_MAX / 2 + 1);
    CHECK(lab_size_bytes((lab_size){LAB_SIZE_HALF, LAB_SIZE_VALUE_MAX}) ==
          SIZE_MAX / 2 + LAB_SIZE_VALUE_MAX);
    CHECK(lab_size_bytes((lab_size){LAB_SIZE_MAX, 0}) == SIZE_MAX);
    CHECK(lab_size_bytes((lab_size){LAB_SIZE_MAX, 3}) == SIZE_MAX - 3);
}

static void sizes_near_powers_mean_bytes(void) {
    static const struct {
        uint32_t exponent;
        int32_t distance;
        uint64_t bytes;
    } due[] = {{0, 0, 1},
               {0, -1, 0},
               {0, -2, 0},
               {3, 7, 15},
               {4, -LAB_DISTANCE_MAX - 1, 0},
               {16, 1, 0x10001},
               {31, -64, 0x7FFFFFC0},
               {31, LAB_DISTANCE_MAX, 0x8001FFFF},
               {32, 16, 0x100000010},
               {32, -1, 0xFFFFFFFF},
               {33, 0, 0x200000000},
               {63, 64, 0x8000000000000040},
               {63, -LAB_DISTANCE_MAX - 1, 0x7FFFFFFFFFFE0000}};
    for (size_t i = 0; i < COUNT_OF(due); i++) {
        lab_size size = lab_size_near(due[i].exponent, due[i].distance);
        CHECK_EQ(size.kind, LAB_SIZE_POWER);
        CHECK(size.value <= LAB_SIZE_VALUE_MAX);
        CHECK_EQ(lab_size_exponent(size), due[i].exponent);
        CHECK_EQ(lab_size_distance(size), due[i].distance);
        CHECK(lab_size_bytes(size) == (due[i].bytes < SIZE_MAX ? due[i].bytes : SIZE_MAX));
    }
}

static void aligns_mean_bytes(void) {
    for (unsigned align = 0; align < 32; align++) {
        CHECK_EQ(lab_align_bytes((uint8_t)align), 1ll << align);
    }
    static const unsigned odd[] = {0, 3, 6, 12, 24, 48, 96, 5};
    for (unsigned i = 0; i < COUNT_OF(odd); i++) {
        CHECK_EQ(lab_align_bytes((uint8_t)(32 + i)), odd[i]);
    }
    for (unsigned i = 0; i < 32; i++) {
        uint64_t bytes = (uint64_t)1 << (32 + i);
        CHECK(lab_align_bytes((uint8_t)(40 + i)) == (bytes <= SIZE_MAX ? bytes : 0));
    }
    CHECK_EQ(LAB_ALIGN_MAX, 40 + 32 - 1);
    for (unsigned align = 0; align <= LAB_ALIGN_MAX; align++) {
        CHECK_EQ(lab_align_is_power((uint8_t)align), align < 32 || align > 39);
    }
}

static void every_field_counts_for_equality(void) {
    lab_script a = {0};
    lab_script b = {0};
    const char *text = "heap dwords=750\nalloc s1 tag=2 bytes=3\nfree s1\n";
    parse(&a, text);
    parse(&b, text);
    CHECK(lab_script_equal(&a, &b));
#define DIFFERS(place)                                                                             \
    do {                                                                                           \
        (place)++;                                                                                 \
        CHECK(!lab_script_equal(&a, &b));                                                          \
        (place)--;                                                                                 \
        CHECK(lab_script_equal(&a, &b));                                                           \
    } while (0)
    DIFFERS(b.config.dwords);
    DIFFERS(b.config.alignment);
    DIFFERS(b.config.skew);
    DIFFERS(b.config.plugin_family);
    DIFFERS(b.config.guard);
    DIFFERS(b.config.low_memory);
    DIFFERS(b.config.slots);
    DIFFERS(b.ops[1].kind);
    DIFFERS(b.ops[1].align);
    DIFFERS(b.ops[1].veto);
    DIFFERS(b.ops[1].attack);
    DIFFERS(b.ops[1].reenter);
    DIFFERS(b.ops[1].slot);
    DIFFERS(b.ops[1].tag);
    DIFFERS(b.ops[1].tag_high);
    DIFFERS(b.ops[1].size.kind);
    DIFFERS(b.ops[1].size.value);
#undef DIFFERS
    b.count--;
    CHECK(!lab_script_equal(&a, &b));
    lab_script_clean_up(&a);
    lab_script_clean_up(&b);
}

static void invalid_values_are_seen(void) {
    const lab_config configs[] = {{LAB_DWORDS_MAX + 1, 4, 0, 3, 0, 16, 0, 0, 0},
                                  {750, 12, 0, 3, 0, 16, 0, 0, 0},
                                  {750, 4, 16, 3, 0, 16, 0, 0, 0},
                                  {750, 4, 0, 4, 0, 16, 0, 0, 0},
                                  {750, 4, 0, 3, 2, 16, 0, 0, 0},
                                  {750, 4, 0, 3, 0, 32, 0, 0, 0},
                                  {750, 4, 0, 3, 0, 16, lab_subject_names_count, 0, 0},
                                  {750, 4, 0, 3, 0, 16, 0, LAB_LAYOUT_COUNT, 0},
                                  {750, 4, 0, 1, 0, 16, 0, LAB_LAYOUT_LEAN, 0},
                                  {750, 4, 0, 3, 0, 16, 0, 0, LAB_FAMILY_MARKS},
                                  {750, 4, 0, 3, 0, 16, LAB_SUBJECT_PLUGIN, 0, LAB_FAMILY_HEAP}};
    CHECK(lab_config_is_valid(&plain_config));
    for (size_t i = 0; i < COUNT_OF(configs); i++) {
        CHECK(!lab_config_is_valid(&configs[i]));
    }
    static const lab_op ops[] = {
        {.kind = LAB_OP_COUNT},
        {.kind = LAB_OP_FREE, .slot = 16},
        {.kind = LAB_OP_COPY, .slot = 1},
        {.kind = LAB_OP_ALLOC, .tag = 0x8000},
        {.kind = LAB_OP_ALLOC, .tag = 0xFEFF},
        {.kind = LAB_OP_FREE, .tag = 1},
        {.kind = LAB_OP_ALLOC, .tag_high = 1},
        {.kind = LAB_OP_ALLOC, .size = {LAB_SIZE_POWER + 1, 0}},
        {.kind = LAB_OP_ALLOC, .size = {LAB_SIZE_BYTES, LAB_SIZE_VALUE_MAX + 1}},
        {.kind = LAB_OP_FREE, .size = {LAB_SIZE_BYTES, 1}},
        {.kind = LAB_OP_FREE, .size = {LAB_SIZE_HALF, 0}},
        {.kind = LAB_OP_ALIGNED, .align = LAB_ALIGN_MAX + 1},
        {.kind = LAB_OP_ALLOC, .align = 1},
        {.kind = LAB_OP_FREE, .veto = 1},
        {.kind = LAB_OP_FREE, .attack = 1},
        {.kind = LAB_OP_ATTACK, .attack = LAB_ATTACK_COUNT},
        {.kind = LAB_OP_COMPACT, .reenter = 2},
        {.kind = LAB_OP_FREE, .reenter = 1},
    };
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        CHECK(!lab_op_is_valid(&ops[i], &plain_config));
    }
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        lab_op op = op_of((lab_op_kind)kind);
        CHECK(lab_op_is_valid(&op, &plain_config));
    }
}

static void copies_are_the_same_in_their_own_room(void) {
    lab_script script = {0}, copy = {0};
    CHECK(lab_script_copy(&copy, &script));
    CHECK_PTR_EQ(copy.ops, NULL);
    parse(&script, "heap dwords=7 layout=wide\ncopy\nfree s3\n");
    CHECK(lab_script_copy(&copy, &script));
    CHECK(lab_script_equal(&copy, &script));
    CHECK(copy.ops != script.ops);
    script.count = 1;
    const lab_op *room = copy.ops;
    CHECK(lab_script_copy(&copy, &script));
    CHECK(lab_script_equal(&copy, &script));
    CHECK_PTR_EQ(copy.ops, room);
    lab_script_clean_up(&copy);
    lab_script_clean_up(&script);
}

static void refused_memory_changes_nothing(void) {
    lab_script script = {0};
    parse(&script, "heap dwords=1\ncopy\n");
    size_t capacity = script.capacity;
    const lab_script huge = {.count = SIZE_MAX};
    CHECK(!lab_script_copy(&script, &huge));
    CHECK_EQ(script.config.dwords, 1);
    CHECK(!lab_script_reserve(&script, SIZE_MAX));
    CHECK_EQ(script.capacity, capacity);
    CHECK_EQ(script.count, 1);
    CHECK_EQ(script.ops[0].kind, LAB_OP_COPY);
    lab_script_clean_up(&script);
    CHECK_PTR_EQ(script.ops, NULL);
}

/* ---- round trips -------------------------------------------------------------------------- */

static void every_config_round_trips(void) {
    static const uint8_t alignments[] = {4, 8, 16};
    static const uint32_t slots[] = {8, 16, 64, 256, 1024, 4096, 16384, 65536};
    static const uint32_t dwords[] = {
        0, 750, 0x3FF, 0x400, 0x10000, LAB_DWORDS_CLASSIC, 0x20101, 0xFFFF, LAB_DWORDS_MAX};
    lab_script script = {0};
    for (unsigned i = 0; i < COUNT_OF(alignments) * COUNT_OF(slots) * 2 * 4 * 16; i++) {
        unsigned rest = i;
        script.config.skew = (uint8_t)(rest % 16);
        rest /= 16;
        script.config.guard = (uint8_t)(rest % 4);
        rest /= 4;
        script.config.low_memory = (uint8_t)(rest % 2);
        rest /= 2;
        script.config.slots = slots[rest % COUNT_OF(slots)];
        rest /= (unsigned)COUNT_OF(slots);
        script.config.alignment = alignments[rest];
        for (uint8_t layout = 0; layout < LAB_LAYOUT_COUNT; layout++) {
            script.config.layout = layout;
            if (!lab_config_is_valid(&script.config)) {
                continue; /* lean, with a guard level */
            }
            for (unsigned k = 0; k < COUNT_OF(dwords); k++) {
                script.config.dwords = dwords[k];
                check_bytes_round_trip(&script);
            }
            check_text_round_trip(&script);
        }
    }
}

static void every_region_size_round_trips(void) {
    lab_script script = {.config = plain_config};
    for (uint32_t dwords = 0; dwords <= LAB_DWORDS_MAX; dwords += dwords < 140000 ? 1 : 97) {
        script.config.dwords = dwords;
        script.config.layout = LAB_LAYOUT_CLASSIC;
        check_bytes_round_trip(&script);
        CHECK_EQ(lab_header_bytes(&script.config), dwords <= LAB_DWORDS_CLASSIC ? 4 : 5);
        script.config.layout = LAB_LAYOUT_WIDE;
        check_bytes_round_trip(&script);
        CHECK_EQ(lab_header_bytes(&script.config), dwords <= 0x3FF ? 4 : 5);
    }
    for (uint32_t dwords = 0; dwords <= LAB_DWORDS_MAX; dwords += 251) {
        script.config.dwords = dwords;
        check_text_round_trip(&script);
    }
}

static void every_slot_round_trips(void) {
    lab_script script = {.config = plain_config};
    script.config.slots = 65536;
    for (uint32_t slot = 0; slot < 65536; slot++) {
        static const uint8_t kinds[] = {LAB_OP_ALLOC, LAB_OP_ALIGNED, LAB_OP_RESIZE, LAB_OP_TRIM,
                                        LAB_OP_FREE};
        lab_op op = op_of((lab_op_kind)kinds[slot % COUNT_OF(kinds)]);
        op.slot = (uint16_t)slot;
        append(&script, op);
    }
    check_round_trips(&script);
}

/* Each value is tried; under Valgrind, each fifteenth. */
enum { STEP = TH_TRACK_VALGRIND ? 15 : 1 };

static void every_tag_round_trips(void) {
    static const uint8_t kinds[] = {LAB_OP_ALLOC, LAB_OP_ALIGNED, LAB_OP_FREE_TAGS};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        lab_script script = {.config = plain_config};
        for (uint32_t tag = 0; tag <= UINT16_MAX; tag += STEP) {
            lab_op op = op_of((lab_op_kind)kinds[k]);
            op.tag = (uint16_t)(tag <= 0x7FFF || tag >= 0xFF00 ? tag : 0);
            op.tag_high = (uint16_t)(op.kind == LAB_OP_FREE_TAGS ? tag : 0);
            append(&script, op);
        }
        check_round_trips(&script);
    }
}

static void every_size_round_trips(void) {
    lab_script script = {.config = plain_config};
    for (uint32_t kind = 0; kind <= LAB_SIZE_POWER; kind++) {
        for (uint32_t value = 0; value <= LAB_SIZE_VALUE_MAX;
             value += value < 0x10100 ? STEP : 997) {
            lab_op op = op_of(LAB_OP_NULL);
            op.size.kind = (uint8_t)kind;
            op.size.value = value;
            append(&script, op);
        }
        static const uint8_t kinds[] = {LAB_OP_ALLOC,        LAB_OP_ALIGNED, LAB_OP_RESIZE,
                                        LAB_OP_COMPACT_SOME, LAB_OP_FIND,    LAB_OP_NULL};
        for (size_t k = 0; k < COUNT_OF(kinds); k++) {
            lab_op op = op_of((lab_op_kind)kinds[k]);
            op.size.kind = (uint8_t)kind;
            op.size.value = LAB_SIZE_VALUE_MAX;
            append(&script, op);
        }
    }
    check_round_trips(&script);
}

static void every_align_veto_and_attack_round_trips(void) {
    lab_script script = {.config = plain_config};
    for (unsigned align = 0; align <= LAB_ALIGN_MAX; align++) {
        lab_op op = op_of(LAB_OP_ALIGNED);
        op.align = (uint8_t)align;
        append(&script, op);
    }
    for (unsigned i = 0; i < 4 * 256; i++) {
        lab_op op = op_of(i % 2 != 0 ? LAB_OP_COMPACT : LAB_OP_COMPACT_SOME);
        op.reenter = (uint8_t)(i / 2 % 2);
        op.veto = (uint8_t)(i / 4);
        append(&script, op);
    }
    for (uint8_t attack = 0; attack < LAB_ATTACK_COUNT; attack++) {
        lab_op op = op_of(LAB_OP_ATTACK);
        op.attack = attack;
        append(&script, op);
    }
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        append(&script, op_of((lab_op_kind)kind));
    }
    check_round_trips(&script);
}

/* ---- bytes -------------------------------------------------------------------------------- */

/* The operation that one record decodes to, with 16 slots. */
static lab_op decode_one(const uint8_t record[LAB_RECORD_BYTES]) {
    uint8_t bytes[LAB_HEADER_BYTES + LAB_RECORD_BYTES] = {0};
    lab_script script = {0};
    memcpy(bytes + LAB_HEADER_BYTES, record, LAB_RECORD_BYTES);
    CHECK(lab_script_decode(&script, bytes, sizeof bytes));
    CHECK_EQ(script.count, 1);
    CHECK(lab_script_is_valid(&script));
    lab_op op = script.ops[0];
    lab_script_clean_up(&script);
    return op;
}

static void missing_header_bytes_are_0(void) {
    const uint8_t bytes[LAB_HEADER_BYTES + 2 * LAB_RECORD_BYTES] = {0};
    lab_script script = {0};
    for (size_t size = 0; size <= sizeof bytes; size++) {
        CHECK(lab_script_decode(&script, size > 0 ? bytes : NULL, size));
        CHECK_EQ(script.count, size < 14 ? 0 : size < 24 ? 1 : 2);
        CHECK_EQ(script.config.dwords, 0);
        CHECK_EQ(script.config.alignment, 4);
        CHECK_EQ(script.config.guard, 3);
        CHECK_EQ(script.config.slots, 16);
        CHECK_EQ(script.config.low_memory, 0);
        CHECK_EQ(script.config.skew, 0);
    }
    const uint8_t full[] = {0x01 | 1 << 2 | 1 << 4 | 2 << 5, 0xEE, 0x02, 0x05};
    CHECK(lab_script_decode(&script, full, 3));
    CHECK_EQ(script.config.alignment, 8);
    CHECK_EQ(script.config.guard, 2);
    CHECK_EQ(script.config.low_memory, 1);
    CHECK_EQ(script.config.slots, 64);
    CHECK_EQ(script.config.dwords, 750);
    CHECK_EQ(script.config.skew, 0);
    CHECK(lab_script_decode(&script, full, 4));
    CHECK_EQ(script.config.skew, 5);
    lab_script_clean_up(&script);
}

/* Four size classes say the layout; what bytes meant before there were layouts they still mean. */
static void header_bytes_say_the_layout(void) {
    static const struct {
        uint8_t bytes[5];
        uint32_t dwords;
        uint8_t layout, guard;
    } headers[] = {
        {{0, 0xEE, 0xFE, 0x00, 0xFF}, 0x2EE, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0xEE, 0xFE, 0x70, 0xFF}, 0x2EE, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0xEE, 0xFE, 0x80, 0xFF}, 0x2EE, LAB_LAYOUT_LEAN, 0},
        {{0, 0xEE, 0xFE, 0x90, 0xFF}, 0x2EE, LAB_LAYOUT_WIDE, 3},
        {{0, 0xEE, 0xFE, 0xB0, 0xFF}, 0x2EE, LAB_LAYOUT_AUTO, 3},
        {{0, 0xEE, 0x0E, 0xC0, 0xFF}, 0x0EEE, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0x00, 0x01, 0xE0, 0xFF}, 0x20100, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0x01, 0x01, 0xE0, 0xFF}, 0, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0x00, 0x00, 0xF0, 0xFF}, 0x30000 - 0x20101, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0x01, 0x01, 0xA0, 0x02}, 0x20101, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0x01, 0x01, 0xA0, 0xC2}, 0x20101, LAB_LAYOUT_CLASSIC, 3},
        {{0, 0x34, 0x12, 0xA0, 0x1B}, 0xB1234, LAB_LAYOUT_LEAN, 0},
        {{0, 0x34, 0x12, 0xA0, 0x20}, 0x01234, LAB_LAYOUT_WIDE, 3},
        {{0, 0x00, 0x00, 0xA0, 0x2C}, 0xC0000, LAB_LAYOUT_WIDE, 3},
        {{0, 0x01, 0x00, 0xA0, 0x3C}, 0, LAB_LAYOUT_AUTO, 3},
        {{8, 0x34, 0x12, 0xA0, 0x31}, 0x11234, LAB_LAYOUT_AUTO, 1},
    };
    lab_script script = {0};
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        CHECK(lab_script_decode(&script, headers[i].bytes, 5));
        CHECK_EQ(script.config.dwords, headers[i].dwords);
        CHECK_EQ(script.config.layout, headers[i].layout);
        CHECK_EQ(script.config.guard, headers[i].guard);
        CHECK_EQ(script.count, 0);
    }
    /* The fifth byte of a header is none of the first record. */
    uint8_t bytes[25] = {0, 0x34, 0x12, 0xA0, 0x20, 17, 0, 5};
    CHECK(lab_script_decode(&script, bytes, 14));
    CHECK_EQ(script.count, 0);
    CHECK(lab_script_decode(&script, bytes, 24));
    CHECK_EQ(script.count, 1);
    CHECK_EQ(script.ops[0].kind, LAB_OP_FREE);
    CHECK_EQ(script.ops[0].slot, 5);
    CHECK(lab_script_decode(&script, bytes, 25));
    CHECK_EQ(script.count, 2);
    CHECK(lab_script_decode(&script, bytes, 4)); /* missing, it is 0 */
    CHECK_EQ(script.config.dwords, 0x1234);
    CHECK_EQ(script.config.layout, LAB_LAYOUT_CLASSIC);
    lab_script_clean_up(&script);
}

static void tags_of_wide_heaps_have_31_bits(void) {
    lab_config config = plain_config;
    CHECK_EQ(lab_tag(&config, 0x1234), 0x1234);
    CHECK_EQ(lab_tag(&config, 0xFF00), 0xFF00);
    config.layout = LAB_LAYOUT_AUTO;
    CHECK_EQ(lab_tag(&config, 0x7FFF), 0x7FFF);
    config.layout = LAB_LAYOUT_WIDE;
    CHECK_EQ(lab_tag(&config, 0), 0);
    CHECK_EQ(lab_tag(&config, 0x1234), 0x12341234);
    CHECK_EQ(lab_tag(&config, 0x3FFF), 0x3FFF3FFF);
    CHECK_EQ(lab_tag(&config, 0x4000), 0x40004000);
    CHECK_EQ(lab_tag(&config, 0x7FFE), 0x7FFE7FFE);
    CHECK_EQ(lab_tag(&config, 0x7FFF), 0x7FFFFFFF);
    CHECK_EQ(lab_tag(&config, 0xFF00), 0xFF00FF00);
}

static void any_bytes_decode(void) {
    uint64_t state = th_test_seed(20);
    uint8_t bytes[120];
    lab_script script = {0};
    for (unsigned round = 0; round < 5000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)th_test_random(&state);
        }
        size_t size = (size_t)(th_test_random(&state) % (sizeof bytes + 1));
        CHECK(lab_script_decode(&script, bytes, size));
        CHECK(lab_script_is_valid(&script));
        check_bytes_round_trip(&script);
        check_text_round_trip(&script);
    }
    lab_script_clean_up(&script);
}

static void opcodes_have_their_weights(void) {
    static const unsigned weights[LAB_OP_COUNT] = {
        [LAB_OP_ALLOC] = 8, [LAB_OP_ATTACK] = 1,  [LAB_OP_ALIGNED] = 3, [LAB_OP_RESIZE] = 5,
        [LAB_OP_FREE] = 6,  [LAB_OP_COMPACT] = 2, [LAB_OP_COPY] = 1,    [LAB_OP_COMPACT_SOME] = 2,
        [LAB_OP_TRIM] = 1,  [LAB_OP_FIND] = 1,    [LAB_OP_NULL] = 1,    [LAB_OP_FREE_TAGS] = 1};
    unsigned counts[LAB_OP_COUNT] = {0};
    int first[LAB_OP_COUNT];
    unsigned inits = 0;
    memset(first, -1, sizeof first);
    for (int opcode = 0; opcode < 256; opcode++) {
        uint8_t kind = decode_one((const uint8_t[LAB_RECORD_BYTES]){(uint8_t)opcode}).kind;
        inits += kind == LAB_OP_INIT;
        counts[kind] += opcode < 32;
        first[kind] = first[kind] < 0 ? opcode : first[kind];
    }
    CHECK_EQ(inits, 1);
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        CHECK_EQ(counts[kind], weights[kind]);
        lab_script script = {.config = plain_config};
        uint8_t bytes[LAB_HEADER_BYTES + LAB_RECORD_BYTES];
        append(&script, op_of((lab_op_kind)kind));
        CHECK_EQ(lab_script_encode(&script, bytes, sizeof bytes), sizeof bytes);
        CHECK_EQ(bytes[LAB_HEADER_BYTES], first[kind]);
        for (size_t i = LAB_HEADER_BYTES + 1; i < sizeof bytes; i++) {
            CHECK_EQ(bytes[i], 0);
        }
        lab_script_clean_up(&script);
    }
}

static void operands_decode_as_documented(void) {
    for (uint32_t raw = 0; raw <= UINT16_MAX; raw++) {
        lab_op op = decode_one(
            (const uint8_t[]){0, 0, 0, 0, (uint8_t)raw, (uint8_t)(raw >> 8), 0, 0, 0, 0});
        CHECK_EQ(op.tag, raw >= 0xFF00 ? raw : raw & 0x7FFF);
    }
    unsigned small = 0;
    for (unsigned extra = 0; extra < 256; extra++) {
        lab_op op = decode_one((const uint8_t[LAB_RECORD_BYTES]){9, (uint8_t)extra});
        CHECK_EQ(op.align, extra < 72 ? extra : 2 + extra % 8);
        small += lab_align_bytes(op.align) >= 4 && lab_align_bytes(op.align) <= 512;
    }
    CHECK(small > 190);
    static const lab_size sizes[16] = {{0, 0x16},  {0, 0x16},   {0, 0x16},     {0, 0x356},
                                       {0, 0x356}, {0, 0x3756}, {0, 0x123756}, {2, 0x123756},
                                       {0, 0x16},  {0, 0x16},   {0, 0x16},     {0, 0x356},
                                       {0, 0x356}, {0, 0x3756}, {0, 0x123756}, {1, 0x123756}};
    static_assert(LAB_SIZE_BYTES == 0 && LAB_SIZE_HALF == 1 && LAB_SIZE_MAX == 2, "as above");
    static_assert(LAB_SIZE_POWER == 3, "as above");
    for (unsigned code = 0; code < 256; code++) {
        lab_op op = decode_one(
            (const uint8_t[]){12, 0xFF, 0xF5, 0xFF, 0xFF, 0xFF, (uint8_t)code, 0x56, 0x37, 0x12});
        lab_size due = code == 0x5A ? (lab_size){LAB_SIZE_POWER, 0x123756} : sizes[code % 16];
        CHECK_EQ(op.size.kind, due.kind);
        CHECK_EQ(op.size.value, due.value);
        CHECK_EQ(op.slot, 5);
    }
    lab_op op = decode_one((const uint8_t[]){27, 0xFF, 0xFF, 0xFF, 0x34, 0x92, 7, 0xCD, 0xAB, 9});
    CHECK_EQ(op.tag, 0x1234);
    CHECK_EQ(op.tag_high, 0xABCD);
    op = decode_one((const uint8_t[]){23, 0xA7, 0xFF, 0xFF, 0xFE, 0xFF, 7, 1, 1, 1});
    CHECK_EQ(op.veto, 0xA7);
    CHECK_EQ(op.reenter, 0);
    op = decode_one((const uint8_t[]){25, 0, 0, 0, 1, 0, 0, 9, 0, 0});
    CHECK_EQ(op.reenter, 1);
    CHECK_EQ(op.size.value, 9);
}

static void encode_writes_all_or_nothing(void) {
    lab_script script = {0};
    uint8_t bytes[15];
    parse(&script, "heap dwords=750 align=8\nresize s1 bytes=0x123\n");
    memset(bytes, 0xEE, sizeof bytes);
    CHECK_EQ(lab_script_encode(&script, bytes, 13), 14);
    CHECK_EQ(bytes[0], 0xEE);
    CHECK_EQ(lab_script_encode(&script, bytes, 14), 14);
    const uint8_t expected[] = {1, 0xEE, 2, 0, 12, 0, 1, 0, 0, 0, 3, 0x23, 1, 0, 0xEE};
    CHECK(memcmp(bytes, expected, sizeof expected) == 0);
    lab_script_clean_up(&script);
}

/* Only white space among the canonical first bytes could begin a text. */
static void canonical_bytes_are_no_text(void) {
    static const uint8_t skews[] = {0, 9, 10, 13, 15};
    static const char *const tails[] = {"#\n", "heap\n", "", " #", "\n"};
    lab_script script = {0};
    uint8_t bytes[LAB_HEADER_BYTES_MAX + 5];
    for (unsigned flags = 0; flags < 256; flags++) {
        bytes[0] = (uint8_t)flags;
        CHECK(lab_script_decode(&script, bytes, 1));
        bool space = flags == ' ' || flags == '\t' || flags == '\n' || flags == '\r';
        for (uint32_t dwords = 0; dwords <= LAB_DWORDS_MAX; dwords += space ? 3 * STEP : 5009) {
            for (size_t i = 0; i < COUNT_OF(skews); i++) {
                size_t tail = strlen(tails[i]);
                script.config.dwords = dwords;
                script.config.skew = skews[i];
                script.config.layout = (uint8_t)(dwords % LAB_LAYOUT_COUNT);
                if (!lab_config_is_valid(&script.config)) {
                    continue;
                }
                size_t header = lab_script_encode(&script, bytes, sizeof bytes);
                CHECK_EQ(header, lab_header_bytes(&script.config));
                memcpy(bytes + header, tails[i], tail);
                CHECK(!lab_script_is_text(bytes, header + tail));
            }
        }
    }
}

TH_SUITE("script", TEST(sizes_mean_bytes), TEST(sizes_near_powers_mean_bytes),
         TEST(aligns_mean_bytes), TEST(every_field_counts_for_equality),
         TEST(invalid_values_are_seen), TEST(copies_are_the_same_in_their_own_room),
         TEST(refused_memory_changes_nothing), TEST(every_config_round_trips),
         TEST(every_region_size_round_trips), TEST(every_slot_round_trips),
         TEST(every_tag_round_trips), TEST(every_size_round_trips),
         TEST(every_align_veto_and_attack_round_trips), TEST(missing_header_bytes_are_0),
         TEST(header_bytes_say_the_layout), TEST(tags_of_wide_heaps_have_31_bits),
         TEST(any_bytes_decode), TEST(opcodes_have_their_weights),
         TEST(operands_decode_as_documented), TEST(encode_writes_all_or_nothing),
         TEST(canonical_bytes_are_no_text))
