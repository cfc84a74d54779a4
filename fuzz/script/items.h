/* SPDX-License-Identifier: MIT */
/* The items of an operation's line in the text form: a prefix ("tag=") and a value. Private to
 * fuzz/script/. */
#ifndef LAB_SCRIPT_ITEMS_H
#define LAB_SCRIPT_ITEMS_H

#include "script/deeds.h"
#include "script/script.h"
#include "script/words.h"

/* Its fields are those that it sets. */
typedef struct lab_item {
    uint16_t fields;
    const char *prefix; /* NULL: it depends on the operation */
    const char *wanted; /* what follows the prefix, for messages */
    const char *value;  /* the same in one word, for docs/script.md */
    const char *symbol; /* the grammar's name of it; NULL: the prefix without its '=' */
    bool (*read)(lab_word text, const lab_config *config, lab_op *op);
    void (*put)(lab_line *out, const lab_op *op); /* NULL: the prefix is all */
    bool (*is_set)(const lab_op *op);             /* NULL: it always is; else printed iff it is */
} lab_item;

/* What a line of the text form begins with, and which fields its items set. */
typedef struct lab_phrase {
    const char *word;
    const char *size_prefix; /* of the item of its size, if it has one */
    unsigned fields;
    unsigned optional; /* those that may be left out */
} lab_phrase;

/* The phrases by which ops.def says an operation, and deeds.def what it does. */
lab_phrase lab_phrase_of_op(lab_op_kind kind);
lab_phrase lab_phrase_of_deed(const lab_deed_rule *rule);

/* What stands before the item's value in a line of the phrase. */
const char *lab_item_prefix(const lab_item *item, const lab_phrase *phrase);

/* The item of the phrase that a word begins as; NULL if there is none. */
const lab_item *lab_item_find(lab_word text, const lab_phrase *phrase);

/* The forms of the phrase's items that set any of `fields`, each after a space. */
void lab_item_forms(const lab_phrase *phrase, unsigned fields, char *list, size_t capacity);

/* The phrase's items as the operation has them, each after a space. */
void lab_items_put(lab_line *out, const lab_phrase *phrase, const lab_op *op);

/* The phrase as docs/script.md has it: in letters, and as a production of the grammar. What may be
 * left out stands in brackets. */
void lab_phrase_put_usage(lab_line *out, const lab_phrase *phrase);
void lab_phrase_put_production(lab_line *out, const lab_phrase *phrase);

#endif
