/* SPDX-License-Identifier: MIT */
/* The byte form of scripts: a header of 4 or 5 bytes, then records of 10 bytes. docs/script.md
 * draws both. Every byte string means something, so a fuzzer's mutations are never wasted on input
 * that is refused; where several byte strings mean the same script, the canonical one (which
 * encoding gives) is the one made of the lowest codes.
 *
 * Decoding runs once for every input that a fuzzer makes: the loop over the records has no branch
 * that depends on the kind; fields that the kind does not use are masked away. */
#include "script/script.h"

#include <assert.h>
#include <string.h>

/* Powers of two, so that a field's bit can be turned into a mask by a shift. */
static uint32_t keep(uint32_t value, uint32_t fields, uint32_t field) {
    return value & (0u - ((fields / field) & 1u));
}

/* ---- header ------------------------------------------------------------------------------- */

enum {
    ALIGNMENT_CODES = 4,
    GUARD_SHIFT = 2,
    GUARD_FLIP = 3, /* a byte of 0 asks for the highest guard level */
    LOW_MEMORY_SHIFT = 4,
    SLOTS_SHIFT = 5,
    CLASS_SHIFT = 4,
    CLASS_LAYOUTS = 8, /* classes from here on are those of layouts, */
    CLASS_WIDE = 9,
    CLASS_MORE = 10, /* but this one has a byte more */
    CLASS_AUTO = 11,
    CLASS_LARGE = 12,  /* from here on: large regions in the classic layout */
    SMALL_MAX = 0x3FF, /* dwords of the others */
    MORE_LAYOUT_SHIFT = 4
};

static const uint8_t small_layouts[] = {LAB_LAYOUT_LEAN, LAB_LAYOUT_WIDE, LAB_LAYOUT_CLASSIC,
                                        LAB_LAYOUT_AUTO};

static const uint8_t alignments[ALIGNMENT_CODES] = {4, 8, 16, 4};
static_assert((1u << (8 - SLOTS_SHIFT)) == LAB_SLOT_COUNTS_COUNT, "each has a code");

static_assert(LAB_DWORDS_CLASSIC <= 0x3FFFF, "16 bits and the two low bits of the class reach it");
static_assert(LAB_DWORDS_MAX <= 0xFFFFF, "16 bits and the four low bits of the byte more do");

/* Code 0 means 16 slots and 1 means 8; the others follow their order. */
static uint32_t swap_slots(uint32_t code) {
    return code < 2 ? code ^ 1u : code;
}

/* Of the region's size and layout. */
static uint32_t class_of(const lab_config *config) {
    static const uint8_t small[LAB_LAYOUT_COUNT] = {[LAB_LAYOUT_CLASSIC] = 0,
                                                    [LAB_LAYOUT_LEAN] = CLASS_LAYOUTS,
                                                    [LAB_LAYOUT_WIDE] = CLASS_WIDE,
                                                    [LAB_LAYOUT_AUTO] = CLASS_AUTO};
    if (config->dwords <= SMALL_MAX) {
        return small[config->layout];
    }
    bool more = config->layout != LAB_LAYOUT_CLASSIC || config->dwords > LAB_DWORDS_CLASSIC;
    return more ? CLASS_MORE : CLASS_LARGE | config->dwords >> 16;
}

size_t lab_header_bytes(const lab_config *config) {
    return class_of(config) == CLASS_MORE ? LAB_HEADER_BYTES_MAX : LAB_HEADER_BYTES;
}

static void decode_header(lab_config *config, const uint8_t header[LAB_HEADER_BYTES_MAX]) {
    uint32_t flags = header[0];
    uint32_t low = header[1] | (uint32_t)header[2] << 8;
    uint32_t class = (uint32_t)header[3] >> CLASS_SHIFT;
    memset(config, 0, sizeof *config);
    config->alignment = alignments[flags & (ALIGNMENT_CODES - 1)];
    config->guard = (uint8_t)(((flags >> GUARD_SHIFT) & 3u) ^ GUARD_FLIP);
    config->low_memory = (uint8_t)((flags >> LOW_MEMORY_SHIFT) & 1u);
    config->slots = lab_slot_counts[swap_slots(flags >> SLOTS_SHIFT)];
    config->skew = header[3] & 0xFu;
    if (class >= CLASS_LARGE) {
        config->dwords = (low | (class & 3u) << 16) % (LAB_DWORDS_CLASSIC + 1);
    } else if (class == CLASS_MORE) {
        uint32_t more = header[LAB_HEADER_BYTES];
        config->dwords = (low | (more & 0xFu) << 16) % (LAB_DWORDS_MAX + 1);
        config->layout = (uint8_t)(more >> MORE_LAYOUT_SHIFT & 3u);
    } else {
        config->dwords = low & SMALL_MAX;
        config->layout = class < CLASS_LAYOUTS ? (uint8_t)LAB_LAYOUT_CLASSIC
                                               : small_layouts[class - CLASS_LAYOUTS];
    }
    if (config->layout == LAB_LAYOUT_LEAN) {
        config->guard = 0;
    }
}

