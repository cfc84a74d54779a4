/* SPDX-License-Identifier: MIT */
/* Lines of operations. The first word says what is done: on the heap, by ops.def; on a subject, by
 * deeds.def. There, fields of the operation that mean nothing are not lost: those that are not 0
 * stand after the word `unused`, as the heap has them; an operation that does nothing stands after
 * the word `skip`. */
#include "script/op_line.h"

#include <assert.h>
#include <string.h>

#include "script/items.h"

#define UNUSED "unused"
#define SKIP   "skip"

/* ---- what a deed leaves unsaid ------------------------------------------------------------ */

/* The bits of an alloc's tag that mean nothing: of the values that ask for nothing one is said by
 * asking for nothing (lab_tag_asking), the others are here. */
static uint32_t idle_tag(uint32_t tag) {
    uint32_t asking = tag & 0x3C & ~lab_tag_asking(0, false, false);
    bool end = lab_tag_checks_end(tag) || (asking & 0xC) == 0;
    bool all = lab_tag_uses_all(tag) || (asking & 0x30) == 0;
    return (tag & ~0x3Fu) | (end ? 0 : tag & 0xC) | (all ? 0 : tag & 0x30);
}

/* The operation without what its line says before `unused`. */
static lab_op rest_of(const lab_deed_rule *rule, const lab_op *op) {
    lab_op rest = {.kind = op->kind, .tag = op->tag};
    if ((rule->fields & LAB_FIELD_ASKS) != 0) {
        rest.tag = (uint16_t)idle_tag(op->tag);
    }
    rest.tag = (rule->fields & LAB_FIELD_TAG) == 0 ? rest.tag : 0;
    rest.tag_high = (rule->fields & LAB_FIELD_TAG_HIGH) == 0 ? op->tag_high : 0;
    rest.veto = (rule->fields & LAB_FIELD_VETO) == 0 ? op->veto : 0;
    rest.reenter = (rule->fields & LAB_FIELD_REENTER) == 0 ? op->reenter : 0;
    if ((rule->fields & LAB_FIELD_SIZE) == 0) {
        rest.size = op->size;
    }
    if ((rule->fields & LAB_FIELD_BATCH_BYTES) != 0) {
        rest.size.value = 0;
    }
    return rest;
}

/* The fields of it that are not 0, the bounds of tags together. */
static unsigned fields_of(const lab_op *rest) {
    unsigned tags = lab_op_fields[rest->kind] & (LAB_FIELD_TAG | LAB_FIELD_TAG_HIGH);
    return (rest->tag != 0 || rest->tag_high != 0 ? tags : 0u) |
           (rest->size.kind != 0 || rest->size.value != 0 ? LAB_FIELD_SIZE : 0u) |
           (rest->veto != 0 ? LAB_FIELD_VETO : 0u) | (rest->reenter != 0 ? LAB_FIELD_REENTER : 0u);
}

static lab_phrase unused_phrase(lab_op_kind kind, unsigned fields) {
    return (lab_phrase){UNUSED, lab_op_rules[kind].size_prefix, fields, fields};
}

/* ---- printing ----------------------------------------------------------------------------- */

static void put_phrase(lab_line *out, const lab_phrase *phrase, const lab_op *op) {
    lab_put_text(out, phrase->word);
    lab_items_put(out, phrase, op);
}

static void put_deed(lab_line *out, const lab_deed_rule *rule, const lab_op *op) {
    lab_phrase phrase = lab_phrase_of_deed(rule);
    lab_op rest = rest_of(rule, op);
    lab_phrase unused = unused_phrase((lab_op_kind)op->kind, fields_of(&rest));
    put_phrase(out, &phrase, op);
    if (unused.fields != 0) {
        lab_put_text(out, " ");
        put_phrase(out, &unused, &rest);
    }
}

size_t lab_op_format(const lab_config *config, const lab_op *op, char *line, size_t capacity) {
    assert(capacity > 0 && op->kind < LAB_OP_COUNT);
    lab_line out = {line, 0, capacity - 1};
    lab_family family = lab_config_family(config);
    lab_phrase phrase = lab_phrase_of_op((lab_op_kind)op->kind);
    const lab_deed_rule *rule = lab_deed_of(family, op);
    if (rule != NULL) {
        put_deed(&out, rule, op);
    } else {
        lab_put_text(&out, family != LAB_FAMILY_HEAP ? SKIP " " : "");
        put_phrase(&out, &phrase, op);
    }
    line[out.size] = '\0';
    return out.size;
}

