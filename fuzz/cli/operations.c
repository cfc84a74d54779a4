/* SPDX-License-Identifier: MIT */
/* heaplab operations: the language of scripts, from its tables. Each part begins with a line
 * "## NAME"; docs/script.md holds all of them (scripts/script-docs). */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "script/deeds.h"
#include "script/words.h"

static void print_operations(void) {
    (void)printf("## operations\n\n| operation | meaning |\n|---|---|\n");
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        char usage[LAB_OP_LINE_BYTES_MAX];
        (void)lab_op_usage((lab_op_kind)kind, usage, sizeof usage);
        (void)printf("| `%s` | %s |\n", usage, lab_op_rules[kind].meaning);
    }
}

static void print_attacks(void) {
    (void)printf("\n## attacks\n\n| WHAT | damage | by |\n|---|---|---|\n");
    for (unsigned attack = 0; attack < LAB_ATTACK_COUNT; attack++) {
        const lab_attack_rule *rule = &lab_attack_rules[attack];
        (void)printf("| `%s` | %s | %s |\n", rule->name, rule->damage, rule->by);
    }
}

static void print_grammar(void) {
    (void)printf("\n## grammar\n\n```\n");
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        char production[LAB_OP_LINE_BYTES_MAX];
        (void)lab_op_production((lab_op_kind)kind, production, sizeof production);
        (void)printf("%s%s\n", kind == 0 ? "operation = ( " : "            | ", production);
    }
    (void)printf("            ) , line end ;\n");
    for (unsigned attack = 0; attack < LAB_ATTACK_COUNT; attack++) {
        (void)printf("%s\"%s\"", attack == 0 ? "on        = \"on=\" , ( " : " | ",
                     lab_attack_rules[attack].name);
    }
    (void)printf(" ) ;\n```\n");
}

/* The names of the families in the set, or "all". */
static void put_families(lab_line *out, unsigned families) {
    unsigned all = (1u << LAB_FAMILY_HEAP) - 1;
    for (unsigned i = 0; families != all && i < LAB_FAMILY_HEAP; i++) {
        if ((families >> i & 1) != 0) {
            lab_put_text(out, out->size == 0 ? "" : ", ");
            lab_put_text(out, lab_family_names[i]);
        }
    }
    lab_put_text(out, families == all ? "all" : "");
}

static void print_deeds(void) {
    (void)printf("\n## deeds\n\n| operation | of | meaning |\n|---|---|---|\n");
    for (unsigned i = 0; i < lab_deed_rules_count; i++) {
        const lab_deed_rule *rule = &lab_deed_rules[i];
        char usage[LAB_OP_LINE_BYTES_MAX];
        char families[LAB_OP_LINE_BYTES_MAX];
        lab_line line = {families, 0, sizeof families};
        (void)lab_deed_usage(rule, usage, sizeof usage);
        put_families(&line, rule->families);
        (void)printf("| `%s` | %.*s | %s |\n", usage, (int)line.size, families, rule->meaning);
    }
}

/* The subjects of each family but the heap, as one list. */
static void print_families(void) {
    (void)printf("\n## families\n\n| family | subjects |\n|---|---|\n");
    for (unsigned family = 0; family < LAB_FAMILY_HEAP; family++) {
        const char *joint = "";
        (void)printf("| `%s` | ", lab_family_names[family]);
        for (uint8_t i = LAB_SUBJECT_PLUGIN + 1; i < lab_subject_names_count; i++) {
            if (lab_config_family(&(lab_config){.subject = i}) == family) {
                (void)printf("%s`%s`", joint, lab_subject_names[i]);
                joint = ", ";
            }
        }
        (void)printf(" |\n");
    }
}

/* Productions that are there for several operations are printed once. */
static void print_deed_grammar(void) {
    (void)printf("\n## deed_grammar\n\n```\n");
    for (unsigned i = 0; i < lab_deed_rules_count; i++) {
        char production[LAB_OP_LINE_BYTES_MAX];
        bool is_new = true;
        for (unsigned other = 0; other < i; other++) {
            is_new = is_new && strcmp(lab_deed_rules[other].word, lab_deed_rules[i].word) != 0;
        }
        (void)lab_deed_production(&lab_deed_rules[i], production, sizeof production);
        if (is_new) {
            (void)printf("%s%s\n", i == 0 ? "deed      = ( " : "            | ", production);
        }
    }
    (void)printf("            ) , [ \"unused\" , item , { item } ] , line end\n"
                 "          | \"skip\" , operation ;\n```\n");
}

static void print_opcodes_of(unsigned kind) {
    const lab_op_rule *rule = &lab_op_rules[kind];
    unsigned last = rule->opcode + (unsigned)rule->of_32 + rule->bytes - 1;
    const char *format = rule->bytes > 0 ? "0x%02x" : "%u";
    (void)printf("| ");
    (void)printf(format, rule->opcode);
    if (last > rule->opcode) {
        (void)printf("-");
        (void)printf(format, last);
    }
    (void)printf(" | `%s` | ", rule->name);
    (void)printf(format, rule->opcode);
    (void)printf(" |\n");
}

/* In rising order. */
static void print_opcodes_that(bool are_whole) {
    for (unsigned opcode = 0; opcode <= UINT8_MAX; opcode++) {
        for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
            const lab_op_rule *rule = &lab_op_rules[kind];
            if (rule->opcode == opcode && (rule->bytes > 0) == are_whole) {
                print_opcodes_of(kind);
            }
        }
    }
}

static void print_opcodes(void) {
    (void)printf("\n## opcodes\n\n| opcode: a whole byte, or else its low 5 bits | operation | "
                 "canonical |\n|---|---|---|\n");
    print_opcodes_that(true);
    print_opcodes_that(false);
}

int lab_cli_operations(int argc, char **argv) {
    if (argc > 1) {
        return lab_cli_refuse(argv[0], "unexpected argument", argv[1]);
    }
    print_operations();
    print_attacks();
    print_grammar();
    print_families();
    print_deeds();
    print_deed_grammar();
    print_opcodes();
    return LAB_CLI_DONE;
}