static void encode_header(const lab_config *config, uint8_t *header) {
    uint32_t alignment = 0;
    while (alignment < ALIGNMENT_CODES - 1 && alignments[alignment] != config->alignment) {
        alignment++;
    }
    uint32_t slots = 0;
    while (slots < LAB_SLOT_COUNTS_COUNT - 1 &&
           lab_slot_counts[swap_slots(slots)] != config->slots) {
        slots++;
    }
    uint32_t class = class_of(config);
    uint32_t guard = (uint32_t)config->guard ^ GUARD_FLIP;
    header[0] = (uint8_t)(alignment | guard << GUARD_SHIFT |
                          (uint32_t)config->low_memory << LOW_MEMORY_SHIFT | slots << SLOTS_SHIFT);
    header[1] = (uint8_t)config->dwords;
    header[2] = (uint8_t)(config->dwords >> 8);
    header[3] = (uint8_t)(config->skew | class << CLASS_SHIFT);
    if (class == CLASS_MORE) {
        header[4] = (uint8_t)(config->dwords >> 16 | (uint32_t)config->layout << MORE_LAYOUT_SHIFT);
    }
}

/* ---- records ------------------------------------------------------------------------------ */

enum { KIND_CODES = 32, SIZE_CODES = 17, SIZE_CODES_USUAL = 16 };

/* As many entries of a table, from `first` on; a second entry for the same opcode is a warning. */
#define RUN_0(first, entry)
#define RUN_1(first, entry) [first] = (entry),
#define RUN_2(first, entry) RUN_1(first, entry)(entry),
#define RUN_3(first, entry) RUN_2(first, entry)(entry),
#define RUN_4(first, entry) RUN_3(first, entry)(entry),
#define RUN_5(first, entry) RUN_4(first, entry)(entry),
#define RUN_6(first, entry) RUN_5(first, entry)(entry),
#define RUN_7(first, entry) RUN_6(first, entry)(entry),
#define RUN_8(first, entry) RUN_7(first, entry)(entry),

/* What the low five bits of an opcode mean. */
static const uint8_t kinds[KIND_CODES] = {
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, ...)                 \
    RUN_##of_32(opcode, LAB_OP_##KIND)
#include "script/ops.def"
};

/* What whole bytes mean, and one more; 0: their low five bits count. */
static const uint8_t whole_bytes[UINT8_MAX + 1] = {
#define LAB_OP(KIND, name, word, size, slot, fields, optional, opcode, of_32, bytes, ...)          \
    RUN_##bytes(opcode, LAB_OP_##KIND + 1)
#include "script/ops.def"
};

static uint8_t kind_of(uint8_t opcode) {
    uint8_t whole = whole_bytes[opcode];
    return whole != 0 ? (uint8_t)(whole - 1) : kinds[opcode % KIND_CODES];
}

/* Values that are alignments mean themselves; the rest means 4 to 512 bytes, which fit into most
 * regions. */
static uint32_t align_of(uint32_t extra) {
    return extra <= LAB_ALIGN_MAX ? extra : 2 + extra % 8;
}

static uint32_t tag_of(uint32_t raw) {
    return lab_tag_is_valid(raw) ? raw : raw & 0x7FFF;
}

/* What the low four bits of a record's size code mean, and what the one code means that stands as a
 * whole byte for sizes near powers of two: most of them no memory holds. */
#define SIZE_CODE_POWER 0x5Au

static const lab_size size_codes[SIZE_CODES] = {
    {LAB_SIZE_BYTES, 0x3F},     {LAB_SIZE_BYTES, 0x3F},    {LAB_SIZE_BYTES, 0x3F},
    {LAB_SIZE_BYTES, 0x3FF},    {LAB_SIZE_BYTES, 0x3FF},   {LAB_SIZE_BYTES, 0xFFFF},
    {LAB_SIZE_BYTES, 0xFFFFFF}, {LAB_SIZE_MAX, 0xFFFFFF},  {LAB_SIZE_BYTES, 0x3F},
    {LAB_SIZE_BYTES, 0x3F},     {LAB_SIZE_BYTES, 0x3F},    {LAB_SIZE_BYTES, 0x3FF},
    {LAB_SIZE_BYTES, 0x3FF},    {LAB_SIZE_BYTES, 0xFFFF},  {LAB_SIZE_BYTES, 0xFFFFFF},
    {LAB_SIZE_HALF, 0xFFFFFF},  {LAB_SIZE_POWER, 0xFFFFFF}};

static uint8_t code_of(lab_size size) {
    uint8_t code = 0;
    while (code < SIZE_CODES - 1 &&
           (size_codes[code].kind != size.kind || size_codes[code].value < size.value)) {
        code++;
    }
    return code < SIZE_CODES_USUAL ? code : SIZE_CODE_POWER;
}

static uint32_t index_of_code(uint32_t code) {
    return code == SIZE_CODE_POWER ? SIZE_CODES_USUAL : code % SIZE_CODES_USUAL;
}

