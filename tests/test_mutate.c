/* SPDX-License-Identifier: MIT */
/* The mutator core: what every result must be, and what each mutation does. */
#include "mutate/live.h"
#include "mutate/mutate.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 4096u
#define OPS_MAX   200u

/* ---- helpers ------------------------------------------------------------------------------ */

static lab_op op_of(lab_op_kind kind, uint16_t slot, uint32_t bytes) {
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = (uint8_t)kind;
    op.slot = slot;
    op.size.value = bytes;
    return op;
}

static void add(lab_script *script, lab_op op) {
    CHECK(lab_script_append(script, op));
}

static lab_script fresh(uint32_t dwords) {
    lab_script script;
    memset(&script, 0, sizeof script);
    script.config.dwords = dwords;
    script.config.alignment = 4;
    script.config.guard = 3;
    script.config.slots = 16;
    return script;
}

/* Allocations of 1, 2, 3 ... bytes in slots 0, 1, 2 ...: each operation is told from the others by
 * its size. */
static lab_script numbered(uint32_t count) {
    lab_script script = fresh(750);
    for (uint32_t i = 0; i < count; i++) {
        add(&script, op_of(LAB_OP_ALLOC, (uint16_t)(i % 16), i + 1));
    }
    return script;
}

static lab_script copy_of(const lab_script *from) {
    lab_script copy = fresh(0);
    copy.config = from->config;
    for (size_t i = 0; i < from->count; i++) {
        add(&copy, from->ops[i]);
    }
    return copy;
}

static size_t count_of(const lab_script *script, const lab_op *op) {
    size_t count = 0;
    for (size_t i = 0; i < script->count; i++) {
        count += lab_op_equal(&script->ops[i], op);
    }
    return count;
}

/* Is `a` what is left of `b` when some operations are left out? */
static bool is_part(const lab_script *a, const lab_script *b) {
    size_t found = 0;
    for (size_t i = 0; i < b->count && found < a->count; i++) {
        found += lab_op_equal(&a->ops[found], &b->ops[i]);
    }
    return found == a->count;
}

static size_t shared_prefix(const lab_script *a, const lab_script *b) {
    size_t at = 0;
    while (at < a->count && at < b->count && lab_op_equal(&a->ops[at], &b->ops[at])) {
        at++;
    }
    return at;
}

static size_t shared_suffix(const lab_script *a, const lab_script *b) {
    size_t length = 0;
    while (length < a->count && length < b->count &&
           lab_op_equal(&a->ops[a->count - 1 - length], &b->ops[b->count - 1 - length])) {
        length++;
    }
    return length;
}

typedef void check_function(const lab_script *before, const lab_script *after);

/* Applies a mutation often, each time to the same script; `check` sees each one that was done.
 * Returns how many were. */
static unsigned apply_often(lab_mutation mutation, const lab_script *start, const lab_script *other,
                            check_function *check) {
    uint64_t seed = th_test_seed(20261121);
    lab_mutator *mutator = lab_mutator_new(seed, LAB_MUTATE_SCRIPT, NULL);
    unsigned done = 0;
    CHECK(mutator != NULL);
    for (unsigned i = 0; i < 2000; i++) {
        lab_script script = copy_of(start);
        if (lab_mutate_apply(mutator, mutation, &script, other, OPS_MAX)) {
            done++;
            CHECK(lab_script_is_valid(&script));
            CHECK(script.count <= OPS_MAX);
            check(start, &script);
        } else {
            CHECK(lab_script_equal(start, &script));
        }
        lab_script_clean_up(&script);
    }
    lab_mutator_destroy(mutator);
    return done;
}

/* ---- what every result is ----------------------------------------------------------------- */

static void check_canonical(const uint8_t *bytes, size_t size) {
    static uint8_t again[BYTES_MAX];
    lab_script script = fresh(0);
    CHECK(lab_script_decode(&script, bytes, size));
    CHECK(lab_script_is_valid(&script));
    CHECK_EQ(lab_script_encode(&script, again, sizeof again), size);
    CHECK(memcmp(bytes, again, size) == 0);
    lab_script_clean_up(&script);
}

