/* SPDX-License-Identifier: MIT */
#include "script/items.h"

#include <assert.h>
#include <string.h>

/* ---- printing ----------------------------------------------------------------------------- */

static void put_slot(lab_line *out, const lab_op *op) {
    lab_put_decimal(out, op->slot);
}

static void put_tag(lab_line *out, const lab_op *op) {
    lab_put_hex(out, op->tag, 4);
}

static void put_tags(lab_line *out, const lab_op *op) {
    lab_put_hex(out, op->tag, 4);
    lab_put_text(out, "..");
    lab_put_hex(out, op->tag_high, 4);
}

/* What stands before the number, by kind of size. */
static const char *const size_prefixes[] = {[LAB_SIZE_BYTES] = "",
                                            [LAB_SIZE_HALF] = "half+",
                                            [LAB_SIZE_MAX] = "max-",
                                            [LAB_SIZE_POWER] = "2^"};

enum { SIZE_KINDS = sizeof size_prefixes / sizeof size_prefixes[0] };

static void put_size(lab_line *out, const lab_op *op) {
    lab_put_text(out, size_prefixes[op->size.kind]);
    if (op->size.kind != LAB_SIZE_POWER) {
        lab_put_decimal(out, op->size.value);
        return;
    }
    int32_t distance = lab_size_distance(op->size);
    lab_put_decimal(out, lab_size_exponent(op->size));
    if (distance != 0) {
        lab_put_text(out, distance < 0 ? "-" : "+");
        lab_put_decimal(out, (size_t)(distance < 0 ? -distance : distance));
    }
}

static void put_align(lab_line *out, const lab_op *op) {
    lab_put_decimal(out, lab_align_number(op->align));
}

static void put_veto(lab_line *out, const lab_op *op) {
    lab_put_hex(out, op->veto, 2);
}

static void put_attack(lab_line *out, const lab_op *op) {
    lab_put_text(out, lab_attack_rules[op->attack].name);
}

static void put_batch_count(lab_line *out, const lab_op *op) {
    lab_put_decimal(out, lab_batch_count(op->size));
}

static void put_batch_bytes(lab_line *out, const lab_op *op) {
    lab_put_decimal(out, lab_batch_bytes(op->size));
}

static bool reenters(const lab_op *op) {
    return op->reenter != 0;
}

static bool checks_end(const lab_op *op) {
    return lab_tag_checks_end(op->tag);
}

static bool uses_all(const lab_op *op) {
    return lab_tag_uses_all(op->tag);
}

/* ---- values ------------------------------------------------------------------------------- */

static bool read_slot(lab_word text, const lab_config *config, lab_op *op) {
    uint32_t number;
    if (!lab_word_number(text, config->slots - 1, &number)) {
        return false;
    }
    op->slot = (uint16_t)number;
    return true;
}

static bool read_tag(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    uint32_t number;
    if (!lab_word_number(text, UINT16_MAX, &number) || !lab_tag_is_valid(number)) {
        return false;
    }
    op->tag = (uint16_t)number;
    return true;
}

static bool read_tags(lab_word text, const lab_config *config, lab_op *op) {
    size_t dots = 0;
    while (dots < text.size && !lab_word_begins(lab_word_rest(text, dots), "..")) {
        dots++;
    }
    uint32_t high;
    if (dots == text.size || !read_tag((lab_word){text.bytes, dots}, config, op) ||
        !lab_word_number(lab_word_rest(text, dots + 2), UINT16_MAX, &high)) {
        return false;
    }
    op->tag_high = (uint16_t)high;
    return true;
}

/* K, K+N or K-N. */
static bool read_near(lab_word text, lab_size *size) {
    size_t at = 0;
    uint32_t exponent;
    uint32_t distance = 0;
    while (at < text.size && text.bytes[at] != '+' && text.bytes[at] != '-') {
        at++;
    }
    bool is_less = at < text.size && text.bytes[at] == '-';
    if (!lab_word_number((lab_word){text.bytes, at}, LAB_EXPONENT_MAX, &exponent) ||
        (at < text.size && !lab_word_number(lab_word_rest(text, at + 1),
                                            LAB_DISTANCE_MAX + (is_less ? 1 : 0), &distance))) {
        return false;
    }
    *size = lab_size_near(exponent, is_less ? -(int32_t)distance : (int32_t)distance);
    return true;
}

