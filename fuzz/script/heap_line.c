/* SPDX-License-Identifier: MIT */
/* The heap line. One number of the bytes, the skew, means several things, each of which has a key
 * of its own: where the memory starts, and on the heap whether there are lock hooks and an index,
 * on a subject which variant of it is made. What is given of them says what the skew must be; if
 * that is not all, the lowest one is taken. */
#include "script/heap_line.h"

#include <assert.h>
#include <string.h>

typedef enum key_print {
    ALWAYS,
    SET,       /* unless it is the initial one */
    OF_HEAP,   /* if the script is for the heap */
    OF_SUBJECT /* if it is for another subject */
} key_print;

/* A key of the heap line. */
typedef struct key_rule {
    const char *prefix;
    uint32_t initial, max;
    const uint32_t *choices;  /* if not NULL: only these, of which the last is `max` */
    const char *const *names; /* if not NULL: names[0 .. max] */
    uint8_t print;            /* key_print */
    const char *wanted;
} key_rule;

enum {
    KEY_DWORDS,
    KEY_ALIGN,
    KEY_GUARD,
    KEY_SLOTS,
    KEY_LOW_MEMORY,
    KEY_START,
    KEY_LOCKS,
    KEY_INDEX,
    KEY_VARIANT,
    KEY_SKEW,
    KEY_LAYOUT,
    KEY_SUBJECT,
    KEY_FAMILY,
    KEYS
};

#define IS_GIVEN(given, key) (((given) >> (key)&1) != 0)

static const uint32_t alignments[] = {4, 8, 16};

static const key_rule keys[KEYS] = {
    [KEY_DWORDS] = {"dwords=", 0, LAB_DWORDS_MAX, NULL, NULL, ALWAYS, "N, N up to 0xc0000"},
    [KEY_ALIGN] = {"align=", 4, 16, alignments, NULL, ALWAYS, "4, 8 or 16"},
    [KEY_GUARD] = {"guard=", 3, 3, NULL, NULL, ALWAYS, "0 to 3"},
    [KEY_SLOTS] = {"slots=", 16, LAB_SLOTS_MAX, lab_slot_counts, NULL, ALWAYS,
                   LAB_SLOT_COUNTS_TEXT},
    [KEY_LOW_MEMORY] = {"lowmem=", 0, 1, NULL, NULL, OF_HEAP, "0 or 1"},
    [KEY_START] = {"start=", 0, LAB_SKEW_MAX * 16, NULL, NULL, ALWAYS, "N, N up to 15 x align"},
    [KEY_LOCKS] = {"locks=", 0, 1, NULL, NULL, OF_HEAP, "0 or 1"},
    [KEY_INDEX] = {"index=", 0, 1, NULL, NULL, OF_HEAP, "0 or 1"},
    [KEY_VARIANT] = {"variant=", 0, LAB_SKEW_MAX, NULL, NULL, OF_SUBJECT, "0 to 15"},
    [KEY_SKEW] = {"skew=", 0, LAB_SKEW_MAX, NULL, NULL, SET, "0 to 15"},
    [KEY_LAYOUT] = {"layout=", LAB_LAYOUT_CLASSIC, LAB_LAYOUT_COUNT - 1, NULL, lab_layout_names,
                    SET, "classic, lean, wide or auto"},
    [KEY_SUBJECT] = {"subject=", LAB_SUBJECT_HEAP, LAB_SUBJECTS_MAX, NULL, lab_subject_names, SET,
                     "a name `heaplab subjects` lists"},
    [KEY_FAMILY] = {"family=", 0, LAB_FAMILY_HEAP - 1, NULL, lab_family_names, SET,
                    "blocks, marks, frames or tags"},
};

static_assert(LAB_DWORDS_MAX == 0xC0000 && LAB_SKEW_MAX == 15 && LAB_FAMILY_HEAP == 4,
              "the messages say so");

