/* SPDX-License-Identifier: MIT */
#include "synthesis/script.h"

#include <stdio.h>
#include <string.h>

#include "script/characters.h"

static const char words[] = LAB_SYNTHESIS_WORDS;

enum { HEAD_CHARACTERS = 3, OP_CHARACTERS = 4, SIZES = 3, ALIGNMENTS = 3, CHOICES = 8 };

static uint8_t what_of(uint8_t c) {
    const char *at = c != 0 ? strchr(words, c) : NULL;
    return (uint8_t)(at != NULL ? at - words : c % LAB_SYNTHESIS_WHATS);
}

static uint8_t number_of(uint8_t c) {
    return (uint8_t)(lab_characters_number(c) % LAB_SYNTHESIS_NUMBERS);
}

void lab_synthesis_decode(lab_synthesis_script *script, const uint8_t *bytes, size_t size) {
    lab_characters in = {bytes, size, 0};
    uint8_t head[HEAD_CHARACTERS] = {'0', '0', '0'};
    uint8_t op[OP_CHARACTERS];
    *script = (lab_synthesis_script){0};
    (void)lab_characters_next(&in, head, HEAD_CHARACTERS);
    uint8_t choices = (uint8_t)(number_of(head[2]) % CHOICES);
    script->alignment = (uint8_t)(2 + number_of(head[0]) % ALIGNMENTS);
    script->size = (uint8_t)(number_of(head[1]) % SIZES);
    script->locked = (choices & 1) != 0;
    script->indexed = (choices & 2) != 0;
    script->wide = (choices & 4) != 0;
    while (script->count < LAB_SYNTHESIS_OPS_MAX && lab_characters_next(&in, op, OP_CHARACTERS)) {
        script->ops[script->count++] =
            (lab_synthesis_op){what_of(op[0]), (uint8_t)(number_of(op[1]) % LAB_SYNTHESIS_SLOTS),
                               number_of(op[2]), number_of(op[3])};
    }
}

static char character(unsigned number) {
    return (char)('0' + number);
}

void lab_synthesis_encode(const lab_synthesis_script *script, char text[LAB_SYNTHESIS_TEXT_MAX]) {
    char *at = text;
    *at++ = character(script->alignment - 2u);
    *at++ = character(script->size);
    *at++ = character((unsigned)script->locked + 2u * script->indexed + 4u * script->wide);
    for (uint32_t i = 0; i < script->count; i++) {
        const lab_synthesis_op *op = &script->ops[i];
        *at++ = ' ';
        *at++ = words[op->what];
        *at++ = character(op->slot);
        *at++ = character(op->x);
        *at++ = character(op->y);
    }
    *at = '\0';
}

/* ---- in words ----------------------------------------------------------------------------- */

static const char *const field_names[LAB_HEADER_FIELD_COUNT] = {
    "prev", "next", "tag", "size", "end", "requested", "site", "align"};

static const char *describe_value(unsigned y) {
    static const char *const plain[] = {"0",        "0xffffffff", "0xfdfdfdfd", "0x41414141",
                                        "itself+1", "itself-1",   "itself+4",   "itself-4"};
    static const char *const special[] = {
        "tag:=FREE",           "tag:=HEAD",  "tag:=TAIL", "up to the next end",
        "the region's dwords", "0x80000000", "0x10000"};
    static char text[32];
    if (y < LAB_VALUE_BIT) {
        return plain[y];
    }
    if (y >= LAB_VALUE_FREE) {
        return special[y - LAB_VALUE_FREE];
    }
    if (y < LAB_VALUE_PLACE) {
        (void)snprintf(text, sizeof text, "itself^bit %u", y - LAB_VALUE_BIT);
    } else if (y < LAB_VALUE_LAST) {
        (void)snprintf(text, sizeof text, "offset of s%u", y - LAB_VALUE_PLACE);
    } else if (y == LAB_VALUE_LAST) {
        (void)snprintf(text, sizeof text, "offset of LAST");
    } else if (y < LAB_VALUE_MORE) {
        (void)snprintf(text, sizeof text, "%u", 4 * (y - LAB_VALUE_SMALL + 1));
    } else {
        bool more = y < LAB_VALUE_LESS;
        (void)snprintf(text, sizeof text, "itself%c%u%s", more ? '+' : '-',
                       y - (more ? LAB_VALUE_MORE : LAB_VALUE_LESS) + 1, " dwords");
    }
    return text;
}