/* The bytes after max_size must not be touched. */
static void results_are_canonical_and_fit(void) {
    static const size_t limits[] = {4, 13, 14, 15, 100, 1000, BYTES_MAX};
    uint64_t random = th_test_seed(7);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        size_t max = limits[i];
        lab_mutator *mutator = lab_mutator_new(random, LAB_MUTATE_SCRIPT, NULL);
        uint8_t *bytes = malloc(max), *crossed = malloc(max), *kept = malloc(max);
        CHECK(mutator != NULL && bytes != NULL && crossed != NULL && kept != NULL);
        size_t size = 0, kept_size = 0;
        for (unsigned round = 0; round < TH_TEST_TIMES(5000); round++) {
            if (round % 50 == 0) { /* any bytes */
                size = (size_t)(th_test_random(&random) % (max + 1));
                for (size_t at = 0; at < size; at++) {
                    bytes[at] = (uint8_t)th_test_random(&random);
                }
            }
            size = lab_mutate(mutator, bytes, size, max, th_test_random(&random));
            CHECK(size >= LAB_HEADER_BYTES && size <= max);
            check_canonical(bytes, size);
            size_t cross = lab_mutate_cross(mutator, bytes, size, kept, kept_size, crossed, max,
                                            th_test_random(&random));
            CHECK(cross <= max);
            if (cross > 0) {
                check_canonical(crossed, cross);
            }
            memcpy(kept, bytes, size);
            kept_size = size;
        }
        lab_mutator_destroy(mutator);
        free(bytes);
        free(crossed);
        free(kept);
    }
}

static void no_room_for_a_script_gives_nothing(void) {
    lab_mutator *mutator = lab_mutator_new(1, LAB_MUTATE_SCRIPT, NULL);
    uint8_t bytes[4] = {0}, out[4];
    for (size_t max = 0; max < LAB_HEADER_BYTES; max++) {
        CHECK_EQ(lab_mutate(mutator, bytes, 0, max, 1), 0);
        CHECK_EQ(lab_mutate_cross(mutator, bytes, 4, bytes, 4, out, max, 1), 0);
    }
    lab_mutator_destroy(mutator);
}

/* ---- determinism -------------------------------------------------------------------------- */

/* A hash of everything that a mutator makes in some thousand calls. */
static uint64_t run(uint64_t seed, lab_mutate_form form, uint64_t calls_seed) {
    lab_mutator *mutator = lab_mutator_new(seed, form, NULL);
    static uint8_t bytes[BYTES_MAX], crossed[BYTES_MAX];
    size_t size = 0;
    uint64_t hash = 14695981039346656037u;
    CHECK(mutator != NULL);
    for (unsigned i = 0; i < TH_TEST_TIMES(3000); i++) {
        size = lab_mutate(mutator, bytes, size, sizeof bytes, th_test_random(&calls_seed));
        size_t cross = lab_mutate_cross(mutator, bytes, size, bytes, size, crossed, sizeof crossed,
                                        th_test_random(&calls_seed));
        for (size_t at = 0; at < size; at++) {
            hash = (hash ^ bytes[at]) * 1099511628211u;
        }
        for (size_t at = 0; at < cross; at++) {
            hash = (hash ^ crossed[at]) * 1099511628211u;
        }
    }
    lab_mutator_destroy(mutator);
    return hash;
}

static void same_seeds_same_results(void) {
    for (unsigned form = LAB_MUTATE_SCRIPT; form <= LAB_MUTATE_TEXT; form++) {
        uint64_t first = run(1, (lab_mutate_form)form, 2);
        CHECK(first == run(1, (lab_mutate_form)form, 2));
        CHECK(first != run(2, (lab_mutate_form)form, 2));
        CHECK(first != run(1, (lab_mutate_form)form, 3));
    }
}