static size_t put_whole(const lab_phrase *phrase, char *line, size_t capacity,
                        void (*put)(lab_line *out, const lab_phrase *phrase)) {
    lab_line out = {line, 0, capacity - 1};
    put(&out, phrase);
    line[out.size] = '\0';
    return out.size;
}

size_t lab_op_usage(lab_op_kind kind, char *line, size_t capacity) {
    lab_phrase phrase = lab_phrase_of_op(kind);
    return put_whole(&phrase, line, capacity, lab_phrase_put_usage);
}

size_t lab_op_production(lab_op_kind kind, char *line, size_t capacity) {
    lab_phrase phrase = lab_phrase_of_op(kind);
    return put_whole(&phrase, line, capacity, lab_phrase_put_production);
}

size_t lab_deed_usage(const lab_deed_rule *rule, char *line, size_t capacity) {
    lab_phrase phrase = lab_phrase_of_deed(rule);
    return put_whole(&phrase, line, capacity, lab_phrase_put_usage);
}

size_t lab_deed_production(const lab_deed_rule *rule, char *line, size_t capacity) {
    lab_phrase phrase = lab_phrase_of_deed(rule);
    return put_whole(&phrase, line, capacity, lab_phrase_put_production);
}

/* ---- parsing: items ----------------------------------------------------------------------- */

static const lab_word nothing;

enum { FORMS_BYTES_MAX = 64, WORDS_BYTES_MAX = 192 };

/* The words that the family has for what the heap says by `word`; for all, if it is NULL. */
static void list_deeds(lab_family family, const char *word, char list[WORDS_BYTES_MAX]) {
    lab_line out = {list, 0, WORDS_BYTES_MAX - 1};
    for (unsigned i = 0; i < lab_deed_rules_count; i++) {
        const lab_deed_rule *rule = &lab_deed_rules[i];
        bool is_said = word == NULL || strcmp(word, lab_op_rules[rule->kind].word) == 0;
        if ((rule->families >> family & 1) != 0 && is_said) {
            lab_put_text(&out, out.size == 0 ? "" : ", ");
            lab_put_text(&out, rule->word);
        }
    }
    list[out.size] = '\0';
}

/* No item of the phrase; a tag says nothing where words do. */
static bool fail_unknown_item(lab_parser *p, lab_word text, const lab_phrase *phrase,
                              lab_op_kind kind) {
    char list[WORDS_BYTES_MAX];
    lab_family family = lab_config_family(&p->script->config);
    if (family != LAB_FAMILY_HEAP && lab_word_begins(text, "tag=")) {
        list_deeds(family, lab_op_rules[kind].word, list);
        return lab_parser_fail(p, text.bytes, text, "expected ", list, " without a tag; found ",
                               LAB_NO_MORE);
    }
    lab_item_forms(phrase, phrase->fields, list, sizeof list);
    return lab_parser_fail(p, text.bytes, text, "expected", list[0] != '\0' ? list : " nothing",
                           " after ", phrase->word, "; found ", LAB_NO_MORE);
}

static bool parse_item(lab_parser *p, lab_word text, const lab_phrase *phrase, lab_op *op,
                       unsigned *given) {
    const lab_item *item = lab_item_find(text, phrase);
    char forms[FORMS_BYTES_MAX];
    if (item == NULL) {
        return fail_unknown_item(p, text, phrase, (lab_op_kind)op->kind);
    }
    if ((*given & item->fields) != 0) {
        lab_item_forms(phrase, item->fields, forms, sizeof forms);
        return lab_parser_fail(p, text.bytes, text, "expected one", forms,
                               "; found another: ", LAB_NO_MORE);
    }
    *given |= item->fields;
    const char *prefix = lab_item_prefix(item, phrase);
    if (!item->read(lab_word_rest(text, strlen(prefix)), &p->script->config, op)) {
        return lab_parser_fail(p, text.bytes, text, "expected ", prefix, item->wanted, "; found ",
                               LAB_NO_MORE);
    }
    return true;
}

