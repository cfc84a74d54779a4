/* SPDX-License-Identifier: MIT */
/* A fresh heap and a fresh model, as a script wants them. */
#include "runner/state.h"

#define AND_CHECK(name) &&lab_check_##name(r)

bool lab_start(lab_runner *r, int guard, bool *accepted) {
    const lab_config *config = &r->script->config;
    size_t start = lab_region_start(config);
    for (uint32_t i = 0; i < r->slots_used; i++) {
        r->slots[i].block = LAB_EXACT_NONE;
    }
    r->slots_used = 0;
    r->lock_depth = 0;
    lab_forget(&r->heap);
    r->base = r->arenas[r->arena] + start;
    r->region_bytes = (size_t)config->dwords * 4;
    th_heap_config heap_config = lab_heap_config(config, guard);
    heap_config.guarding.on_fault = lab_on_fault;
    heap_config.guarding.fault_context = r;
    heap_config.low_memory = config->low_memory ? lab_heap_low_memory : NULL;
    heap_config.low_memory_context = r;
    if (lab_config_has_locks(config)) {
        heap_config.lock = (th_lock){.acquire = lab_lock, .release = lab_unlock, .context = r};
    }
    lab_index_choose(&r->indexes[0], config);
    lab_index_choose(&r->indexes[1], config);
    lab_index_tell(&r->indexes[r->arena], &heap_config);
    *accepted = lab_exact_start(&r->model, start, r->region_bytes, config->alignment,
                                lab_model_layout(config));
    if (*accepted) {
        lab_write_edges(r, r->arena);
    }
    th_status status = th_heap_init(&r->heap, r->base, r->region_bytes, &heap_config);
    if (*accepted != (status == TH_OK)) {
        return lab_fail(r, LAB_PROPERTY_INIT, th_status_name(status),
                        "a region of %u dwords at alignment %u: expected %s, found %s",
                        config->dwords, config->alignment, *accepted ? "TH_OK" : "a refusal",
                        th_status_name(status));
    }
    if (!*accepted) {
        return true;
    }
    r->history = lab_heap_history_none(&r->model);
    r->model.low_memory = config->low_memory ? lab_model_low_memory : NULL;
    r->model.low_memory_context = r;
    return true LAB_CHECKS_OF_STATE(AND_CHECK);
}