/* ---- each mutation ------------------------------------------------------------------------ */

static unsigned grown, changed, at_end;

static void check_renew(const lab_script *before, const lab_script *after) {
    (void)before;
    CHECK(after->count > 0);
    grown += after->count > 10;
}

static void renew_makes_new_scripts(void) {
    lab_script start = numbered(3);
    grown = 0;
    CHECK_EQ(apply_often(LAB_MUTATION_RENEW, &start, NULL, check_renew), 2000);
    CHECK(grown > 200);
    lab_script_clean_up(&start);
}

static void check_insert(const lab_script *before, const lab_script *after) {
    CHECK(after->count > before->count);
    CHECK(is_part(before, after));
    at_end += shared_prefix(before, after) == before->count;
    grown += after->count == before->count + 1;
}

static void insert_adds_operations(void) {
    lab_script start = numbered(12);
    at_end = grown = 0;
    CHECK(apply_often(LAB_MUTATION_INSERT, &start, NULL, check_insert) > 1900);
    CHECK(at_end > 500 && at_end < 1800);
    CHECK(grown > 300);
    lab_script_clean_up(&start);
}

static void check_delete(const lab_script *before, const lab_script *after) {
    CHECK(after->count > 0 && after->count < before->count);
    CHECK(is_part(after, before));
}

static void delete_removes_a_range(void) {
    lab_script start = numbered(12), one = numbered(1);
    CHECK_EQ(apply_often(LAB_MUTATION_DELETE, &start, NULL, check_delete), 2000);
    CHECK_EQ(apply_often(LAB_MUTATION_DELETE, &one, NULL, check_delete), 0);
    lab_script_clean_up(&start);
    lab_script_clean_up(&one);
}

static void check_duplicate(const lab_script *before, const lab_script *after) {
    CHECK(is_part(before, after));
    size_t twice = 0;
    for (size_t i = 0; i < before->count; i++) {
        size_t count = count_of(after, &before->ops[i]);
        CHECK(count == 1 || count == 2);
        twice += count == 2;
    }
    CHECK(twice > 0);
    CHECK_EQ(after->count, before->count + twice);
}

static void duplicate_repeats_a_range(void) {
    lab_script start = numbered(12);
    CHECK_EQ(apply_often(LAB_MUTATION_DUPLICATE, &start, NULL, check_duplicate), 2000);
    lab_script_clean_up(&start);
}

static void check_same_operations(const lab_script *before, const lab_script *after) {
    CHECK_EQ(after->count, before->count);
    for (size_t i = 0; i < before->count; i++) {
        CHECK_EQ(count_of(after, &before->ops[i]), 1);
    }
    CHECK(!lab_script_equal(before, after));
}

static void check_swap(const lab_script *before, const lab_script *after) {
    check_same_operations(before, after);
    size_t differ = 0;
    for (size_t i = 0; i < before->count; i++) {
        differ += !lab_op_equal(&before->ops[i], &after->ops[i]);
    }
    CHECK_EQ(differ, 2);
}

static void move_and_swap_change_the_order(void) {
    lab_script start = numbered(12), one = numbered(1);
    CHECK_EQ(apply_often(LAB_MUTATION_MOVE, &start, NULL, check_same_operations), 2000);
    CHECK_EQ(apply_often(LAB_MUTATION_SWAP, &start, NULL, check_swap), 2000);
    CHECK_EQ(apply_often(LAB_MUTATION_MOVE, &one, NULL, check_swap), 0);
    CHECK_EQ(apply_often(LAB_MUTATION_SWAP, &one, NULL, check_swap), 0);
    lab_script_clean_up(&start);
    lab_script_clean_up(&one);
}

/* One of each kind that has fields. */
static lab_script one_of_each(void) {
    lab_script script = numbered(4);
    for (unsigned kind = 0; kind < LAB_OP_COUNT; kind++) {
        lab_op op = op_of((lab_op_kind)kind, 0, 0);
        op.size.value = (lab_op_fields[kind] & LAB_FIELD_SIZE) != 0 ? 1000 : 0;
        add(&script, op);
    }
    return script;
}

