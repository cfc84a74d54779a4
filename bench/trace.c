/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "tagheap/heap.h"

/* Larger requests are heaplab's own, to be refused. */
#define REQUEST_MAX ((size_t)1 << 24)

typedef struct slot {
    size_t bytes; /* 0: empty */
    uint16_t tag;
} slot;

typedef struct reader {
    bench_trace *trace;
    slot *slots;
    uint32_t slot_count;
    size_t blocks, bytes;
} reader;

static void append(reader *r, lab_op op) {
    if (!lab_script_append(&r->trace->requests, op)) {
        bench_fail("no memory", "trace");
    }
}

/* The slot's block is as large from here on. */
static void become(reader *r, uint16_t at, size_t bytes) {
    bench_trace *t = r->trace;
    slot *s = &r->slots[at];
    r->blocks = r->blocks + (bytes != 0) - (s->bytes != 0);
    r->bytes = r->bytes + bytes - s->bytes;
    s->bytes = bytes;
    t->blocks_peak = r->blocks > t->blocks_peak ? r->blocks : t->blocks_peak;
    t->bytes_peak = r->bytes > t->bytes_peak ? r->bytes : t->bytes_peak;
    t->bytes_most = bytes > t->bytes_most ? bytes : t->bytes_most;
}

static void free_slot(reader *r, uint32_t at) {
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = LAB_OP_FREE;
    op.slot = (uint16_t)at;
    append(r, op);
    become(r, (uint16_t)at, 0);
}

static void free_tags(reader *r, uint32_t low, uint32_t high) {
    for (uint32_t at = 0; at < r->slot_count; at++) {
        if (r->slots[at].bytes != 0 && r->slots[at].tag >= low && r->slots[at].tag <= high) {
            free_slot(r, at);
        }
    }
}

static void allocate(reader *r, const lab_op *op, size_t bytes) {
    bool fine =
        op->tag < TH_TAG_FREE && (op->kind == LAB_OP_ALLOC || lab_align_is_power(op->align));
    if (fine && bytes != 0) {
        append(r, *op);
        r->slots[op->slot].tag = op->tag;
        become(r, op->slot, bytes);
    }
}

static void read_op(reader *r, const lab_op *op) {
    size_t bytes = lab_size_bytes(op->size);
    bool takes_slot = (lab_op_fields[op->kind] & LAB_FIELD_SLOT) != 0;
    if ((takes_slot && !lab_op_suits(op, r->slots[op->slot].bytes != 0)) || bytes > REQUEST_MAX) {
        return;
    }
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_ALLOC:
    case LAB_OP_ALIGNED:
        allocate(r, op, bytes);
        break;
    case LAB_OP_RESIZE:
        if (bytes != 0) {
            append(r, *op);
            become(r, op->slot, bytes);
            break;
        }
        free_slot(r, op->slot);
        break;
    case LAB_OP_FREE:
        free_slot(r, op->slot);
        break;
    case LAB_OP_FREE_TAGS:
        free_tags(r, op->tag, op->tag_high);
        break;
    default:
        break;
    }
}

void bench_trace_read(bench_trace *trace, const char *path) {
    lab_script script = {0};
    char message[512];
    *trace = (bench_trace){.bytes_peak = 0};
    if (!lab_script_read_file(&script, path, message, sizeof message)) {
        bench_fail("no script", message);
    }
    reader r = {.trace = trace, .slot_count = script.config.slots};
    r.slots = bench_memory(r.slot_count * sizeof *r.slots);
    memset(r.slots, 0, r.slot_count * sizeof *r.slots);
    trace->requests.config = script.config;
    for (size_t i = 0; i < script.count; i++) {
        read_op(&r, &script.ops[i]);
    }
    free_tags(&r, 0, UINT16_MAX);
    free(r.slots);
    lab_script_clean_up(&script);
    if (trace->requests.count == 0) {
        bench_fail("the script asks for no memory", path);
    }
}

void bench_trace_clean_up(bench_trace *trace) {
    lab_script_clean_up(&trace->requests);
}
