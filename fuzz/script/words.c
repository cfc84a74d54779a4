/* SPDX-License-Identifier: MIT */
#include "script/words.h"

#include <assert.h>
#include <string.h>

void lab_put_bytes(lab_line *out, const char *bytes, size_t size) {
    size_t room = out->capacity - out->size;
    size = size < room ? size : room;
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

void lab_put_text(lab_line *out, const char *text) {
    lab_put_bytes(out, text, strlen(text));
}

void lab_put_decimal(lab_line *out, uint64_t value) {
    char digits[3 * sizeof value];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    lab_put_bytes(out, digits + at, sizeof digits - at);
}

void lab_put_hex(lab_line *out, unsigned value, unsigned digits) {
    lab_put_text(out, "0x");
    while (digits-- > 0) {
        lab_put_bytes(out, &"0123456789abcdef"[(value >> (4 * digits)) & 0xF], 1);
    }
}

/* Bytes that came from outside, in quotes, on one line and not too long. */
void lab_put_quoted(lab_line *out, const char *bytes, size_t size) {
    enum { SHOWN_MAX = 40 };
    size_t stop = out->size + SHOWN_MAX;
    lab_put_text(out, "\"");
    for (size_t i = 0; i < size; i++) {
        if (out->size >= stop) {
            lab_put_text(out, "...");
            break;
        }
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\') {
            lab_put_text(out, "\\");
            lab_put_bytes(out, &bytes[i], 1);
        } else if (byte >= ' ' && byte <= '~') {
            lab_put_bytes(out, &bytes[i], 1);
        } else {
            const char *hex = "0123456789abcdef";
            lab_put_text(out, "\\x");
            lab_put_bytes(out, &hex[byte >> 4], 1);
            lab_put_bytes(out, &hex[byte & 0xF], 1);
        }
    }
    lab_put_text(out, "\"");
}

bool lab_word_begins(lab_word text, const char *prefix) {
    size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.bytes, prefix, size) == 0;
}

bool lab_word_equals(lab_word text, const char *other) {
    return text.size == strlen(other) && lab_word_begins(text, other);
}

lab_word lab_word_rest(lab_word text, size_t skipped) {
    assert(skipped <= text.size);
    return (lab_word){text.bytes + skipped, text.size - skipped};
}

static unsigned digit_of(char byte) {
    if (byte >= '0' && byte <= '9') {
        return (unsigned)(byte - '0');
    }
    if (byte >= 'a' && byte <= 'f') {
        return (unsigned)(byte - 'a') + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return (unsigned)(byte - 'A') + 10;
    }
    return UINT32_MAX;
}

/* Is the whole text a number, decimal or 0x hexadecimal, of at most `max`? */
bool lab_word_long(lab_word text, uint64_t max, uint64_t *number) {
    unsigned base = lab_word_begins(text, "0x") ? 16 : 10;
    lab_word digits = lab_word_rest(text, base == 16 ? 2 : 0);
    uint64_t value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        unsigned digit = digit_of(digits.bytes[i]);
        if (digit >= base) {
            return false;
        }
        if (digit > max || value > (max - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *number = value;
    return digits.size > 0;
}

bool lab_word_number(lab_word text, uint32_t max, uint32_t *number) {
    uint64_t value = 0;
    bool is_number = lab_word_long(text, max, &value);
    *number = (uint32_t)value;
    return is_number;
}