static unsigned fields_changed;

static void check_operand(const lab_script *before, const lab_script *after) {
    size_t differ = 0;
    CHECK_EQ(after->count, before->count);
    for (size_t i = 0; i < before->count; i++) {
        const lab_op *a = &before->ops[i], *b = &after->ops[i];
        CHECK_EQ(a->kind, b->kind);
        unsigned fields = (a->slot != b->slot ? LAB_FIELD_SLOT : 0u) |
                          (a->tag != b->tag ? LAB_FIELD_TAG : 0u) |
                          (a->tag_high != b->tag_high ? LAB_FIELD_TAG_HIGH : 0u) |
                          (a->align != b->align ? LAB_FIELD_ALIGN : 0u) |
                          (a->veto != b->veto ? LAB_FIELD_VETO : 0u) |
                          (a->reenter != b->reenter ? LAB_FIELD_REENTER : 0u) |
                          (a->attack != b->attack ? LAB_FIELD_ATTACK : 0u);
        bool size = a->size.kind != b->size.kind || a->size.value != b->size.value;
        fields |= size ? LAB_FIELD_SIZE : 0u;
        CHECK((fields & (fields - 1)) == 0); /* one field at most */
        differ += fields != 0;
        fields_changed |= fields;
    }
    CHECK(differ <= 1);
    changed += differ == 1;
}

static void operand_changes_one_field(void) {
    lab_script start = one_of_each();
    changed = fields_changed = 0;
    CHECK(apply_often(LAB_MUTATION_OPERAND, &start, NULL, check_operand) > 1500);
    CHECK(changed > 1000);
    CHECK_EQ(fields_changed, 0xFF);
    lab_script_clean_up(&start);
}

static void check_kind(const lab_script *before, const lab_script *after) {
    size_t differ = 0;
    CHECK_EQ(after->count, before->count);
    for (size_t i = 0; i < before->count; i++) {
        const lab_op *a = &before->ops[i], *b = &after->ops[i];
        differ += !lab_op_equal(a, b);
        unsigned both = lab_op_fields[a->kind] & lab_op_fields[b->kind];
        CHECK(lab_op_equal(a, b) || (both & LAB_FIELD_SLOT) == 0 || a->slot == b->slot);
        changed += a->kind != b->kind;
    }
    CHECK(differ <= 1);
}

static void kind_keeps_the_slot(void) {
    lab_script start = one_of_each();
    changed = 0;
    CHECK_EQ(apply_often(LAB_MUTATION_KIND, &start, NULL, check_kind), 2000);
    CHECK(changed > 1000);
    lab_script_clean_up(&start);
}

/* Every operation that is new frees a block that is live at its place. */
static void check_release(const lab_script *before, const lab_script *after) {
    lab_live live;
    size_t added = after->count - before->count;
    CHECK(after->count > before->count && is_part(before, after));
    size_t at = before->count - shared_suffix(before, after);
    lab_live_until(&live, after, at);
    for (size_t i = at; i < at + added; i++) {
        CHECK_EQ(after->ops[i].kind, LAB_OP_FREE);
        CHECK(lab_live_find(&live, after->ops[i].slot) != NULL);
        lab_live_note(&live, &after->ops[i]);
    }
    at_end += at == before->count;
    grown += at == before->count && live.count == 0;
}

static void release_frees_what_is_live(void) {
    lab_script start = numbered(9), nothing = fresh(750);
    add(&start, op_of(LAB_OP_FREE, 3, 0));
    add(&start, op_of(LAB_OP_RESIZE, 4, 0));
    add(&start, op_of(LAB_OP_RESIZE, 5, 64));
    add(&nothing, op_of(LAB_OP_FREE, 0, 0));
    at_end = grown = 0;
    CHECK(apply_often(LAB_MUTATION_RELEASE, &start, NULL, check_release) > 1500);
    CHECK(at_end > 500);
    CHECK(grown > 100); /* everything is freed */
    CHECK_EQ(apply_often(LAB_MUTATION_RELEASE, &nothing, NULL, check_release), 0);
    lab_script_clean_up(&start);
    lab_script_clean_up(&nothing);
}

