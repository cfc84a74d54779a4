/* SPDX-License-Identifier: MIT */
#include "contract/play.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "contract/state.h"

/* Contents of more bytes than this are looked at only when they are freed or moved, and in the
 * end: else scripts with many large blocks would take minutes. */
#define LOOK_BYTES_MAX ((size_t)32 << 10)

lab_contract_runner *lab_contract_runner_new(void) {
    lab_contract_runner *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    if (!lab_backing_init(&r->backing) || !lab_contract_init(&r->model, LAB_SLOTS_MAX)) {
        lab_contract_runner_destroy(r);
        return NULL;
    }
    return r;
}

void lab_contract_runner_destroy(lab_contract_runner *r) {
    if (r != NULL) {
        lab_backing_clean_up(&r->backing);
        lab_contract_clean_up(&r->model);
        free(r);
    }
}

const lab_contract *lab_contract_runner_contract(const lab_contract_runner *r) {
    return &r->model;
}

lab_contract_runner_view lab_contract_runner_look(const lab_contract_runner *r) {
    lab_contract_runner_view view = {.backing = &r->backing};
    if (r->made && r->subject->watch != NULL && r->script->config.guard > 0 && th_guard_max() > 0) {
        r->subject->watch(r->instance.state, &view.watched);
    }
    if (r->made && r->subject->measure != NULL) {
        r->subject->measure(r->instance.state, &view.figures);
    }
    return view;
}

bool lab_contract_runner_has_subject(const lab_contract_runner *r) {
    return r->made;
}

static void note_fault(void *context, const th_fault *fault) {
    lab_contract_runner *r = context;
    r->faults++;
    r->fault = *fault;
}

/* A fault in the words that the library has for it, which say nothing of what there is not. */
static bool fail_by_fault(lab_contract_runner *r, lab_property property, const char *when,
                          const th_fault *fault) {
    char line[TH_FAULT_LINE_BYTES_MAX];
    (void)th_fault_format(fault, line, sizeof line);
    return lab_contract_runner_fail(r, property, th_fault_name(fault->kind), "%s: %s", when, line);
}

/* ---- making and ending the subject -------------------------------------------------------- */

static bool make(lab_contract_runner *r) {
    const lab_config *config = &r->script->config;
    lab_setup setup = {.backing = lab_backing_allocator(&r->backing),
                       .bytes = (size_t)config->dwords * 4,
                       .alignment = config->alignment,
                       .variant = config->skew,
                       .guard = config->guard,
                       .on_fault = note_fault,
                       .fault_context = r};
    memset(&r->instance, 0, sizeof r->instance);
    r->made = r->subject->create(&setup, &r->instance);
    if (!r->made && r->backing.count != 0) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_INIT, "leak",
                                        "a failed create kept %zu blocks of %zu bytes in all",
                                        r->backing.count, r->backing.live);
    }
    const th_allocator_table *table = r->instance.allocator.table;
    if (r->made && (table == NULL || table->alloc == NULL || table->free == NULL)) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_INIT, "table",
                                        "create gave no alloc or no free");
    }
    if (r->made) {
        lab_observer_start(&r->observer, r->subject, &r->instance);
    }
    return true;
}

/* Blocks that come from elsewhere than the backing do not end with the subject. */
static void destroy(lab_contract_runner *r) {
    bool elsewhere = lab_contract_runner_has(r, LAB_SUBJECT_OWN_MEMORY);
    for (uint32_t i = 0; elsewhere && i < r->model.slots_used; i++) {
        th_allocator_free(r->instance.allocator, r->model.slots[i].at);
    }
    r->subject->destroy(r->instance.state);
    r->made = false;
    lab_contract_reset(&r->model);
}

/* Everything is given back. */
static bool end_subject(lab_contract_runner *r) {
    if (!r->made) {
        return true;
    }
    destroy(r);
    if (r->faults != 0) {
        return fail_by_fault(r, LAB_PROPERTY_FAULT, "in destroy, no rule was broken", &r->fault);
    }
    if (r->backing.count != 0) {
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_INIT, "leak",
            "after destroy, %zu blocks of the backing, of %zu bytes in all, were not "
            "returned",
            r->backing.count, r->backing.live);
    }
    return true;
}

/* ---- after every operation ---------------------------------------------------------------- */

static bool check_contents(lab_contract_runner *r) {
    for (uint32_t i = 0; i < r->model.slots_used; i++) {
        const lab_contract_block *block = &r->model.slots[i];
        size_t wrong = block->at != NULL ? lab_contract_wrong_byte(&r->model, i) : 0;
        if (block->at != NULL && wrong != block->written) {
            return lab_contract_runner_fail(r, LAB_PROPERTY_CONTENTS, "bytes",
                                            "slot %u: byte %zu of %zu differs", i, wrong,
                                            block->written);
        }
    }
    return true;
}

