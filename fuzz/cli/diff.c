/* SPDX-License-Identifier: MIT */
/* heaplab diff: one script on several subjects at once. After each operation the same slots must
 * hold the same bytes. Where one subject has no room and another has, that is no difference: the
 * block is freed again, and counted. */
#include <string.h>

#include "cli/cli.h"
#include "contract/play.h"
#include "subjects/subjects.h"

enum { SIDES_MAX = 16, LABEL_BYTES = 1024 };

typedef struct side {
    const lab_subject *subject; /* itself: its number would be that of the last plug-in */
    char label[LABEL_BYTES];    /* as it was named */
    lab_contract_runner *runner;
    lab_failure failure;
    size_t refusals; /* that another side did not share */
    bool made;
} side;

typedef struct comparison {
    side sides[SIDES_MAX];
    unsigned count;
    lab_cli_progress progress;
} comparison;

/* A,B,...; a plug-in's path is one of them. */
static int read_subjects(const char *name, const char *list, comparison *c) {
    bool more = true;
    for (const char *at = list; more; at += strcspn(at, ",") + 1) {
        size_t size = strcspn(at, ",");
        if (c->count == SIDES_MAX || size == 0 || size >= LABEL_BYTES) {
            return lab_cli_refuse(name, "no list of 2 to 16 subjects:", list);
        }
        side *s = &c->sides[c->count];
        memcpy(s->label, at, size);
        s->label[size] = '\0';
        int subject = lab_cli_subject(name, s->label);
        if (subject < 0) {
            return LAB_CLI_BAD_INPUT;
        }
        if (subject == LAB_SUBJECT_HEAP) {
            return lab_cli_refuse(name,
                                  "the exact model's subject is compared by itself; take "
                                  "tagged instead of",
                                  s->label);
        }
        s->subject = lab_subject_at((unsigned)subject);
        c->count++;
        more = at[size] == ',';
    }
    return c->count >= 2 ? LAB_CLI_DONE
                         : lab_cli_refuse(name, "fewer than two subjects after", "--with");
}

static int set_option(lab_cli_arguments *from, const char *option, void *settings, bool *known) {
    *known = strcmp(option, "--with") == 0;
    const char *value = *known ? lab_cli_value(from, option) : NULL;
    if (!*known) {
        return LAB_CLI_DONE;
    }
    return value != NULL ? read_subjects(from->argv[0], value, settings) : LAB_CLI_BAD_INPUT;
}

static const lab_contract_block *slot_of(const side *s, uint32_t slot) {
    return &lab_contract_runner_contract(s->runner)->slots[slot];
}

static const char *name_of(const side *s) {
    return s->label;
}

/* The same slots live, on all sides. False: a contract was broken in doing so. */
static bool settle(comparison *c, uint32_t slot) {
    bool all = true;
    bool any = false;
    bool sound = true;
    for (unsigned i = 0; i < c->count; i++) {
        bool live = slot_of(&c->sides[i], slot)->at != NULL;
        all = all && live;
        any = any || live;
    }
    for (unsigned i = 0; i < c->count && any && !all; i++) {
        if (slot_of(&c->sides[i], slot)->at != NULL) {
            sound = lab_contract_runner_drop(c->sides[i].runner, slot) && sound;
        } else {
            c->sides[i].refusals++;
        }
    }
    return sound;
}

/* The first byte that is not the same on all sides. */
static int compare_slot(const comparison *c, size_t op, uint32_t slot) {
    const lab_contract_block *first = slot_of(&c->sides[0], slot);
    for (unsigned i = 1; first->at != NULL && i < c->count; i++) {
        const lab_contract_block *other = slot_of(&c->sides[i], slot);
        size_t least = first->bytes < other->bytes ? first->bytes : other->bytes;
        size_t at = 0;
        while (at < least && first->at[at] == other->at[at]) {
            at++;
        }
        if (at < least) {
            lab_cli_progress_end(&c->progress);
            (void)printf("DIFFERENCE op=%zu slot=%u byte=%zu: %s has 0x%02x, %s has 0x%02x\n", op,
                         slot, at, name_of(&c->sides[0]), first->at[at], name_of(&c->sides[i]),
                         other->at[at]);
            return LAB_CLI_FOUND;
        }
    }
    return LAB_CLI_DONE;
}