static unsigned keys_changed;

static void check_config(const lab_script *before, const lab_script *after) {
    const lab_config *a = &before->config, *b = &after->config;
    unsigned keys = (a->dwords != b->dwords ? 1u : 0u) | (a->alignment != b->alignment ? 2u : 0u) |
                    (a->guard != b->guard ? 4u : 0u) | (a->slots != b->slots ? 8u : 0u) |
                    (a->low_memory != b->low_memory ? 16u : 0u) | (a->skew != b->skew ? 32u : 0u);
    CHECK((keys & (keys - 1)) == 0);
    CHECK_EQ(after->count, before->count);
    for (size_t i = 0; i < before->count; i++) {
        lab_op op = before->ops[i];
        op.slot &= (uint16_t)(b->slots - 1);
        CHECK(lab_op_equal(&op, &after->ops[i]));
    }
    keys_changed |= keys;
}

static void config_changes_one_key(void) {
    lab_script start = numbered(12);
    keys_changed = 0;
    CHECK_EQ(apply_often(LAB_MUTATION_CONFIG, &start, NULL, check_config), 2000);
    CHECK_EQ(keys_changed, 0x3F);
    lab_script_clean_up(&start);
}

static unsigned replaced, between;

/* What comes of the first script is its beginning, perhaps its end; the rest is a range of the
 * other one, whose sizes are from 1001 up. */
static void check_cross(const lab_script *before, const lab_script *after) {
    size_t mine = 0, theirs = 0, borders = 0;
    for (size_t i = 0; i < after->count; i++) {
        bool is_theirs = after->ops[i].size.value > 1000;
        theirs += is_theirs;
        mine += !is_theirs;
        borders += i > 0 && is_theirs != (after->ops[i - 1].size.value > 1000);
        CHECK(i == 0 || !is_theirs || after->ops[i - 1].size.value <= 1000 ||
              after->ops[i].size.value == after->ops[i - 1].size.value + 1);
    }
    CHECK(mine > 0 && theirs > 0 && borders <= 2);
    CHECK(mine <= before->count);
    replaced += mine < before->count;
    between += borders == 2;
}

static void cross_has_parts_of_both(void) {
    lab_script start = numbered(12), other = numbered(20), empty = fresh(750);
    for (size_t i = 0; i < other.count; i++) {
        other.ops[i].size.value += 1000;
    }
    replaced = between = 0;
    CHECK_EQ(apply_often(LAB_MUTATION_CROSS, &start, &other, check_cross), 2000);
    CHECK(replaced > 300 && between > 300);
    CHECK_EQ(apply_often(LAB_MUTATION_CROSS, &start, &empty, check_cross), 0);
    CHECK_EQ(apply_often(LAB_MUTATION_CROSS, &start, NULL, check_cross), 0);
    lab_script_clean_up(&start);
    lab_script_clean_up(&other);
    lab_script_clean_up(&empty);
}

static void check_bytes(const lab_script *before, const lab_script *after) {
    changed += !lab_script_equal(before, after);
}

static void bytes_change_the_script(void) {
    lab_script start = numbered(12);
    changed = 0;
    CHECK_EQ(apply_often(LAB_MUTATION_BYTES, &start, NULL, check_bytes), 2000);
    CHECK(changed > 1500);
    lab_script_clean_up(&start);
}

/* ---- all together ------------------------------------------------------------------------- */

static unsigned lent_calls;

static size_t lent_mutation(uint8_t *bytes, size_t size, size_t max_size) {
    CHECK(size <= max_size);
    lent_calls++;
    if (size < max_size) {
        bytes[size++] = 1;
    }
    return size;
}

