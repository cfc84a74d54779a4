/* SPDX-License-Identifier: MIT */
#include "result/failure.h"

#include <stdlib.h>
#include <string.h>

const char *lab_property_name(lab_property property) {
    static const char *const names[] = {
        [LAB_PROPERTY_NONE] = "none",
        [LAB_PROPERTY_INIT] = "init",
        [LAB_PROPERTY_RESULT] = "result",
        [LAB_PROPERTY_CALLBACK] = "callback",
        [LAB_PROPERTY_LOW_MEMORY] = "low-memory",
        [LAB_PROPERTY_REENTRY] = "reentry",
        [LAB_PROPERTY_BLOCKS] = "blocks",
        [LAB_PROPERTY_STATS] = "stats",
        [LAB_PROPERTY_FIND] = "find",
        [LAB_PROPERTY_CONTENTS] = "contents",
        [LAB_PROPERTY_CHECKER] = "checker",
        [LAB_PROPERTY_FAULT] = "fault",
        [LAB_PROPERTY_ATTACK] = "attack",
        [LAB_PROPERTY_LOCK] = "lock",
        [LAB_PROPERTY_BOUNDS] = "bounds",
        [LAB_PROPERTY_MEMORY] = "memory",
    };
    return (size_t)property < sizeof names / sizeof names[0] ? names[property] : "?";
}

void lab_failure_signature(lab_property property, const char *detail,
                           char signature[LAB_SIGNATURE_BYTES_MAX]) {
    (void)snprintf(signature, LAB_SIGNATURE_BYTES_MAX, "property=%s detail=%s",
                   lab_property_name(property), detail);
}

void lab_failure_print(const lab_failure *failure, const lab_script *script, FILE *out) {
    char line[LAB_OP_LINE_BYTES_MAX];
    const lab_op *op = failure->op < script->count ? &script->ops[failure->op] : NULL;
    line[0] = '\0';
    if (op != NULL) {
        (void)lab_op_format(&script->config, op, line, sizeof line);
    }
    (void)fprintf(out, "FAILURE property=%s detail=%s op=%zu kind=%.*s\n",
                  lab_property_name(failure->property), failure->detail, failure->op,
                  op != NULL ? (int)strcspn(line, " ") : 3, op != NULL ? line : "end");
    (void)fprintf(out, "%s\n", failure->message);
    lab_script head = *script;
    head.count = op != NULL ? failure->op : script->count;
    lab_script_print(&head, out);
    if (op != NULL) {
        (void)fprintf(out, "%s    # <== here\n", line);
    }
}

void lab_failure_expect(const char *property, const char *detail, uint64_t expected,
                        uint64_t found) {
    if (expected != found) {
        (void)fprintf(stderr, "FAILURE property=%s detail=%s\nexpected %llu, found %llu\n",
                      property, detail, (unsigned long long)expected, (unsigned long long)found);
        abort();
    }
}