static bool read_size(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    uint8_t kind = SIZE_KINDS - 1;
    while (!lab_word_begins(text, size_prefixes[kind])) {
        kind--; /* ends at LAB_SIZE_BYTES, whose prefix is empty */
    }
    uint32_t number;
    lab_word rest = lab_word_rest(text, strlen(size_prefixes[kind]));
    if (kind == LAB_SIZE_POWER) {
        return read_near(rest, &op->size);
    }
    if (!lab_word_number(rest, LAB_SIZE_VALUE_MAX, &number)) {
        return false;
    }
    op->size.kind = kind;
    op->size.value = number;
    return true;
}

static bool read_align(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    uint64_t number;
    if (!lab_word_long(text, UINT64_MAX, &number)) {
        return false;
    }
    for (uint8_t align = 0; align <= LAB_ALIGN_MAX; align++) {
        if (lab_align_number(align) == number) {
            op->align = align;
            return true;
        }
    }
    return false;
}

static bool read_veto(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    uint32_t number;
    if (!lab_word_number(text, UINT8_MAX, &number)) {
        return false;
    }
    op->veto = (uint8_t)number;
    return true;
}

static bool read_attack(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    for (uint8_t i = 0; i < LAB_ATTACK_COUNT; i++) {
        if (lab_word_equals(text, lab_attack_rules[i].name)) {
            op->attack = i;
            return true;
        }
    }
    return false;
}

static bool read_reenter(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    op->reenter = 1;
    return text.size == 0;
}

static bool read_check_end(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    op->tag = (uint16_t)lab_tag_asking(op->tag, true, lab_tag_uses_all(op->tag));
    return text.size == 0;
}

static bool read_use_all(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    op->tag = (uint16_t)lab_tag_asking(op->tag, lab_tag_checks_end(op->tag), true);
    return text.size == 0;
}

static bool read_batch_count(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    uint32_t number;
    if (!lab_word_number(text, LAB_BATCH_COUNT_MAX, &number)) {
        return false;
    }
    op->size = lab_batch_size(number, lab_batch_bytes(op->size));
    return true;
}

static bool read_batch_bytes(lab_word text, const lab_config *config, lab_op *op) {
    (void)config;
    uint32_t number;
    if (!lab_word_number(text, LAB_BATCH_BYTES_MAX, &number) || number == 0) {
        return false;
    }
    op->size = lab_batch_size(lab_batch_count(op->size), number);
    return true;
}

/* ---- tables ------------------------------------------------------------------------------- */

/* In the order of printing; the first whose fields an operation has is the item meant. */
static const lab_item items[] = {
    {LAB_FIELD_SLOT, "s", "N, N less than the heap's slots", "N", "slot", read_slot, put_slot,
     NULL},
    {LAB_FIELD_ATTACK, "on=", "WHAT, one that `heaplab operations` lists", "WHAT", NULL,
     read_attack, put_attack, NULL},
    {LAB_FIELD_TAG | LAB_FIELD_TAG_HIGH, "", "LOW..HIGH, LOW a tag, HIGH up to 0xffff", "LOW..HIGH",
     "tags", read_tags, put_tags, NULL},
    {LAB_FIELD_TAG, "tag=", "N, N up to 0x7fff or 0xff00 to 0xffff", "T", NULL, read_tag, put_tag,
     NULL},
    {LAB_FIELD_SIZE, NULL, "N, half+N, max-N, N up to 0xffffff, or 2^K, 2^K+N, 2^K-N", "S", NULL,
     read_size, put_size, NULL},
    {LAB_FIELD_BATCH_COUNT, "count=", "N, N up to 7", "C", NULL, read_batch_count, put_batch_count,
     NULL},
    {LAB_FIELD_BATCH_BYTES, "bytes=", "N, N from 1 to 2097152", "S", NULL, read_batch_bytes,
     put_batch_bytes, NULL},
    {LAB_FIELD_ALIGN, "align=", "N, a power of two or 0, 3, 5, 6, 12, 24, 48, 96", "A", NULL,
     read_align, put_align, NULL},
    {LAB_FIELD_CHECK_END, "check-end", "", "", "\"check-end\"", read_check_end, NULL, checks_end},
    {LAB_FIELD_USE_ALL, "use-all", "", "", "\"use-all\"", read_use_all, NULL, uses_all},
    {LAB_FIELD_VETO, "veto=", "N, N up to 0xff", "V", NULL, read_veto, put_veto, NULL},
    {LAB_FIELD_REENTER, "reenter", "", "", "\"reenter\"", read_reenter, NULL, reenters},
};

