/* SPDX-License-Identifier: MIT */
/* Policies: parts around each other, in the caller's th_policy. */
#include "tagheap/policy.h"

#include "alloc/guarding.h"

static bool has(const th_policy *policy, unsigned part) {
    return (policy->parts & part) != 0;
}

/* Each puts a part around policy->top, if it is wanted. */

static th_status add_fallback(th_policy *policy, const th_policy_config *config) {
    if (config->fallback.table == NULL) {
        return TH_OK;
    }
    const th_fallback_config both = {
        .first = policy->top, .second = config->fallback, .guarding = config->guarding};
    th_status status = th_fallback_init(&policy->fallback, &both);
    if (status == TH_OK) {
        policy->parts |= TH_POLICY_FALLBACK;
        policy->top = th_fallback_allocator(&policy->fallback);
    }
    return status;
}

static th_status add_reserve(th_policy *policy, const th_policy_config *config) {
    if (config->reserve_bytes == 0) {
        return TH_OK;
    }
    const th_reserve_config around = {
        .backing = policy->top, .bytes = config->reserve_bytes, .guarding = config->guarding};
    th_status status = th_reserve_init(&policy->reserve, &around);
    if (status == TH_OK) {
        policy->parts |= TH_POLICY_RESERVE;
        policy->top = th_reserve_allocator(&policy->reserve);
    }
    return status;
}

static th_status add_quota(th_policy *policy, const th_policy_config *config) {
    if (config->quota == NULL) {
        return TH_OK;
    }
    th_quota_config around = *config->quota;
    around.backing = policy->top;
    around.guarding = config->guarding;
    policy->parts |= TH_POLICY_QUOTA;
    policy->top = th_quota_allocator(&policy->quota);
    return th_quota_init(&policy->quota, &around);
}

static bool is_layer(const th_policy_layer *layer) {
    return layer->name != NULL && layer->wrap != NULL;
}

static th_status add_layers(th_policy *policy, const th_policy_config *config) {
    size_t count = config->layers != NULL ? config->layers_count : 0;
    for (size_t i = 0; i < count; i++) {
        const th_policy_layer *layer = config->layers + i;
        if (!is_layer(layer)) {
            return TH_ERR_CONFIG;
        }
        th_allocator outer = layer->wrap(layer->context, policy->top);
        if (outer.table == NULL) {
            return TH_ERR_EXHAUSTED;
        }
        policy->top = outer;
        policy->layers[policy->layers_count++] = *layer;
        policy->parts |= TH_POLICY_LAYERS;
    }
    return TH_OK;
}

th_status th_policy_init(th_policy *policy, const th_policy_config *config) {
    static th_status (*const parts[])(th_policy *, const th_policy_config *) = {
        add_fallback, add_reserve, add_quota, add_layers};
    if (policy == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    *policy = (th_policy){.top = config->base};
    th_status status = TH_OK;
    if (config->layers_count > TH_POLICY_LAYERS_MAX) {
        status = TH_ERR_TOO_LARGE;
    } else if (config->base.table == NULL || !th_guarding_is_valid(&config->guarding) ||
               !th_backing_is_usable(&config->base)) {
        status = TH_ERR_CONFIG;
    }
    for (size_t i = 0; status == TH_OK && i < sizeof parts / sizeof parts[0]; i++) {
        status = parts[i](policy, config);
    }
    if (status != TH_OK) {
        th_policy_clean_up(policy);
    }
    return status;
}

void th_policy_clean_up(th_policy *policy) {
    if (policy == NULL) {
        return;
    }
    while (policy->layers_count > 0) {
        const th_policy_layer *layer = policy->layers + --policy->layers_count;
        if (layer->end != NULL) {
            layer->end(layer->context);
        }
    }
    th_quota_clean_up(&policy->quota);
    th_reserve_clean_up(&policy->reserve);
    th_fallback_clean_up(&policy->fallback);
    *policy = (th_policy){0};
}

/* ---- questions ---------------------------------------------------------------------------- */

th_allocator th_policy_allocator(const th_policy *policy) {
    static const th_allocator none;
    return policy != NULL ? policy->top : none;
}

unsigned th_policy_parts(const th_policy *policy) {
    return policy != NULL ? policy->parts : 0;
}

th_quota *th_policy_get_quota(th_policy *policy) {
    return policy != NULL && has(policy, TH_POLICY_QUOTA) ? &policy->quota : NULL;
}

th_reserve *th_policy_get_reserve(th_policy *policy) {
    return policy != NULL && has(policy, TH_POLICY_RESERVE) ? &policy->reserve : NULL;
}

typedef struct writer {
    char *line;
    size_t length;
    size_t capacity;
} writer;

static void write_text(writer *to, const char *text) {
    while (*text != '\0' && to->length + 1 < to->capacity) {
        to->line[to->length++] = *text++;
    }
    to->line[to->length] = '\0';
}

size_t th_policy_describe(const th_policy *policy, char *line, size_t capacity) {
    writer to = {line, 0, capacity};
    if (policy == NULL || line == NULL || capacity == 0) {
        return 0;
    }
    write_text(&to, "");
    if (policy->top.table == NULL) {
        return 0;
    }
    for (size_t i = policy->layers_count; i-- > 0;) {
        write_text(&to, policy->layers[i].name);
        write_text(&to, " > ");
    }
    write_text(&to, has(policy, TH_POLICY_QUOTA) ? "quota > " : "");
    write_text(&to, has(policy, TH_POLICY_RESERVE) ? "reserve > " : "");
    write_text(&to, "base");
    write_text(&to, has(policy, TH_POLICY_FALLBACK) ? " | fallback" : "");
    return to.length;
}

th_policy_stats th_policy_get_stats(const th_policy *policy) {
    if (policy == NULL) {
        return (th_policy_stats){0};
    }
    th_quota_stats quota = th_quota_get_stats(&policy->quota);
    th_reserve_stats reserve = th_reserve_get_stats(&policy->reserve);
    th_fallback_stats fallback = th_fallback_get_stats(&policy->fallback);
    return (th_policy_stats){.used_bytes = quota.used_bytes,
                             .high_water_bytes = quota.high_water_bytes,
                             .reserve_bytes = reserve.held_bytes,
                             .refusals = quota.refusals,
                             .openings = reserve.openings,
                             .fallback_allocs = fallback.second_allocs};
}

th_status th_policy_check(const th_policy *policy, th_fault *fault) {
    th_no_fault(fault);
    if (policy == NULL) {
        return TH_ERR_NULL;
    }
    return th_allocator_check(policy->top, fault);
}