static int compare(comparison *c, const lab_script *script, size_t op) {
    bool one_live = (lab_op_fields[script->ops[op].kind] & LAB_FIELD_SLOT) != 0;
    if (one_live && !settle(c, script->ops[op].slot)) {
        return LAB_CLI_FOUND;
    }
    for (uint32_t slot = 0; slot < script->config.slots; slot++) {
        if (!one_live && !settle(c, slot)) {
            return LAB_CLI_FOUND;
        }
        if (compare_slot(c, op, slot) != LAB_CLI_DONE) {
            return LAB_CLI_FOUND;
        }
    }
    return LAB_CLI_DONE;
}

static void show_progress(lab_cli_progress *progress, size_t op, size_t count) {
    if (lab_cli_progress_is_due(progress)) {
        lab_cli_progress_show(progress, "diff: operation %zu of %zu", op, count);
    }
}

static int play(comparison *c, const lab_script *script) {
    int status = LAB_CLI_DONE;
    lab_cli_progress_begin(&c->progress);
    for (unsigned i = 0; i < c->count; i++) {
        side *s = &c->sides[i];
        bool begun = lab_contract_runner_begin(s->runner, s->subject, script, NULL, &s->failure);
        s->made = lab_contract_runner_has_subject(s->runner);
        status = begun ? status : LAB_CLI_FOUND;
    }
    for (size_t op = 0; status == LAB_CLI_DONE && op < script->count; op++) {
        show_progress(&c->progress, op, script->count);
        lab_cli_still_playing();
        lab_cli_at_operation(script, op);
        for (unsigned i = 0; i < c->count; i++) {
            bool passed = lab_contract_runner_step(c->sides[i].runner, op);
            status = passed ? status : LAB_CLI_FOUND;
        }
        status = status == LAB_CLI_DONE ? compare(c, script, op) : status;
    }
    for (unsigned i = 0; i < c->count; i++) {
        c->sides[i].made = c->sides[i].made || lab_contract_runner_has_subject(c->sides[i].runner);
        bool passed = lab_contract_runner_end(c->sides[i].runner, NULL);
        status = passed ? status : LAB_CLI_FOUND;
    }
    lab_cli_progress_end(&c->progress);
    return status;
}

/* "malloc, tagged" */
static const char *list_names(const comparison *c, char *text, size_t capacity) {
    size_t size = 0;
    for (unsigned i = 0; i < c->count && size < capacity; i++) {
        size += (size_t)snprintf(text + size, capacity - size, "%s%s", i > 0 ? ", " : "",
                                 name_of(&c->sides[i]));
    }
    return text;
}

static int report(const comparison *c, const lab_script *script, const char *path, int status) {
    bool any = false;
    for (unsigned i = 0; i < c->count; i++) {
        any = any || c->sides[i].made;
    }
    if (status == LAB_CLI_DONE && !any) {
        return lab_cli_complain_of("diff", path, "nothing was tested: create refused each subject");
    }
    for (unsigned i = 0; i < c->count; i++) {
        const side *s = &c->sides[i];
        if (s->failure.property != LAB_PROPERTY_NONE) {
            (void)printf("%s: ", name_of(s));
            lab_failure_print(&s->failure, script, stdout);
        }
    }
    (void)printf("%s: %s:", path, status == LAB_CLI_DONE ? "no difference" : "failed");
    for (unsigned i = 0; i < c->count; i++) {
        (void)printf("%s %s (%zu refusals of its own)", i > 0 ? "," : "", name_of(&c->sides[i]),
                     c->sides[i].refusals);
    }
    (void)printf("\n");
    return status;
}

int lab_cli_diff(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.option = set_option};
    static comparison c;
    lab_cli_files given;
    lab_script script = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &c);
    if (status == LAB_CLI_DONE && c.count == 0) {
        status = lab_cli_refuse(argv[0], "no --with A,B given", NULL);
    }
    if (status == LAB_CLI_DONE && !lab_cli_read(argv[0], given.in, &given, &script)) {
        status = LAB_CLI_BAD_INPUT;
    }
    for (unsigned i = 0; status == LAB_CLI_DONE && i < c.count; i++) {
        c.sides[i].runner = lab_contract_runner_new();
        if (c.sides[i].runner == NULL) {
            status = lab_cli_complain(argv[0], "no memory for the runners");
        }
    }
    if (status == LAB_CLI_DONE) {
        char names[SIDES_MAX * (LAB_SUBJECT_NAME_MAX + 2) + 1];
        lab_cli_playing(argv[0], given.in, list_names(&c, names, sizeof names), true);
        status = play(&c, &script);
        lab_cli_played();
        status = report(&c, &script, given.in, status);
    }
    for (unsigned i = 0; i < c.count; i++) {
        lab_contract_runner_destroy(c.sides[i].runner);
    }
    lab_script_clean_up(&script);
    return status;
}
