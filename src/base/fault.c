/* SPDX-License-Identifier: MIT */
/* Fault reports. The line is built by hand: no allocation, no locale, no stdio, so that it works
 * in a crash handler and on a machine without an operating system. */
#include "tagheap/fault.h"

#include "base/assert.h"
#include "tagheap/port.h"

const char *th_fault_name(th_fault_kind kind) {
    switch (kind) {
    case TH_FAULT_NONE:
        return "no fault";
    case TH_FAULT_FOREIGN:
        return "foreign pointer";
    case TH_FAULT_MISALIGNED:
        return "misaligned pointer";
    case TH_FAULT_DOUBLE_FREE:
        return "double free";
    case TH_FAULT_NOT_A_BLOCK:
        return "not a block";
    case TH_FAULT_HEADER:
        return "header smashed";
    case TH_FAULT_CHAIN:
        return "chain broken";
    case TH_FAULT_CANARY:
        return "canary smashed";
    case TH_FAULT_POISON:
        return "write after free";
    case TH_FAULT_COUNT:
        return "counter wrong";
    case TH_FAULT_REENTRY:
        return "re-entry from callback";
    case TH_FAULT_CONTROL:
        return "control structure smashed";
    case TH_FAULT_INDEX:
        return "index wrong";
    case TH_FAULT_STALE:
        return "stale handle";
    case TH_FAULT_UNPINNED:
        return "unpin without pin";
    case TH_FAULT_FROZEN:
        return "change of a frozen heap";
    }
    return "unknown fault";
}

/* A line under construction; what does not fit is cut. */
typedef struct line {
    char *text;
    size_t capacity; /* the NUL included */
    size_t length;
} line;

static void put(line *out, const char *text) {
    for (; *text != '\0' && out->length + 1 < out->capacity; text++) {
        out->text[out->length++] = *text;
    }
    out->text[out->length] = '\0';
}

static void put_decimal(line *out, size_t value) {
    char digits[sizeof value > 4 ? 21 : 11];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put(out, digits + at);
}

static void put_hex(line *out, uint32_t value, unsigned width) {
    char digits[9];
    digits[width] = '\0';
    for (unsigned i = width; i-- > 0; value >>= 4) {
        digits[i] = "0123456789abcdef"[value & 15];
    }
    put(out, "0x");
    put(out, digits);
}

size_t th_fault_format(const th_fault *fault, char *text, size_t capacity) {
    line out = {text, capacity, 0};
    TH_ASSERT(capacity > 0);
    text[0] = '\0';
    put(&out, "tagheap: ");
    put(&out, th_fault_name(fault->kind));
    put(&out, ":");
    if (fault->block != TH_FAULT_NOWHERE) {
        put(&out, " block ");
        put_decimal(&out, fault->block);
        put(&out, " tag ");
        put_hex(&out, fault->tag, fault->tag > UINT16_MAX ? 8 : 4);
    }
    if (fault->offset != TH_FAULT_NOWHERE) {
        put(&out, " byte ");
        put_decimal(&out, fault->offset);
    }
    put(&out, " expected ");
    put_hex(&out, fault->expected, 8);
    put(&out, " found ");
    put_hex(&out, fault->found, 8);
    return out.length;
}

void th_fault_abort(void *context, const th_fault *fault) {
    char text[TH_FAULT_LINE_BYTES_MAX];
    (void)context;
    th_port_panic(text, th_fault_format(fault, text, sizeof text));
}

noreturn void th_assert_failed(const char *file, int at_line, const char *condition) {
    char text[TH_FAULT_LINE_BYTES_MAX];
    line out = {text, sizeof text, 0};
    put(&out, "tagheap: assertion failed: ");
    put(&out, file);
    put(&out, ":");
    put_decimal(&out, (size_t)at_line);
    put(&out, ": ");
    put(&out, condition);
    th_port_panic(text, out.length);
}
