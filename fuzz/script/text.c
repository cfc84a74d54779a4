/* SPDX-License-Identifier: MIT */
/* The text form of scripts: what a person reads, edits and commits. docs/script.md gives the
 * grammar.
 *
 * A line is a sequence of words. The first word of an operation's line is its name; each of the
 * others is an item: a prefix ("tag=") and a value. One table (items) says how each item is read
 * and printed, one (op_words) which operations there are, and lab_op_fields which items each of
 * them takes; the parser and the printer are walks over the same three. */
#include "script/script.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "script/words.h"

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

static const char *const attack_names[LAB_ATTACK_COUNT] = {
    [LAB_ATTACK_CANARY] = "canary", [LAB_ATTACK_HEADER] = "header",  [LAB_ATTACK_BELOW] = "below",
    [LAB_ATTACK_ABOVE] = "above",   [LAB_ATTACK_BEYOND] = "beyond",  [LAB_ATTACK_POISON] = "poison",
    [LAB_ATTACK_COUNTS] = "counts", [LAB_ATTACK_POINTER] = "pointer"};

static void put_attack(lab_line *out, const lab_op *op) {
    lab_put_text(out, attack_names[op->attack]);
}

/* ---- values ------------------------------------------------------------------------------- */

static bool is_tag(uint32_t number) {
    return number <= 0x7FFF || number >= 0xFF00;
}

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
    if (!lab_word_number(text, UINT16_MAX, &number) || !is_tag(number)) {
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
        if (lab_word_equals(text, attack_names[i])) {
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

/* ---- tables ------------------------------------------------------------------------------- */

/* An item of an operation's line. Its fields are those that it sets. */
typedef struct item_rule {
    uint8_t fields;
    const char *prefix; /* NULL: it depends on the operation */
    const char *wanted; /* what follows the prefix, for messages */
    bool (*read)(lab_word text, const lab_config *config, lab_op *op);
    void (*put)(lab_line *out, const lab_op *op); /* NULL: printed iff it is set, prefix only */
} item_rule;

/* In the order of printing; the first whose fields an operation has is the item meant. */
static const item_rule items[] = {
    {LAB_FIELD_SLOT, "s", "N, N less than the heap's slots", read_slot, put_slot},
    {LAB_FIELD_ATTACK,
     "on=", "WHAT: canary, header, below, above, beyond, poison, counts or pointer", read_attack,
     put_attack},
    {LAB_FIELD_TAG | LAB_FIELD_TAG_HIGH, "", "LOW..HIGH, LOW a tag, HIGH up to 0xffff", read_tags,
     put_tags},
    {LAB_FIELD_TAG, "tag=", "N, N up to 0x7fff or 0xff00 to 0xffff", read_tag, put_tag},
    {LAB_FIELD_SIZE, NULL, "N, half+N, max-N, N up to 0xffffff, or 2^K, 2^K+N, 2^K-N", read_size,
     put_size},
    {LAB_FIELD_ALIGN, "align=", "N, a power of two or 0, 3, 5, 6, 12, 24, 48, 96", read_align,
     put_align},
    {LAB_FIELD_VETO, "veto=", "N, N up to 0xff", read_veto, put_veto},
    {LAB_FIELD_REENTER, "reenter", "", read_reenter, NULL},
};

enum { ITEMS = sizeof items / sizeof items[0] };

/* The operations. A line that leaves out optional fields means them to be 0. */
typedef struct op_word {
    const char *name;
    const char *size_prefix; /* of its size, if it has one */
    uint8_t optional;        /* fields that may be left out */
} op_word;

static const op_word op_words[LAB_OP_COUNT] = {
    [LAB_OP_ALLOC] = {"alloc", "bytes=", 0},
    [LAB_OP_ALIGNED] = {"aligned", "bytes=", 0},
    [LAB_OP_RESIZE] = {"resize", "bytes=", 0},
    [LAB_OP_TRIM] = {"trim", NULL, 0},
    [LAB_OP_FREE] = {"free", NULL, 0},
    [LAB_OP_FREE_TAGS] = {"freetags", NULL, 0},
    [LAB_OP_COMPACT] = {"compact", NULL, LAB_FIELD_VETO | LAB_FIELD_REENTER},
    [LAB_OP_COMPACT_SOME] = {"compact", "budget=", LAB_FIELD_VETO | LAB_FIELD_REENTER},
    [LAB_OP_COPY] = {"copy", NULL, 0},
    [LAB_OP_FIND] = {"find", "byte=", 0},
    [LAB_OP_NULL] = {"null", "bytes=", 0},
    [LAB_OP_INIT] = {"init", NULL, 0},
    [LAB_OP_ATTACK] = {"attack", "at=", 0},
};

/* A key of the heap line. */
typedef struct key_rule {
    const char *prefix;
    uint32_t initial, max;
    uint32_t powers;          /* if not 0: only the powers of two in this set */
    const char *const *names; /* if not NULL: names[0 .. max], and printed only if not initial */
    const char *wanted;
} key_rule;

enum {
    KEY_DWORDS,
    KEY_ALIGN,
    KEY_GUARD,
    KEY_SLOTS,
    KEY_LOW_MEMORY,
    KEY_SKEW,
    KEY_LAYOUT,
    KEY_SUBJECT,
    KEYS
};

static const key_rule keys[KEYS] = {
    [KEY_DWORDS] = {"dwords=", 0, LAB_DWORDS_MAX, 0, NULL, "N, N up to 0xc0000"},
    [KEY_ALIGN] = {"align=", 4, 16, 4 | 8 | 16, NULL, "4, 8 or 16"},
    [KEY_GUARD] = {"guard=", 3, 3, 0, NULL, "0 to 3"},
    [KEY_SLOTS] = {"slots=", 16, 65536, 8 | 16 | 64 | 256 | 1024 | 4096 | 16384 | 65536, NULL,
                   "8, 16, 64, 256, 1024, 4096, 16384 or 65536"},
    [KEY_LOW_MEMORY] = {"lowmem=", 0, 1, 0, NULL, "0 or 1"},
    [KEY_SKEW] = {"skew=", 0, 15, 0, NULL, "0 to 15"},
    [KEY_LAYOUT] = {"layout=", LAB_LAYOUT_CLASSIC, LAB_LAYOUT_COUNT - 1, 0, lab_layout_names,
                    "classic, lean, wide or auto"},
    [KEY_SUBJECT] = {"subject=", LAB_SUBJECT_HEAP, LAB_SUBJECTS_MAX, 0, lab_subject_names,
                     "a name `heaplab subjects` lists"},
};

static_assert(LAB_DWORDS_MAX == 0xC0000, "the message says so");

static const char *prefix_of(const item_rule *item, lab_op_kind kind) {
    return item->prefix != NULL ? item->prefix : op_words[kind].size_prefix;
}

static bool takes(unsigned fields, const item_rule *item) {
    return (fields & item->fields) == item->fields;
}

static size_t format_op(const lab_op *op, char *bytes, size_t capacity) {
    lab_line out = {bytes, 0, capacity};
    unsigned fields = lab_op_fields[op->kind];
    lab_put_text(&out, op_words[op->kind].name);
    for (const item_rule *item = items; item < items + ITEMS; item++) {
        if (!takes(fields, item) || (item->put == NULL && op->reenter == 0)) {
            continue;
        }
        lab_put_text(&out, " ");
        lab_put_text(&out, prefix_of(item, op->kind));
        if (item->put != NULL) {
            item->put(&out, op);
        }
        fields &= ~(unsigned)item->fields;
    }
    return out.size;
}

size_t lab_op_format(const lab_op *op, char *line, size_t capacity) {
    assert(capacity > 0 && op->kind < LAB_OP_COUNT);
    size_t size = format_op(op, line, capacity - 1);
    line[size] = '\0';
    return size;
}

void lab_script_print(const lab_script *script, FILE *out) {
    const lab_config *config = &script->config;
    const uint32_t values[KEYS] = {
        [KEY_DWORDS] = config->dwords, [KEY_ALIGN] = config->alignment,
        [KEY_GUARD] = config->guard,   [KEY_SLOTS] = config->slots,
        [KEY_SKEW] = config->skew,     [KEY_LOW_MEMORY] = config->low_memory,
        [KEY_LAYOUT] = config->layout, [KEY_SUBJECT] = config->subject};
    char bytes[LAB_OP_LINE_BYTES_MAX];
    lab_line heap = {bytes, 0, sizeof bytes};
    lab_put_text(&heap, "heap");
    for (unsigned i = 0; i < KEYS; i++) {
        if (keys[i].names != NULL && values[i] == keys[i].initial) {
            continue;
        }
        lab_put_text(&heap, " ");
        lab_put_text(&heap, keys[i].prefix);
        if (keys[i].names != NULL) {
            lab_put_text(&heap, keys[i].names[values[i]]);
        } else {
            lab_put_decimal(&heap, values[i]);
        }
    }
    lab_put_text(&heap, "\n");
    (void)fwrite(bytes, 1, heap.size, out);
    for (size_t i = 0; i < script->count; i++) {
        size_t size = format_op(&script->ops[i], bytes, sizeof bytes - 1);
        bytes[size] = '\n';
        (void)fwrite(bytes, 1, size + 1, out);
    }
}

/* ---- parsing ------------------------------------------------------------------------------ */

typedef struct parser {
    const char *at, *end; /* what is left of the text */
    const char *line;     /* where the line begins */
    unsigned line_number;
    lab_script *script;
    lab_text_error *error;
} parser;

/* Always false. The message is the parts up to NULL, then what was found: a word in quotes, or
 * nothing if found.bytes is NULL. */
static bool fail(parser *p, const char *place, lab_word found, ...) {
    lab_text_error *error = p->error;
    lab_line out = {error->message, 0, sizeof error->message - 1};
    va_list parts;
    va_start(parts, found);
    for (const char *part = va_arg(parts, const char *); part != NULL;
         part = va_arg(parts, const char *)) {
        lab_put_text(&out, part);
    }
    va_end(parts);
    if (found.bytes != NULL) {
        lab_put_quoted(&out, found.bytes, found.size);
    }
    error->message[out.size] = '\0';
    error->line = p->line_number;
    error->column = (unsigned)(place - p->line) + 1;
    return false;
}

static const lab_word nothing;

#define NO_MORE ((const char *)NULL)

static bool at_line_end(const parser *p) {
    return p->at == p->end || *p->at == '\n' ||
           (*p->at == '\r' && (p->at + 1 == p->end || p->at[1] == '\n'));
}

static bool is_control(char byte) {
    return (unsigned char)byte < ' ' || byte == 0x7F;
}

/* The next word of the line, of size 0 at its end (a comment is part of the end). False if
 * there is a control byte before it. */
static bool next_word(parser *p, lab_word *found) {
    bool comment = false;
    while (!at_line_end(p)) {
        char byte = *p->at;
        if (byte != '\t' && is_control(byte)) {
            return fail(p, p->at, (lab_word){p->at, 1}, "expected text; found the control byte ",
                        NO_MORE);
        }
        comment = comment || byte == '#';
        if (!comment && byte != ' ' && byte != '\t') {
            break;
        }
        p->at++;
    }
    const char *start = p->at;
    while (!at_line_end(p) && !is_control(*p->at) && *p->at != ' ' && *p->at != '#') {
        p->at++;
    }
    *found = (lab_word){start, (size_t)(p->at - start)};
    return true;
}

/* False at the end of the text. */
static bool next_line(parser *p) {
    while (p->at < p->end && *p->at != '\n') {
        p->at++; /* nothing but the CR of a CR LF */
    }
    if (p->at == p->end) {
        return false;
    }
    p->line = ++p->at;
    p->line_number++;
    return true;
}

static bool read_name(lab_word text, const key_rule *key, uint32_t *value) {
    *value = 0;
    while (*value <= key->max && !lab_word_equals(text, key->names[*value])) {
        ++*value;
    }
    return *value <= key->max;
}

static bool parse_key(parser *p, lab_word text, uint32_t values[KEYS], unsigned *seen) {
    unsigned i = 0;
    while (i < KEYS && !lab_word_begins(text, keys[i].prefix)) {
        i++;
    }
    if (i == KEYS) {
        return fail(
            p, text.bytes, text,
            "expected dwords=, align=, guard=, slots=, lowmem=, skew=, layout= or subject=; "
            "found ",
            NO_MORE);
    }
    const key_rule *key = &keys[i];
    if ((*seen & 1u << i) != 0) {
        return fail(p, text.bytes, text, "expected one ", key->prefix,
                    "; found another: ", NO_MORE);
    }
    *seen |= 1u << i;
    uint32_t value;
    lab_word rest = lab_word_rest(text, strlen(key->prefix));
    bool valid =
        key->names != NULL ? read_name(rest, key, &value) : lab_word_number(rest, key->max, &value);
    if (valid && key->powers != 0) {
        valid = (value & key->powers) != 0 && (value & (value - 1)) == 0;
    }
    if (!valid) {
        return fail(p, text.bytes, text, "expected ", key->prefix, key->wanted, "; found ",
                    NO_MORE);
    }
    values[i] = value;
    return true;
}

static bool parse_heap(parser *p, lab_word name) {
    if (!lab_word_equals(name, "heap")) {
        return fail(p, name.bytes, name, "expected the heap line (heap dwords=N ...); found ",
                    NO_MORE);
    }
    uint32_t values[KEYS];
    for (unsigned i = 0; i < KEYS; i++) {
        values[i] = keys[i].initial;
    }
    unsigned seen = 0;
    lab_word text;
    for (;;) {
        if (!next_word(p, &text)) {
            return false;
        }
        if (text.size == 0) {
            break;
        }
        if (!parse_key(p, text, values, &seen)) {
            return false;
        }
    }
    if ((seen & 1u << KEY_DWORDS) == 0) {
        return fail(p, name.bytes, nothing,
                    "expected dwords=N after heap; found the end of the line", NO_MORE);
    }
    if (values[KEY_LAYOUT] == LAB_LAYOUT_LEAN && values[KEY_GUARD] != 0) {
        return fail(p, name.bytes, nothing,
                    "expected guard=0 beside layout=lean, which has no guards", NO_MORE);
    }
    lab_config *config = &p->script->config;
    config->dwords = values[KEY_DWORDS];
    config->alignment = (uint8_t)values[KEY_ALIGN];
    config->guard = (uint8_t)values[KEY_GUARD];
    config->slots = values[KEY_SLOTS];
    config->low_memory = (uint8_t)values[KEY_LOW_MEMORY];
    config->skew = (uint8_t)values[KEY_SKEW];
    config->layout = (uint8_t)values[KEY_LAYOUT];
    config->subject = (uint8_t)values[KEY_SUBJECT];
    return true;
}

/* The operation that a line's first word names; LAB_OP_COUNT if there is none. "compact" gives
 * the kind that takes a budget, whose items are all that may follow. */
static lab_op_kind find_op(lab_word name) {
    unsigned kind = LAB_OP_COUNT;
    for (unsigned i = 0; i < LAB_OP_COUNT; i++) {
        kind = lab_word_equals(name, op_words[i].name) ? i : kind;
    }
    return (lab_op_kind)kind;
}

static bool fail_unknown_op(parser *p, lab_word name) {
    char names[96];
    lab_line list = {names, 0, sizeof names - 1};
    for (unsigned i = 0; i < LAB_OP_COUNT; i++) {
        if (i == 0 || strcmp(op_words[i].name, op_words[i - 1].name) != 0) {
            lab_put_text(&list, i == 0 ? "" : ", ");
            lab_put_text(&list, op_words[i].name);
        }
    }
    names[list.size] = '\0';
    return fail(p, name.bytes, name, "expected ", names, "; found ", NO_MORE);
}

/* The item of `kind` that a word begins as; NULL if there is none. */
static const item_rule *find_item(lab_word text, lab_op_kind kind) {
    unsigned fields = lab_op_fields[kind];
    for (const item_rule *item = items; item < items + ITEMS; item++) {
        if (takes(fields, item)) {
            if (lab_word_begins(text, prefix_of(item, kind))) {
                return item;
            }
            fields &= ~(unsigned)item->fields;
        }
    }
    return NULL;
}

/* The forms of the items of `kind` that set any of `fields`, each after a space. */
static void list_forms(lab_op_kind kind, unsigned fields, char *list, size_t capacity) {
    lab_line out = {list, 0, capacity - 1};
    for (const item_rule *item = items; item < items + ITEMS; item++) {
        if (takes(fields, item)) {
            lab_put_text(&out, " ");
            lab_put_text(&out, prefix_of(item, kind));
            lab_put_bytes(&out, item->wanted, strcspn(item->wanted, ",:"));
            fields &= ~(unsigned)item->fields;
        }
    }
    list[out.size] = '\0';
}

enum { FORMS_BYTES_MAX = 64 };

static bool parse_item(parser *p, lab_word text, lab_op *op, unsigned *given) {
    lab_op_kind kind = (lab_op_kind)op->kind;
    const item_rule *item = find_item(text, kind);
    char forms[FORMS_BYTES_MAX];
    if (item == NULL) {
        list_forms(kind, lab_op_fields[kind], forms, sizeof forms);
        return fail(p, text.bytes, text, "expected", forms[0] != '\0' ? forms : " nothing",
                    " after ", op_words[kind].name, "; found ", NO_MORE);
    }
    if ((*given & item->fields) != 0) {
        list_forms(kind, item->fields, forms, sizeof forms);
        return fail(p, text.bytes, text, "expected one", forms, "; found another: ", NO_MORE);
    }
    *given |= item->fields;
    const char *prefix = prefix_of(item, kind);
    if (!item->read(lab_word_rest(text, strlen(prefix)), &p->script->config, op)) {
        return fail(p, text.bytes, text, "expected ", prefix, item->wanted, "; found ", NO_MORE);
    }
    return true;
}

static bool parse_op(parser *p, lab_word name) {
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)find_op(name);
    if (op.kind == LAB_OP_COUNT) {
        return fail_unknown_op(p, name);
    }
    unsigned given = 0;
    lab_word text;
    for (;;) {
        if (!next_word(p, &text)) {
            return false;
        }
        if (text.size == 0) {
            break;
        }
        if (!parse_item(p, text, &op, &given)) {
            return false;
        }
    }
    if (op.kind == LAB_OP_COMPACT_SOME && (given & LAB_FIELD_SIZE) == 0) {
        op.kind = LAB_OP_COMPACT; /* the budget makes the difference */
    }
    unsigned missing = lab_op_fields[op.kind] & ~given & ~(unsigned)op_words[op.kind].optional;
    if (missing != 0) {
        char forms[FORMS_BYTES_MAX];
        list_forms((lab_op_kind)op.kind, missing, forms, sizeof forms);
        return fail(p, name.bytes, nothing, "expected", forms, " after ", op_words[op.kind].name,
                    "; found the end of the line", NO_MORE);
    }
    if (!lab_script_append(p->script, op)) {
        return fail(p, name.bytes, nothing, "out of memory", NO_MORE);
    }
    return true;
}

static bool parse_lines(parser *p) {
    bool heap_seen = false;
    do {
        lab_word name;
        if (!next_word(p, &name)) {
            return false;
        }
        if (name.size == 0) {
            continue;
        }
        if (!(heap_seen ? parse_op(p, name) : parse_heap(p, name))) {
            return false;
        }
        heap_seen = true;
    } while (next_line(p));
    if (!heap_seen) {
        return fail(p, p->at, nothing, "expected the heap line (heap dwords=N ...); found the end",
                    NO_MORE);
    }
    return true;
}

bool lab_script_parse(lab_script *script, const char *text, size_t size, lab_text_error *error) {
    if (size == 0) {
        text = ""; /* it may be NULL, to which nothing can be added, not even 0 */
    }
    parser p = {text, text + size, text, 1, script, error};
    memset(&script->config, 0, sizeof script->config);
    script->count = 0;
    if (!parse_lines(&p)) {
        memset(&script->config, 0, sizeof script->config);
        script->count = 0;
        return false;
    }
    return true;
}
