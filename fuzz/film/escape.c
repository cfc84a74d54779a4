/* SPDX-License-Identifier: MIT */
#include "film/page.h"

void lab_page_escape(const char *text, FILE *out) {
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '&' || c == '<' || c == '>' || c == '"') {
            (void)fprintf(out, "&#%u;", (unsigned)c);
        } else {
            (void)fputc(c < ' ' || c == 0x7F ? '?' : c, out);
        }
    }
}