static bool check_figures(lab_contract_runner *r) {
    lab_observer_figure wrong;
    if (lab_observer_agrees(&r->observer, &r->model, &r->backing, &wrong)) {
        return true;
    }
    if (wrong.least == wrong.most) {
        return lab_contract_runner_fail(r, LAB_PROPERTY_STATS, wrong.name,
                                        "%s: expected %" PRIu64 ", found %" PRIu64, wrong.name,
                                        wrong.least, wrong.found);
    }
    return lab_contract_runner_fail(r, LAB_PROPERTY_STATS, wrong.name,
                                    "%s: expected %" PRIu64 " to %" PRIu64 ", found %" PRIu64,
                                    wrong.name, wrong.least, wrong.most, wrong.found);
}

static bool after(lab_contract_runner *r, bool all_contents) {
    th_fault fault = {.block = TH_FAULT_NOWHERE, .offset = TH_FAULT_NOWHERE};
    if (r->faults != 0) {
        return fail_by_fault(r, LAB_PROPERTY_FAULT, "no rule was broken", &r->fault);
    }
    if (r->made && th_allocator_check(r->instance.allocator, &fault) != TH_OK) {
        return fail_by_fault(r, LAB_PROPERTY_CHECKER, "the checker", &fault);
    }
    if (r->made && (!check_figures(r) || !lab_contract_runner_check_sides(r))) {
        return false;
    }
    if ((all_contents || r->model.live_bytes <= LOOK_BYTES_MAX) && !check_contents(r)) {
        return false;
    }
    if (!lab_backing_check(&r->backing) || r->backing.damage != NULL) {
        const unsigned char *at = r->backing.damaged.at;
        return lab_contract_runner_fail(
            r, LAB_PROPERTY_BOUNDS, r->backing.damage,
            "%s: block of %zu bytes (0: no block's address) at byte %td of the "
            "backing's region",
            r->backing.damage, r->backing.damaged.bytes,
            (ptrdiff_t)((uintptr_t)at - (uintptr_t)r->backing.region));
    }
    r->counts.checked++;
    return true;
}

/* ---- playing ------------------------------------------------------------------------------ */

bool lab_contract_runner_begin(lab_contract_runner *r, const lab_subject *subject,
                               const lab_script *script, const lab_contract_runner_options *options,
                               lab_failure *failure) {
    memset(failure, 0, sizeof *failure);
    failure->detail = "";
    r->subject = subject;
    r->script = script;
    r->failure = failure;
    r->failed = false;
    r->index = 0;
    r->faults = 0;
    memset(&r->counts, 0, sizeof r->counts);
    lab_backing_start(&r->backing, (size_t)script->config.dwords * 4,
                      lab_config_start_bytes(&script->config));
    if (options != NULL) {
        r->backing.fail_at = options->fail_at;
        r->backing.fail_forever = options->fail_forever;
    }
    lab_contract_start(&r->model);
    return make(r) && after(r, true);
}

bool lab_contract_runner_step(lab_contract_runner *r, size_t index) {
    const lab_op *op = &r->script->ops[index];
    bool acted = false;
    if (r->failed) {
        return false;
    }
    r->index = index;
    r->model.seed = (uint32_t)index + 1; /* the same on every subject */
    r->counts.ops++;
    if (op->kind == LAB_OP_INIT) {
        acted = true;
        if (!end_subject(r) || !make(r)) {
            return false;
        }
    } else if (r->made && !lab_contract_runner_do(r, op, &acted)) {
        return false;
    }
    if (acted) {
        r->counts.acted++;
        r->counts.by_kind[op->kind]++;
    }
    return !acted || after(r, false);
}

bool lab_contract_runner_end(lab_contract_runner *r, lab_run_counts *counts) {
    r->index = r->script->count;
    if (!r->failed && r->made && after(r, true) && lab_contract_runner_free_all(r) &&
        after(r, true)) {
        (void)end_subject(r);
    }
    if (r->made) {
        destroy(r); /* the failure is known; this is to leak nothing */
    }
    if (counts != NULL) {
        lab_run_counts_add(counts, &r->counts);
    }
    return !r->failed;
}

bool lab_contract_runner_play(lab_contract_runner *r, const lab_subject *subject,
                              const lab_script *script, const lab_contract_runner_options *options,
                              lab_failure *failure, lab_run_counts *counts) {
    bool passed = lab_contract_runner_begin(r, subject, script, options, failure);
    for (size_t i = 0; passed && i < script->count; i++) {
        passed = lab_contract_runner_step(r, i);
    }
    return lab_contract_runner_end(r, counts);
}
