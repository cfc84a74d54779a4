/* SPDX-License-Identifier: MIT */
#include "contract/state.h"

#include <stdarg.h>
#include <stdio.h>

bool lab_contract_runner_has(const lab_contract_runner *r, unsigned flag) {
    return (r->subject->flags & ~r->instance.flags_missing & flag) != 0;
}

bool lab_contract_runner_fail(lab_contract_runner *r, lab_property property, const char *detail,
                              const char *format, ...) {
    va_list arguments;
    if (r->failed) {
        return false;
    }
    r->failed = true;
    r->failure->property = property;
    r->failure->op = r->index;
    r->failure->detail = detail;
    va_start(arguments, format);
    (void)vsnprintf(r->failure->message, sizeof r->failure->message, format, arguments);
    va_end(arguments);
    return false;
}