static void decode_record(lab_op *op, const uint8_t *record, uint32_t slot_mask) {
    uint8_t kind = kind_of(record[0]);
    uint32_t fields = lab_op_fields[kind];
    uint32_t extra = record[1];
    uint32_t slot = record[2] | (uint32_t)record[3] << 8;
    uint32_t raw_tag = record[4] | (uint32_t)record[5] << 8;
    const lab_size *code = &size_codes[index_of_code(record[6])];
    uint32_t value = record[7] | (uint32_t)record[8] << 8 | (uint32_t)record[9] << 16;

    op->kind = kind;
    op->align = (uint8_t)keep(align_of(extra), fields, LAB_FIELD_ALIGN);
    op->veto = (uint8_t)keep(extra, fields, LAB_FIELD_VETO);
    op->attack = (uint8_t)keep(extra % LAB_ATTACK_COUNT, fields, LAB_FIELD_ATTACK);
    op->reenter = (uint8_t)keep(raw_tag & 1u, fields, LAB_FIELD_REENTER);
    op->slot = (uint16_t)keep(slot & slot_mask, fields, LAB_FIELD_SLOT);
    op->tag = (uint16_t)keep(tag_of(raw_tag), fields, LAB_FIELD_TAG);
    op->tag_high = (uint16_t)keep(value & 0xFFFFu, fields, LAB_FIELD_TAG_HIGH);
    op->size.kind = keep(code->kind, fields, LAB_FIELD_SIZE);
    op->size.value = keep(value & code->value, fields, LAB_FIELD_SIZE);
}

/* Unused fields are 0, and so are their bytes: no kind uses two fields that share bytes (ops.c). */
static void encode_record(const lab_op *op, uint8_t *record) {
    uint32_t raw_tag = (uint32_t)op->tag | op->reenter;
    uint32_t value = op->size.value | op->tag_high;
    record[0] = lab_op_rules[op->kind].opcode;
    record[1] = (uint8_t)(op->align | op->veto | op->attack);
    record[2] = (uint8_t)op->slot;
    record[3] = (uint8_t)(op->slot >> 8);
    record[4] = (uint8_t)raw_tag;
    record[5] = (uint8_t)(raw_tag >> 8);
    record[6] = code_of(op->size);
    record[7] = (uint8_t)value;
    record[8] = (uint8_t)(value >> 8);
    record[9] = (uint8_t)(value >> 16);
}

/* ---- scripts ------------------------------------------------------------------------------ */

bool lab_script_decode(lab_script *script, const uint8_t *bytes, size_t size) {
    uint8_t header[LAB_HEADER_BYTES_MAX] = {0};
    for (size_t i = 0; i < LAB_HEADER_BYTES_MAX && i < size; i++) {
        header[i] = bytes[i];
    }
    decode_header(&script->config, header);
    script->count = 0;

    size_t start = header[3] >> CLASS_SHIFT == CLASS_MORE ? LAB_HEADER_BYTES_MAX : LAB_HEADER_BYTES;
    size_t count = size < start ? 0 : (size - start) / LAB_RECORD_BYTES;
    if (count == 0) {
        return true;
    }
    if (!lab_script_reserve(script, count)) {
        return false;
    }
    const uint8_t *record = bytes + start;
    for (size_t i = 0; i < count; i++) {
        decode_record(&script->ops[i], record, script->config.slots - 1);
        record += LAB_RECORD_BYTES;
    }
    script->count = count;
    return true;
}

size_t lab_script_encode(const lab_script *script, uint8_t *bytes, size_t capacity) {
    size_t start = lab_header_bytes(&script->config);
    size_t needed = start + script->count * LAB_RECORD_BYTES;
    assert(lab_config_is_valid(&script->config));
    if (needed > capacity) {
        return needed;
    }
    encode_header(&script->config, bytes);
    uint8_t *record = bytes + start;
    for (size_t i = 0; i < script->count; i++) {
        assert(lab_op_is_valid(&script->ops[i], &script->config));
        encode_record(&script->ops[i], record);
        record += LAB_RECORD_BYTES;
    }
    return needed;
}

/* ---- with the subject's number in front ---------------------------------------------------- */

bool lab_script_decode_numbered(lab_script *script, const uint8_t *bytes, size_t size) {
    size_t number = size > 0 ? 1 : 0;
    bool done = lab_script_decode(script, bytes + number, size - number);
    script->config.subject =
        (uint8_t)(1 + (size > 0 ? bytes[0] : 0) % (lab_subject_names_count - 1));
    return done;
}

size_t lab_script_encode_input(const lab_script *script, uint8_t *bytes, size_t capacity) {
    size_t number = script->config.subject != LAB_SUBJECT_HEAP ? 1 : 0;
    size_t size = number + lab_script_encode(script, NULL, 0);
    if (size <= capacity) {
        bytes[0] = (uint8_t)(script->config.subject - 1); /* overwritten if there is no number */
        (void)lab_script_encode(script, bytes + number, capacity - number);
    }
    return size;
}