enum { ITEMS = sizeof items / sizeof items[0] };

static_assert(LAB_BATCH_COUNT_MAX == 7 && LAB_BATCH_BYTES_MAX == 2097152, "the messages say so");

lab_phrase lab_phrase_of_op(lab_op_kind kind) {
    const lab_op_rule *rule = &lab_op_rules[kind];
    return (lab_phrase){rule->word, rule->size_prefix, lab_op_fields[kind], rule->optional};
}

lab_phrase lab_phrase_of_deed(const lab_deed_rule *rule) {
    return (lab_phrase){rule->word, rule->size_prefix, rule->fields,
                        rule->fields & (LAB_FIELD_ASKS | LAB_FIELD_VETO | LAB_FIELD_REENTER)};
}

const char *lab_item_prefix(const lab_item *item, const lab_phrase *phrase) {
    return item->prefix != NULL ? item->prefix : phrase->size_prefix;
}

static bool takes(unsigned fields, const lab_item *item) {
    return (fields & item->fields) == item->fields;
}

const lab_item *lab_item_find(lab_word text, const lab_phrase *phrase) {
    unsigned fields = phrase->fields;
    for (const lab_item *item = items; item < items + ITEMS; item++) {
        if (takes(fields, item)) {
            if (lab_word_begins(text, lab_item_prefix(item, phrase))) {
                return item;
            }
            fields &= ~(unsigned)item->fields;
        }
    }
    return NULL;
}

void lab_item_forms(const lab_phrase *phrase, unsigned fields, char *list, size_t capacity) {
    lab_line out = {list, 0, capacity - 1};
    for (const lab_item *item = items; item < items + ITEMS; item++) {
        if (takes(fields, item)) {
            lab_put_text(&out, " ");
            lab_put_text(&out, lab_item_prefix(item, phrase));
            lab_put_bytes(&out, item->wanted, strcspn(item->wanted, ",:"));
            fields &= ~(unsigned)item->fields;
        }
    }
    list[out.size] = '\0';
}

/* ---- lines -------------------------------------------------------------------------------- */

void lab_items_put(lab_line *out, const lab_phrase *phrase, const lab_op *op) {
    unsigned fields = phrase->fields;
    for (const lab_item *item = items; item < items + ITEMS; item++) {
        if (!takes(fields, item) || (item->is_set != NULL && !item->is_set(op))) {
            continue;
        }
        lab_put_text(out, " ");
        lab_put_text(out, lab_item_prefix(item, phrase));
        if (item->put != NULL) {
            item->put(out, op);
        }
        fields &= ~(unsigned)item->fields;
    }
}

/* The phrase's items, each put by `put` after what joins it to the last. */
static void put_each(lab_line *out, const lab_phrase *phrase, const char *joint,
                     void (*put)(lab_line *out, const lab_item *item, const char *prefix)) {
    unsigned fields = phrase->fields;
    for (const lab_item *item = items; item < items + ITEMS; item++) {
        if (takes(fields, item)) {
            bool optional = (phrase->optional & item->fields) != 0;
            lab_put_text(out, joint);
            lab_put_text(out, optional ? "[" : "");
            put(out, item, lab_item_prefix(item, phrase));
            lab_put_text(out, optional ? "]" : "");
            fields &= ~(unsigned)item->fields;
        }
    }
}

static void put_usage(lab_line *out, const lab_item *item, const char *prefix) {
    lab_put_text(out, prefix);
    lab_put_text(out, item->value);
}

static void put_symbol(lab_line *out, const lab_item *item, const char *prefix) {
    if (item->symbol != NULL) {
        lab_put_text(out, item->symbol);
    } else {
        lab_put_bytes(out, prefix, strcspn(prefix, "="));
    }
}

void lab_phrase_put_usage(lab_line *out, const lab_phrase *phrase) {
    lab_put_text(out, phrase->word);
    put_each(out, phrase, " ", put_usage);
}

void lab_phrase_put_production(lab_line *out, const lab_phrase *phrase) {
    lab_put_text(out, "\"");
    lab_put_text(out, phrase->word);
    lab_put_text(out, "\"");
    put_each(out, phrase, " , ", put_symbol);
}