static void every_mutation_occurs_in_a_run(void) {
    lab_mutator *mutator = lab_mutator_new(1, LAB_MUTATE_SCRIPT, lent_mutation);
    static uint8_t bytes[BYTES_MAX], crossed[BYTES_MAX];
    unsigned seen[LAB_MUTATION_COUNT] = {0};
    size_t size = 0;
    lent_calls = 0;
    for (unsigned i = 0; i < 20000; i++) {
        size = lab_mutate(mutator, bytes, size, sizeof bytes, i);
        const char *words = lab_mutator_describe(mutator);
        CHECK(words[0] != '\0');
        for (unsigned m = 0; m < LAB_MUTATION_COUNT; m++) {
            seen[m] += strstr(words, lab_mutation_name((lab_mutation)m)) != NULL;
        }
        (void)lab_mutate_cross(mutator, bytes, size, bytes, size, crossed, sizeof crossed, i);
        seen[LAB_MUTATION_CROSS] += strcmp(lab_mutator_describe(mutator), "cross") == 0;
    }
    for (unsigned m = 0; m < LAB_MUTATION_COUNT; m++) {
        CHECK(seen[m] > 100);
    }
    CHECK(lent_calls > 100);
    lab_mutator_destroy(mutator);
}

/* Sizes near boundaries, tags at the ends of the sides and so on are not only possible, they come
 * up. */
static void interesting_values_occur(void) {
    lab_mutator *mutator = lab_mutator_new(1, LAB_MUTATE_SCRIPT, NULL);
    unsigned whole = 0, edges = 0, same = 0, absurd = 0, bad_align = 0, ranges = 0;
    unsigned wide[LAB_EXPONENT_MAX + 1] = {0}, cut = 0;
    lab_script script = fresh(750);
    static uint8_t bytes[BYTES_MAX];
    for (unsigned i = 0; i < 20000; i++) {
        size_t size = lab_mutate(mutator, bytes, 0, sizeof bytes, i);
        CHECK(lab_script_decode(&script, bytes, size));
        for (size_t at = 0; at < script.count; at++) {
            const lab_op *op = &script.ops[at];
            uint32_t all = 4 * script.config.dwords - 48;
            bool allocates = lab_op_allocates(op);
            whole += allocates && op->size.kind == LAB_SIZE_BYTES && op->size.value == all;
            edges += allocates && (op->tag == 0x3FFF || op->tag == 0x4000 || op->tag == 0x7FFE);
            absurd += allocates && op->size.kind != LAB_SIZE_BYTES;
            if (allocates && op->size.kind == LAB_SIZE_POWER) {
                wide[lab_size_exponent(op->size)]++;
                cut += lab_size_exponent(op->size) == 32 && lab_size_distance(op->size) > 0;
            }
            bad_align += op->align >= 32;
            ranges += op->kind == LAB_OP_FREE_TAGS && op->tag <= op->tag_high;
            same += at > 0 && op->kind == LAB_OP_FREE && script.ops[at - 1].kind == LAB_OP_ALLOC &&
                    op->slot == script.ops[at - 1].slot;
        }
    }
    CHECK(whole > 20 && edges > 500 && absurd > 500 && bad_align > 100);
    CHECK(ranges > 1000 && same > 100);
    for (unsigned exponent = 0; exponent <= LAB_EXPONENT_MAX; exponent++) {
        CHECK(wide[exponent] > 2);
    }
    CHECK(cut > 20);
    lab_script_clean_up(&script);
    lab_mutator_destroy(mutator);
}

