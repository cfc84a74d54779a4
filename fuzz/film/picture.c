/* SPDX-License-Identifier: MIT */
/* One moment as an SVG: the memory in rows, low addresses first.
 *
 *   0     +-------+----------+---------------+
 *         | HEAD  | free     | HEAD     ...  |     a row: a LAB_PICTURE_ROWS-th of the memory
 *   1024  +-------+-----+----+---------------+
 */
#include <inttypes.h>

#include "film/page.h"

enum {
    LEFT = 72,
    WIDTH = 1000, /* of a row */
    ROW = 30,
    GAP = 8,
    TOP = 30,
    LEGEND = 26,
    HUES_OF_SIDE = 5, /* by tag */
    HUE_HEAD = 150,
    HUE_TAIL = 5,
    HUE_STEP = 17
};

#define PIECE_MIN 0.15 /* what is narrower is not drawn */

/* Where the memory that is shown ends: blocks elsewhere are not. */
static uint64_t end_of(const lab_film_reader *r) {
    uint64_t end = r->memory_bytes;
    for (size_t i = 0; i < r->state.count; i++) {
        const lab_film_block *b = &r->state.blocks[i];
        if (b->kind != LAB_FILM_ELSEWHERE && b->at + b->bytes > end) {
            end = b->at + b->bytes;
        }
    }
    return end > 0 ? end : 1;
}

/* Bytes from .. to-1, row by row. */
static void put(FILE *out, uint64_t from, uint64_t to, double row_bytes, const char *style) {
    int row = (int)((double)from / row_bytes);
    for (; row < LAB_PICTURE_ROWS && (double)row * row_bytes < (double)to; row++) {
        double start = (double)row * row_bytes;
        double low = (double)from > start ? (double)from - start : 0;
        double high = (double)to < start + row_bytes ? (double)to - start : row_bytes;
        double width = (high - low) / row_bytes * (double)WIDTH;
        if (width >= PIECE_MIN) {
            (void)fprintf(out, "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" %s/>\n",
                          (double)LEFT + low / row_bytes * (double)WIDTH, TOP + row * (ROW + GAP),
                          width, ROW, style);
        }
    }
}

static void put_block(FILE *out, const lab_film_reader *r, const lab_film_block *b,
                      double row_bytes) {
    char style[64];
    bool tail = b->kind == LAB_FILM_TAIL;
    unsigned hue = (unsigned)(tail ? HUE_TAIL : HUE_HEAD);
    uint32_t shade = b->kind == LAB_FILM_BLOCK ? b->owner : b->tag;
    hue += shade % HUES_OF_SIDE * HUE_STEP;
    (void)snprintf(style, sizeof style, "fill=\"hsl(%u 55%% 47%%)\"", hue);
    uint64_t header = b->kind == LAB_FILM_BLOCK ? 0 : r->header_bytes;
    uint64_t end = b->at + b->bytes;
    put(out, b->at, end, row_bytes, style);
    put(out, b->at, b->at + header, row_bytes, "class=\"header\"");
    if (b->at + header + b->requested < end) {
        put(out, b->at + header + b->requested, end, row_bytes, "class=\"slack\"");
    }
}

static void put_legend(FILE *out, bool is_heap, int y) {
    static const struct {
        const char *style, *heap, *subject;
    } items[] = {
        {"fill=\"hsl(150 55% 47%)\"", "HEAD", "block"},
        {"fill=\"hsl(5 55% 47%)\"", "TAIL", NULL},
        {"class=\"header\"", "header", NULL},
        {"class=\"slack\"", "slack and canary", "slack"},
        {"class=\"free\"", "free", "had, and not used"},
    };
    int x = LEFT;
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        const char *text = is_heap ? items[i].heap : items[i].subject;
        if (text != NULL) {
            (void)fprintf(out,
                          "<rect x=\"%d\" y=\"%d\" width=\"14\" height=\"14\" "
                          "fill=\"hsl(150 55%% 47%%)\"/>"
                          "<rect x=\"%d\" y=\"%d\" width=\"14\" height=\"14\" %s/>"
                          "<text x=\"%d\" y=\"%d\">%s</text>\n",
                          x, y, x, y, items[i].style, x + 20, y + 12, text);
            x += 160;
        }
    }
}

void lab_picture_print(const lab_film_reader *r, const char *title, FILE *out) {
    double row_bytes = (double)end_of(r) / (double)LAB_PICTURE_ROWS;
    int bottom = TOP + LAB_PICTURE_ROWS * (ROW + GAP);
    (void)fprintf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
                  "<title>",
                  LEFT + WIDTH + GAP, bottom + LEGEND);
    lab_page_escape(title, out);
    (void)fputs("</title>\n<style>text{font:13px sans-serif;fill:#444}.free{fill:#e4e7ea;"
                "stroke:#aab2ba;stroke-width:.5}.none{fill:#f4f5f6}.header{fill:#000;"
                "fill-opacity:.45}.slack{fill:#fff;fill-opacity:.55}"
                "@media(prefers-color-scheme:dark){text{fill:#bbb}.free{fill:#2a323a;"
                "stroke:#55606b}.none{fill:#171c21}}</style>\n<text x=\"8\" y=\"18\">",
                out);
    lab_page_escape(title, out);
    (void)fputs("</text>\n", out);
    for (int row = 0; row < LAB_PICTURE_ROWS; row++) {
        int y = TOP + row * (ROW + GAP);
        (void)fprintf(out,
                      "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f</text>"
                      "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"none\"/>\n",
                      LEFT - GAP, y + ROW / 2 + 4, row * row_bytes, LEFT, y, WIDTH, ROW);
    }
    for (size_t i = 0; i < r->state.count; i++) {
        const lab_film_block *b = &r->state.blocks[i];
        if (b->kind == LAB_FILM_FREE || b->kind == LAB_FILM_MEMORY) {
            put(out, b->at, b->at + b->bytes, row_bytes, "class=\"free\"");
        } else if (b->kind < LAB_FILM_MEMORY) {
            put_block(out, r, b, row_bytes);
        }
    }
    put_legend(out, r->memory_bytes > 0, bottom + GAP / 2);
    (void)fputs("</svg>\n", out);
}