static void describe_attack(const lab_synthesis_op *op, char *text, size_t capacity) {
    const char *value = describe_value(op->y);
    const char *field = field_names[op->x % LAB_HEADER_FIELD_COUNT];
    unsigned s = op->slot;
    unsigned x = op->x;
    switch ((lab_synthesis_what)op->what) {
    case LAB_SYNTHESIS_OVERFLOW:
        (void)snprintf(text, capacity, "write s%u.end+%u := %s", s, x, value);
        break;
    case LAB_SYNTHESIS_UNDERFLOW:
        (void)snprintf(text, capacity, "write s%u.payload-%u := %s", s, x + 4, value);
        break;
    case LAB_SYNTHESIS_PAYLOAD:
        (void)snprintf(text, capacity, "write s%u.payload[%u] := %s", s, x, value);
        break;
    case LAB_SYNTHESIS_FILL:
        (void)snprintf(text, capacity, "fill s%u.payload := %s", s, value);
        break;
    case LAB_SYNTHESIS_EDGE:
        (void)snprintf(text, capacity, "write %s.header[%u] := %s", s % 2 == 0 ? "FIRST" : "LAST",
                       x % 8, value);
        break;
    case LAB_SYNTHESIS_HEADER:
        (void)snprintf(text, capacity, "write s%u.header[%u] := %s", s, x % 8, value);
        break;
    case LAB_SYNTHESIS_FIELD:
        (void)snprintf(text, capacity, "write s%u.%s := %s", s, field, value);
        break;
    case LAB_SYNTHESIS_INDEX:
        (void)snprintf(text, capacity, "write index[%u] := %s", s * LAB_SYNTHESIS_NUMBERS + x,
                       value);
        break;
    case LAB_SYNTHESIS_CONTROL:
        (void)snprintf(text, capacity, "write control[%u] := %s", x, value);
        break;
    case LAB_SYNTHESIS_LEAK:
        (void)snprintf(text, capacity, "pocket%u := s%u.header", s % LAB_SYNTHESIS_POCKETS,
                       x % LAB_SYNTHESIS_SLOTS);
        break;
    case LAB_SYNTHESIS_REPLAY:
        (void)snprintf(text, capacity, "write pocket%u back", s % LAB_SYNTHESIS_POCKETS);
        break;
    case LAB_SYNTHESIS_MAKE_UP:
        (void)snprintf(text, capacity, "pocket%u.%s := %s", s % LAB_SYNTHESIS_POCKETS, field,
                       value);
        break;
    case LAB_SYNTHESIS_PASTE:
    case LAB_SYNTHESIS_FORGE:
        (void)snprintf(text, capacity, "write s%u.header+%u dwords := pocket%u%s", s, x,
                       op->y % LAB_SYNTHESIS_POCKETS,
                       op->what == LAB_SYNTHESIS_FORGE ? ", check computed" : "");
        break;
    case LAB_SYNTHESIS_COMPUTED:
        (void)snprintf(text, capacity, "write s%u.%s := %s, check computed", s, field, value);
        break;
    default:
        (void)snprintf(text, capacity, "free s%u.payload+%u dwords", s, x);
        break;
    }
}