/* ---- printing ----------------------------------------------------------------------------- */

static bool is_printed(const key_rule *key, uint32_t value, bool of_heap) {
    switch ((key_print)key->print) {
    case OF_HEAP:
        return of_heap || value != key->initial;
    case OF_SUBJECT:
        return !of_heap;
    case SET:
        return value != key->initial;
    case ALWAYS:
        break;
    }
    return true;
}

void lab_heap_line_put(lab_line *out, const lab_config *config) {
    bool of_heap = lab_config_family(config) == LAB_FAMILY_HEAP;
    const uint32_t values[KEYS] = {[KEY_DWORDS] = config->dwords,
                                   [KEY_ALIGN] = config->alignment,
                                   [KEY_GUARD] = config->guard,
                                   [KEY_SLOTS] = config->slots,
                                   [KEY_LOW_MEMORY] = config->low_memory,
                                   [KEY_START] = lab_config_start_bytes(config),
                                   [KEY_LOCKS] = of_heap && lab_config_has_locks(config),
                                   [KEY_INDEX] = of_heap && lab_config_has_index(config),
                                   [KEY_VARIANT] = config->skew,
                                   [KEY_LAYOUT] = config->layout,
                                   [KEY_SUBJECT] = config->subject,
                                   [KEY_FAMILY] = config->plugin_family};
    lab_put_text(out, "heap");
    for (unsigned i = 0; i < KEYS; i++) {
        if (is_printed(&keys[i], values[i], of_heap)) {
            lab_put_text(out, " ");
            lab_put_text(out, keys[i].prefix);
            if (keys[i].names != NULL) {
                lab_put_text(out, keys[i].names[values[i]]);
            } else {
                lab_put_decimal(out, values[i]);
            }
        }
    }
}

/* ---- parsing ------------------------------------------------------------------------------ */

static const lab_word nothing;

static bool read_name(lab_word text, const key_rule *key, uint32_t *value) {
    *value = 0;
    while (*value <= key->max && !lab_word_equals(text, key->names[*value])) {
        ++*value;
    }
    return *value <= key->max;
}

static bool is_choice(const key_rule *key, uint32_t value) {
    const uint32_t *choice = key->choices;
    while (*choice != value && *choice != key->max) {
        choice++;
    }
    return *choice == value;
}

static bool parse_key(lab_parser *p, lab_word text, uint32_t values[KEYS], unsigned *given) {
    unsigned i = 0;
    while (i < KEYS && !lab_word_begins(text, keys[i].prefix)) {
        i++;
    }
    if (i == KEYS) {
        return lab_parser_fail(p, text.bytes, text,
                               "expected dwords=, align=, guard=, slots=, lowmem=, start=, locks=, "
                               "index=, variant=, layout=, subject= or family=; found ",
                               LAB_NO_MORE);
    }
    const key_rule *key = &keys[i];
    if (IS_GIVEN(*given, i)) {
        return lab_parser_fail(p, text.bytes, text, "expected one ", key->prefix,
                               "; found another: ", LAB_NO_MORE);
    }
    *given |= 1u << i;
    uint32_t value;
    lab_word rest = lab_word_rest(text, strlen(key->prefix));
    bool valid =
        key->names != NULL ? read_name(rest, key, &value) : lab_word_number(rest, key->max, &value);
    if (valid && key->choices != NULL) {
        valid = is_choice(key, value);
    }
    if (!valid) {
        return lab_parser_fail(p, text.bytes, text, "expected ", key->prefix, key->wanted,
                               "; found ", LAB_NO_MORE);
    }
    values[i] = value;
    return true;
}

