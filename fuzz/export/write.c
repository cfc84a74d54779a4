/* SPDX-License-Identifier: MIT */
#include <stdarg.h>

#include "export/state.h"

void lab_export_line(lab_export *e, const char *format, ...) {
    va_list arguments;
    (void)fputs("    ", e->out);
    va_start(arguments, format);
    (void)vfprintf(e->out, format, arguments);
    va_end(arguments);
    (void)fputc('\n', e->out);
}

void lab_export_text(FILE *out, const char *text, bool quote) {
    for (; *text != '\0'; text++) {
        bool ends_comment = !quote && text[0] == '*' && text[1] == '/';
        bool escape = quote && (*text == '"' || *text == '\\');
        (void)fprintf(out, "%s%c%s", escape ? "\\" : "", *text, ends_comment ? " " : "");
    }
}

void lab_export_start(lab_export *e, bool accepted) {
    lab_export_line(e, "start(%s, %s);", accepted ? "true" : "false",
                    e->script->config.low_memory ? "low_memory" : "NULL");
}