/* What a line must have and was not given. */
static bool fail_missing(lab_parser *p, lab_word name, const lab_phrase *phrase, unsigned missing) {
    char forms[FORMS_BYTES_MAX];
    lab_item_forms(phrase, missing, forms, sizeof forms);
    return lab_parser_fail(p, name.bytes, nothing, "expected", forms, " after ", phrase->word,
                           "; found the end of the line", LAB_NO_MORE);
}

/* The items up to the line's end, or to the word `unused`, which *stop is then. */
static bool parse_items(lab_parser *p, const lab_phrase *phrase, lab_op *op, unsigned *given,
                        lab_word *stop) {
    bool parsed = lab_parser_word(p, stop);
    while (parsed && stop->size != 0 && !lab_word_equals(*stop, UNUSED)) {
        parsed = parse_item(p, *stop, phrase, op, given) && lab_parser_word(p, stop);
    }
    return parsed;
}

/* ---- parsing: the heap -------------------------------------------------------------------- */

/* The operation that a line's first word names; LAB_OP_COUNT if there is none. "compact" gives the
 * kind that takes a budget, whose items are all that may follow. */
static lab_op_kind find_op(lab_word name) {
    unsigned kind = LAB_OP_COUNT;
    for (unsigned i = 0; i < LAB_OP_COUNT; i++) {
        kind = lab_word_equals(name, lab_op_rules[i].word) ? i : kind;
    }
    return (lab_op_kind)kind;
}

static bool fail_unknown_op(lab_parser *p, lab_word name) {
    char names[WORDS_BYTES_MAX];
    lab_line list = {names, 0, sizeof names - 1};
    for (unsigned i = 0; i < LAB_OP_COUNT; i++) {
        if (i == 0 || strcmp(lab_op_rules[i].word, lab_op_rules[i - 1].word) != 0) {
            lab_put_text(&list, i == 0 ? "" : ", ");
            lab_put_text(&list, lab_op_rules[i].word);
        }
    }
    names[list.size] = '\0';
    return lab_parser_fail(p, name.bytes, name, "expected ", names, "; found ", LAB_NO_MORE);
}

static bool parse_heap_op(lab_parser *p, lab_word name, lab_op *op) {
    op->kind = (uint8_t)find_op(name);
    if (op->kind == LAB_OP_COUNT) {
        return fail_unknown_op(p, name);
    }
    unsigned given = 0;
    lab_word stop;
    lab_phrase phrase = lab_phrase_of_op((lab_op_kind)op->kind);
    if (!parse_items(p, &phrase, op, &given, &stop)) {
        return false;
    }
    if (stop.size != 0) {
        return parse_item(p, stop, &phrase, op, &given); /* no item begins with `unused` */
    }
    if (op->kind == LAB_OP_COMPACT_SOME && (given & LAB_FIELD_SIZE) == 0) {
        op->kind = LAB_OP_COMPACT; /* the budget makes the difference */
    }
    phrase = lab_phrase_of_op((lab_op_kind)op->kind);
    unsigned missing = phrase.fields & ~given & ~phrase.optional;
    return missing == 0 || fail_missing(p, name, &phrase, missing);
}

/* ---- parsing: subjects -------------------------------------------------------------------- */

/* No word of the family's: it may be the heap's. */
static bool fail_unknown_deed(lab_parser *p, lab_family family, lab_word name) {
    char words[WORDS_BYTES_MAX];
    lab_op_kind kind = find_op(name);
    list_deeds(family, kind < LAB_OP_COUNT ? lab_op_rules[kind].word : NULL, words);
    if (words[0] == '\0') {
        return lab_parser_fail(p, name.bytes, name,
                               "expected " SKIP " before what the subject does not do; found ",
                               LAB_NO_MORE);
    }
    return lab_parser_fail(p, name.bytes, name, "expected ", words,
                           kind < LAB_OP_COUNT ? " on this subject; found " : ", " SKIP "; found ",
                           LAB_NO_MORE);
}

static const lab_deed_rule *find_deed(lab_family family, lab_word name) {
    for (unsigned i = 0; i < lab_deed_rules_count; i++) {
        const lab_deed_rule *rule = &lab_deed_rules[i];
        if ((rule->families >> family & 1) != 0 && lab_word_equals(name, rule->word)) {
            return rule;
        }
    }
    return NULL;
}