/* Is the configuration's skew one that all keys allow which were given? */
static bool agrees(const lab_config *config, const uint32_t values[KEYS], unsigned given) {
    return (!IS_GIVEN(given, KEY_SKEW) || config->skew == values[KEY_SKEW]) &&
           (!IS_GIVEN(given, KEY_START) || lab_config_start_bytes(config) == values[KEY_START]) &&
           (!IS_GIVEN(given, KEY_LOCKS) || lab_config_has_locks(config) == values[KEY_LOCKS]) &&
           (!IS_GIVEN(given, KEY_INDEX) || lab_config_has_index(config) == values[KEY_INDEX]) &&
           (!IS_GIVEN(given, KEY_VARIANT) || config->skew == values[KEY_VARIANT]);
}

static bool find_skew(lab_parser *p, lab_word name, const uint32_t values[KEYS], unsigned given) {
    lab_config *config = &p->script->config;
    bool of_heap = lab_config_family(config) == LAB_FAMILY_HEAP;
    if (of_heap && IS_GIVEN(given, KEY_VARIANT)) {
        return lab_parser_fail(p, name.bytes, nothing,
                               "expected variant= beside another subject than the heap",
                               LAB_NO_MORE);
    }
    if (!of_heap && (IS_GIVEN(given, KEY_LOCKS) || IS_GIVEN(given, KEY_INDEX))) {
        return lab_parser_fail(p, name.bytes, nothing,
                               "expected locks= and index= beside no subject but the heap",
                               LAB_NO_MORE);
    }
    for (unsigned skew = 0; skew <= LAB_SKEW_MAX; skew++) {
        config->skew = (uint8_t)skew;
        if (agrees(config, values, given)) {
            return true;
        }
    }
    return lab_parser_fail(p, name.bytes, nothing,
                           of_heap
                               ? "expected start=N, N / align = K from 0 to 15, locks=1 iff K is "
                                 "even, index=1 iff K modulo 4 is 0 or 1"
                               : "expected start=N, N / align from 0 to 15, and variant= the "
                                 "same",
                           LAB_NO_MORE);
}

bool lab_heap_line_parse(lab_parser *p, lab_word name) {
    if (!lab_word_equals(name, "heap")) {
        return lab_parser_fail(p, name.bytes, name,
                               "expected the heap line (heap dwords=N ...); found ", LAB_NO_MORE);
    }
    uint32_t values[KEYS];
    for (unsigned i = 0; i < KEYS; i++) {
        values[i] = keys[i].initial;
    }
    unsigned given = 0;
    lab_word text;
    bool parsed = lab_parser_word(p, &text);
    while (parsed && text.size != 0) {
        parsed = parse_key(p, text, values, &given) && lab_parser_word(p, &text);
    }
    if (!parsed) {
        return false;
    }
    if (!IS_GIVEN(given, KEY_DWORDS)) {
        return lab_parser_fail(p, name.bytes, nothing,
                               "expected dwords=N after heap; found the end of the line",
                               LAB_NO_MORE);
    }
    if (values[KEY_LAYOUT] == LAB_LAYOUT_LEAN && values[KEY_GUARD] != 0) {
        return lab_parser_fail(p, name.bytes, nothing,
                               "expected guard=0 beside layout=lean, which has no guards",
                               LAB_NO_MORE);
    }
    if (values[KEY_FAMILY] != 0 && values[KEY_SUBJECT] != LAB_SUBJECT_PLUGIN) {
        return lab_parser_fail(p, name.bytes, nothing,
                               "expected family= beside subject=plugin only", LAB_NO_MORE);
    }
    p->script->config = (lab_config){.dwords = values[KEY_DWORDS],
                                     .alignment = (uint8_t)values[KEY_ALIGN],
                                     .guard = (uint8_t)values[KEY_GUARD],
                                     .slots = values[KEY_SLOTS],
                                     .low_memory = (uint8_t)values[KEY_LOW_MEMORY],
                                     .layout = (uint8_t)values[KEY_LAYOUT],
                                     .subject = (uint8_t)values[KEY_SUBJECT],
                                     .plugin_family = (uint8_t)values[KEY_FAMILY]};
    return find_skew(p, name, values, given);
}