static void what_is_new_is_short_at_first_and_may_grow(void) {
    lab_mutator *mutator = lab_mutator_new(1, LAB_MUTATE_SCRIPT, NULL);
    static uint8_t bytes[BYTES_MAX];
    size_t size = 0, longest_first = 0, longest = 0;
    for (unsigned i = 0; i < 70000; i++) {
        size = i % 100 == 0 ? 0 : size;
        size = lab_mutate(mutator, bytes, size, sizeof bytes, i);
        longest_first = i < 4000 && size > longest_first ? size : longest_first;
        longest = size > longest ? size : longest;
    }
    CHECK(longest_first <= LAB_HEADER_BYTES_MAX + 24 * LAB_RECORD_BYTES);
    CHECK(longest > 1500);
    lab_mutator_destroy(mutator);
}

/* ---- other forms -------------------------------------------------------------------------- */

static void text_stays_text(void) {
    lab_mutator *mutator = lab_mutator_new(1, LAB_MUTATE_TEXT, NULL);
    static const char start[] = "heap dwords=750\nalloc s1 tag=0x1001 bytes=100\nfree s1\n";
    static uint8_t bytes[1000], crossed[1000];
    unsigned scripts = 0, crosses = 0;
    lab_script script = fresh(0);
    lab_text_error error;
    for (unsigned i = 0; i < 4000; i++) {
        memcpy(bytes, start, sizeof start - 1);
        size_t size = lab_mutate(mutator, bytes, sizeof start - 1, sizeof bytes, i);
        CHECK(size <= sizeof bytes);
        scripts += lab_script_parse(&script, (const char *)bytes, size, &error) &&
                   strcmp(lab_mutator_describe(mutator), "bytes") != 0;
        size =
            lab_mutate_cross(mutator, (const uint8_t *)start, sizeof start - 1,
                             (const uint8_t *)start, sizeof start - 1, crossed, sizeof crossed, i);
        if (size > 0) {
            crosses++;
            CHECK(lab_script_parse(&script, (const char *)crossed, size, &error));
        }
    }
    CHECK(scripts > 1500 && scripts < 2500);
    CHECK(crosses > 3000);
    lab_script_clean_up(&script);
    lab_mutator_destroy(mutator);
}

/* The number in front stays a subject's that can be played, and the rest is canonical. */
static void numbered_scripts_keep_their_number(void) {
    lab_mutator *mutator = lab_mutator_new(1, LAB_MUTATE_NUMBERED, NULL);
    static uint8_t bytes[500], again[500];
    uint64_t subjects = 0;
    lab_script script = fresh(0);
    CHECK_EQ(lab_mutate(mutator, bytes, 0, LAB_HEADER_BYTES, 1), 0);
    for (unsigned i = 0; i < 2000; i++) {
        size_t size = lab_mutate(mutator, bytes, i % 50 == 0 ? 0 : 25, sizeof bytes, i);
        CHECK(size > LAB_HEADER_BYTES && size <= sizeof bytes);
        CHECK(lab_script_decode_numbered(&script, bytes, size));
        CHECK(lab_script_is_valid(&script) && script.config.subject != LAB_SUBJECT_HEAP);
        CHECK_EQ(lab_script_encode_input(&script, again, sizeof again), size);
        CHECK(memcmp(bytes, again, size) == 0);
        subjects |= UINT64_C(1) << script.config.subject;
    }
    CHECK((subjects & (subjects - 1)) != 0);
    lab_script_clean_up(&script);
    lab_mutator_destroy(mutator);
}

static void check_family(const lab_script *before, const lab_script *after) {
    bool plugin = after->config.subject == before->config.subject;
    CHECK_EQ(after->config.plugin_family, plugin ? before->config.plugin_family : 0);
}

/* Text may be a plug-in's, of any family; once it is another subject's, that has none. */
static void a_plugin_takes_its_family_with_it(void) {
    lab_script start = numbered(3);
    start.config.subject = LAB_SUBJECT_PLUGIN;
    start.config.plugin_family = LAB_FAMILY_HEAP - 1;
    CHECK(apply_often(LAB_MUTATION_CONFIG, &start, NULL, check_family) > 0);
    CHECK(apply_often(LAB_MUTATION_RENEW, &start, NULL, check_family) > 0);
    lab_script_clean_up(&start);
}