/* After `unused`, which is `at`. */
static bool parse_unused(lab_parser *p, lab_word at, const lab_deed_rule *rule, lab_op *op) {
    lab_op rest = {.kind = rule->kind};
    unsigned given = 0;
    lab_word stop;
    unsigned said = LAB_FIELD_SLOT | LAB_FIELD_ALIGN | LAB_FIELD_ATTACK | rule->fields;
    lab_phrase phrase = unused_phrase((lab_op_kind)rule->kind, lab_op_fields[rule->kind] & ~said);
    if (!parse_items(p, &phrase, &rest, &given, &stop)) {
        return false;
    }
    lab_op whole = *op;
    whole.tag_high |= rest.tag_high;
    whole.veto |= rest.veto;
    whole.reenter |= rest.reenter;
    whole.size.kind = op->size.kind | rest.size.kind;
    whole.size.value = op->size.value | rest.size.value;
    whole.tag = (uint16_t)(op->tag | rest.tag);
    if ((rule->fields & LAB_FIELD_ASKS) != 0) {
        bool end = (rest.tag & 0xC) != 0;
        bool all = (rest.tag & 0x30) != 0;
        whole.tag = (uint16_t)((op->tag & ~(end ? 0xCu : 0) & ~(all ? 0x30u : 0)) | rest.tag);
    }
    lab_op left = rest_of(rule, &whole);
    bool as_said = lab_deed_of(lab_config_family(&p->script->config), &whole) == rule &&
                   lab_tag_checks_end(whole.tag) == lab_tag_checks_end(op->tag) &&
                   lab_tag_uses_all(whole.tag) == lab_tag_uses_all(op->tag);
    if (stop.size != 0 || given == 0 || !lab_op_equal(&left, &rest) ||
        ((rule->fields & LAB_FIELD_ASKS) != 0 && !as_said)) {
        return lab_parser_fail(p, at.bytes, nothing,
                               "expected after " UNUSED " what the other words leave open",
                               LAB_NO_MORE);
    }
    *op = whole;
    return true;
}

static bool parse_deed(lab_parser *p, const lab_deed_rule *rule, lab_word name, lab_op *op) {
    unsigned given = 0;
    lab_word stop;
    lab_phrase phrase = lab_phrase_of_deed(rule);
    op->kind = rule->kind;
    op->attack = rule->kind == LAB_OP_ATTACK ? rule->choice : 0;
    op->tag =
        (uint16_t)((rule->fields & LAB_FIELD_ASKS) != 0 ? lab_tag_asking(rule->choice, false, false)
                                                        : 0);
    if (!parse_items(p, &phrase, op, &given, &stop)) {
        return false;
    }
    unsigned missing = phrase.fields & ~given & ~phrase.optional;
    if (missing != 0) {
        return fail_missing(p, name, &phrase, missing);
    }
    return stop.size == 0 || parse_unused(p, stop, rule, op);
}

static bool parse_skipped(lab_parser *p, lab_family family, lab_word skip, lab_op *op) {
    lab_word name;
    if (!lab_parser_word(p, &name)) {
        return false;
    }
    if (name.size == 0) {
        return lab_parser_fail(p, skip.bytes, nothing,
                               "expected an operation after " SKIP "; found the end of the line",
                               LAB_NO_MORE);
    }
    if (!parse_heap_op(p, name, op)) {
        return false;
    }
    const lab_deed_rule *rule = lab_deed_of(family, op);
    return rule == NULL || lab_parser_fail(p, skip.bytes, skip, "expected ", rule->word,
                                           ", which the subject does; found ", LAB_NO_MORE);
}

bool lab_op_line_parse(lab_parser *p, lab_word name) {
    lab_op op = {.kind = 0};
    lab_family family = lab_config_family(&p->script->config);
    const lab_deed_rule *rule = find_deed(family, name);
    bool parsed;
    if (family == LAB_FAMILY_HEAP) {
        parsed = parse_heap_op(p, name, &op);
    } else if (rule != NULL) {
        parsed = parse_deed(p, rule, name, &op);
    } else {
        parsed = lab_word_equals(name, SKIP) ? parse_skipped(p, family, name, &op)
                                             : fail_unknown_deed(p, family, name);
    }
    return parsed && (lab_script_append(p->script, op) ||
                      lab_parser_fail(p, name.bytes, nothing, "out of memory", LAB_NO_MORE));
}