const char *lab_synthesis_describe(const lab_synthesis_op *op) {
    static char text[96];
    unsigned s = op->slot;
    unsigned x = op->x;
    const char *inside = op->y % 2 == 1 ? " (the next one is done in its callback)" : "";
    switch ((lab_synthesis_what)op->what) {
    case LAB_SYNTHESIS_ALLOC:
        (void)snprintf(text, sizeof text, "s%u = alloc HEAD %u bytes, tag %u", s, x + 1, op->y % 4);
        break;
    case LAB_SYNTHESIS_ALIGNED:
        (void)snprintf(text, sizeof text, "s%u = alloc HEAD %u bytes, aligned to %u", s, x + 1,
                       8u << op->y % 4);
        break;
    case LAB_SYNTHESIS_TAIL:
        (void)snprintf(text, sizeof text, "s%u = alloc TAIL %u bytes, tag %u", s, x + 1, op->y % 4);
        break;
    case LAB_SYNTHESIS_FREE:
        (void)snprintf(text, sizeof text, "free s%u", s);
        break;
    case LAB_SYNTHESIS_RESIZE:
        (void)snprintf(text, sizeof text, "resize s%u to %u bytes", s, 2 * x + 1);
        break;
    case LAB_SYNTHESIS_TRIM:
        (void)snprintf(text, sizeof text, "trim s%u", s);
        break;
    case LAB_SYNTHESIS_RETAG:
        (void)snprintf(text, sizeof text, "retag s%u to %u", s, op->y % 4);
        break;
    case LAB_SYNTHESIS_FREE_TAGS:
        (void)snprintf(text, sizeof text, "free %s tags %u..%u", s % 2 == 0 ? "HEAD" : "TAIL",
                       x % 4, op->y % 4);
        break;
    case LAB_SYNTHESIS_COMPACT:
        (void)snprintf(text, sizeof text, "compact, veto %u%s", x % LAB_SYNTHESIS_SLOTS, inside);
        break;
    case LAB_SYNTHESIS_COMPACT_SOME:
        (void)snprintf(text, sizeof text, "compact %u bytes%s", x, inside);
        break;
    default:
        describe_attack(op, text, sizeof text);
        break;
    }
    return text;
}

const char *lab_synthesis_describe_heap(const lab_synthesis_script *script) {
    static char text[64];
    (void)snprintf(text, sizeof text, "alignment %u, size %u, %s, %s", 1u << script->alignment,
                   script->size, script->indexed ? "indexed" : "no index",
                   script->locked ? "locked" : "no lock");
    return text;
}

const char *lab_synthesis_class_name(lab_synthesis_what what) {
    static const char *const names[LAB_SYNTHESIS_WHATS] = {
        [LAB_SYNTHESIS_OVERFLOW] = "write past the end",
        [LAB_SYNTHESIS_UNDERFLOW] = "write before the beginning",
        [LAB_SYNTHESIS_PAYLOAD] = "write of a dword after free",
        [LAB_SYNTHESIS_FILL] = "write of a whole payload after free",
        [LAB_SYNTHESIS_EDGE] = "write to the header of FIRST or LAST",
        [LAB_SYNTHESIS_HEADER] = "write to a dword of a header",
        [LAB_SYNTHESIS_FIELD] = "write to a field of a header",
        [LAB_SYNTHESIS_INDEX] = "write to the index",
        [LAB_SYNTHESIS_CONTROL] = "write to the th_heap",
        [LAB_SYNTHESIS_REPLAY] = "old header written back",
        [LAB_SYNTHESIS_PASTE] = "header copied elsewhere",
        [LAB_SYNTHESIS_FORGE] = "header copied or made up, check word computed",
        [LAB_SYNTHESIS_COMPUTED] = "field of a header and its check word, computed",
        [LAB_SYNTHESIS_POINTER] = "free of a pointer to what was made up",
    };
    return names[what] != NULL ? names[what] : "no attack";
}

lab_synthesis_what lab_synthesis_class(const lab_synthesis_script *script) {
    lab_synthesis_what most = LAB_SYNTHESIS_ALLOC;
    for (uint32_t i = 0; i < script->count; i++) {
        lab_synthesis_what what = (lab_synthesis_what)script->ops[i].what;
        most = lab_synthesis_is_attack(what) && what > most ? what : most;
    }
    return most;
}