static void bytes_are_not_all_canonical(void) {
    lab_mutator *mutator = lab_mutator_new(1, LAB_MUTATE_BYTES, NULL);
    static uint8_t bytes[500], again[500];
    unsigned canonical = 0, plain = 0;
    lab_script script = fresh(0);
    for (unsigned i = 0; i < 4000; i++) {
        memset(bytes, 0xFF, sizeof bytes);
        size_t size = lab_mutate(mutator, bytes, 203, sizeof bytes, i);
        CHECK(size <= sizeof bytes);
        CHECK(lab_script_decode(&script, bytes, size));
        size_t needed = lab_script_encode(&script, again, sizeof again);
        bool equal = needed == size && memcmp(bytes, again, size) == 0;
        canonical += equal;
        plain += !equal;
    }
    CHECK(canonical > 1500 && plain > 1500);
    lab_script_clean_up(&script);
    lab_mutator_destroy(mutator);
}

/* ---- trimming ----------------------------------------------------------------------------- */

/* What must be kept: the operations with these sizes. */
static bool holds(const uint8_t *bytes, size_t size, uint32_t a, uint32_t b) {
    lab_script script = fresh(0);
    bool has_a = false, has_b = false;
    CHECK(lab_script_decode(&script, bytes, size));
    for (size_t i = 0; i < script.count; i++) {
        has_a = has_a || script.ops[i].size.value == a;
        has_b = has_b || script.ops[i].size.value == b;
    }
    lab_script_clean_up(&script);
    return has_a && has_b;
}

static void trimming_keeps_what_matters(void) {
    static uint8_t bytes[BYTES_MAX];
    lab_script start = numbered(24);
    size_t size = lab_script_encode(&start, bytes, sizeof bytes);
    lab_trim trim;
    memset(&trim, 0, sizeof trim);
    for (unsigned repeat = 0; repeat < 2; repeat++) { /* a lab_trim may be used again */
        unsigned steps = 0;
        size_t last = 0;
        CHECK(lab_trim_start(&trim, bytes, size));
        while (!lab_trim_is_done(&trim)) {
            uint8_t candidate[BYTES_MAX];
            size_t length = lab_trim_next(&trim, candidate, sizeof candidate);
            CHECK(length > 0 && length < size);
            bool same = holds(candidate, length, 5, 20);
            last = same ? length : last;
            lab_trim_answer(&trim, same);
            steps++;
        }
        CHECK(steps <= LAB_TRIM_STEPS_MAX);
        CHECK_EQ(last, LAB_HEADER_BYTES + 2 * LAB_RECORD_BYTES);
        CHECK_EQ(lab_trim_next(&trim, bytes, sizeof bytes), 0);
    }
    CHECK(!lab_trim_start(&trim, bytes, LAB_HEADER_BYTES + LAB_RECORD_BYTES));
    lab_trim_clean_up(&trim);
    lab_script_clean_up(&start);
}

TH_SUITE("mutate", TEST(results_are_canonical_and_fit), TEST(no_room_for_a_script_gives_nothing),
         TEST(same_seeds_same_results), TEST(renew_makes_new_scripts), TEST(insert_adds_operations),
         TEST(delete_removes_a_range), TEST(duplicate_repeats_a_range),
         TEST(move_and_swap_change_the_order), TEST(operand_changes_one_field),
         TEST(kind_keeps_the_slot), TEST(release_frees_what_is_live), TEST(config_changes_one_key),
         TEST(cross_has_parts_of_both), TEST(bytes_change_the_script),
         TEST(every_mutation_occurs_in_a_run), TEST(interesting_values_occur),
         TEST(what_is_new_is_short_at_first_and_may_grow), TEST(numbered_scripts_keep_their_number),
         TEST(text_stays_text), TEST(a_plugin_takes_its_family_with_it),
         TEST(bytes_are_not_all_canonical), TEST(trimming_keeps_what_matters))
