/* SPDX-License-Identifier: MIT */
/* The contract model and its runner: every subject that is built in keeps the contract on random
 * scripts, and a subject with a mistake is found out, for that mistake. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/track.h"
#include "contract/play.h"
#include "subjects/subjects.h"
#include "suite.h"

/* ---- a subject that can be made wrong ----------------------------------------------------- */

typedef enum mistake {
    NO_MISTAKE,
    MISALIGNS,
    OVERLAPS,
    GOES_OUTSIDE,
    REFUSES,
    FORGETS,
    LOSES,
    LEAKS,
    WRITES_BEYOND,
    WRITES_ELSEWHERE,
    FAULTS,
    CHECKS_BADLY,
    OWNS_NOTHING,
    OWNS_ALL,
    OWNS_THE_END,
    MEASURES_SHORT,
    ROLLS_BACK_TOO_FAR,
    RETURNS_TWICE,
    KEEPS_AFTER_REFUSAL,
    COUNTS_TOO_MANY,
    COUNTS_TOO_FEW_BYTES,
    FORGETS_THE_PEAK,
    PEAKS_TOO_HIGH,
    KEEPS_RESERVES,
    COUNTS_NO_MOVES,
    COUNTS_REFUSALS_TWICE,
    COUNTS_WHAT_CANNOT_FIT,
    COUNTS_FRAMES_TOGETHER,
    RESETS_ALL_BUT_ONE,
    SEES_NO_CANARY,
    SEES_NO_POISON,
    ASKED_SEES_NOTHING,
    BUILDS_UPON,
    TRUNCATES,
    GIVES_TOO_MUCH,
    MEASURES_LONG,
    MEASURES_INTO_OTHERS,
    TAKES_ALL,
    KEEPS_SOME,
    ARRAYS_WRAP,
    ARRAYS_ARE_DIRTY,
    OWN_GIVES_TOO_MUCH,
    LEAVES_ITS_OWN,
    MISTAKES
} mistake;

/* Every block is one of the backing's; they are kept in a table, for owns and usable_size. */
enum { BLOCKS_MAX = 256, WATCHED_BYTES = 24, WATCHED_CANARY = 16 };

typedef struct plain {
    th_allocator backing;
    size_t budget;
    th_fault_handler on_fault;
    void *fault_context;
    mistake wrong;
    unsigned calls;
    unsigned char *at[BLOCKS_MAX];
    size_t bytes[BLOCKS_MAX];
    uint64_t serial[BLOCKS_MAX];
    uint64_t frame[BLOCKS_MAX];
    uint64_t clock, mark, frames;
    lab_figures figures;
    unsigned char elsewhere[1 << 16];
    unsigned char watched[WATCHED_BYTES];
} plain;

static mistake planted;
static unsigned created, destroyed; /* subjects, so far */

static unsigned slot_of(const plain *p, const void *at) {
    unsigned i = 0;
    while (i < BLOCKS_MAX && p->at[i] != at) {
        i++;
    }
    return i;
}

/* Now and then, so that most scripts get somewhere first. */
static bool errs(plain *p, mistake kind) {
    return p->wrong == kind && ++p->calls % 4 == 0;
}

enum { FITTING_BYTES = 300 };

static void *refuse(plain *p) {
    p->figures.refused += errs(p, COUNTS_REFUSALS_TWICE) ? 2 : 1;
    p->figures.refused_in_frame++;
    return NULL;
}

static void count_block(plain *p, size_t bytes) {
    lab_figures *f = &p->figures;
    f->live += errs(p, COUNTS_TOO_MANY) ? 2 : 1;
    f->requested += bytes;
    f->used += bytes;
    f->reserved += bytes;
    f->peak = f->used > f->peak ? f->used + errs(p, PEAKS_TOO_HIGH) : f->peak;
    f->allocs++;
}

static void discount_block(plain *p, size_t bytes) {
    lab_figures *f = &p->figures;
    f->live--;
    f->requested -= errs(p, COUNTS_TOO_FEW_BYTES) ? bytes + 1 : bytes;
    f->used -= bytes;
    f->reserved -= errs(p, KEEPS_RESERVES) ? 0 : bytes;
}

/* Is one of the watched bytes from..to-1 written? */
static bool is_spoilt(const plain *p, unsigned from, unsigned to) {
    while (from < to && p->watched[from] == 0) {
        from++;
    }
    return from < to;
}

static void *plain_alloc(void *self, size_t bytes, size_t alignment) {
    plain *p = self;
    unsigned slot = slot_of(p, NULL);
    if (p->wrong != ASKED_SEES_NOTHING && is_spoilt(p, 0, WATCHED_CANARY)) {
        p->on_fault(p->fault_context, &(th_fault){.kind = TH_FAULT_CANARY});
        if (p->wrong != BUILDS_UPON) {
            return NULL;
        }
    }
    if (slot == BLOCKS_MAX || errs(p, REFUSES) ||
        (p->wrong == COUNTS_WHAT_CANNOT_FIT && bytes > FITTING_BYTES)) {
        return refuse(p);
    }
    if (p->clock > 0 && p->wrong == OVERLAPS && p->at[0] != NULL && bytes <= p->bytes[0]) {
        return p->at[0];
    }
    if (p->wrong == GOES_OUTSIDE && bytes <= sizeof p->elsewhere / 2 && alignment <= 16) {
        return p->elsewhere + (16 - ((uintptr_t)p->elsewhere & 15));
    }
    bool shift = errs(p, MISALIGNS);
    size_t taken = p->wrong == TRUNCATES ? (uint32_t)bytes : bytes + (shift ? 1 : 0);
    taken = p->wrong == TAKES_ALL && p->figures.live == 0 && bytes < p->budget ? p->budget : taken;
    unsigned char *at =
        taken > 0 ? p->backing.table->alloc(p->backing.self, taken, alignment) : NULL;
    if (at == NULL) {
        return refuse(p);
    }
    count_block(p, bytes);
    p->at[slot] = at;
    p->bytes[slot] = bytes;
    p->frame[slot] = p->frames;
    p->serial[slot] = ++p->clock;
    if (errs(p, WRITES_BEYOND)) {
        at[bytes] ^= 1;
    }
    if (errs(p, WRITES_ELSEWHERE) && slot > 0 && p->at[0] != NULL) {
        p->at[0][p->bytes[0] / 2] ^= 1;
    }
    if (errs(p, FAULTS)) {
        p->on_fault(p->fault_context, &(th_fault){.kind = TH_FAULT_CHAIN});
    }
    return shift ? at + 1 : at;
}

static void plain_free(void *self, void *pointer) {
    plain *p = self;
    unsigned slot = slot_of(p, pointer);
    if (slot == BLOCKS_MAX) {
        return; /* one of the mistakes' */
    }
    p->at[slot] = NULL;
    discount_block(p, p->bytes[slot]);
    if (!errs(p, LEAKS) && !(p->wrong == KEEPS_SOME && p->clock % 8 == 0)) {
        th_allocator_free(p->backing, pointer);
    }
    if (errs(p, RETURNS_TWICE)) {
        th_allocator_free(p->backing, pointer);
    }
}

static void *plain_resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    plain *p = self;
    unsigned char *at = plain_alloc(self, bytes, alignment);
    size_t least = kept < bytes ? kept : bytes;
    if (at == NULL) {
        if (p->wrong == KEEPS_AFTER_REFUSAL) {
            ((unsigned char *)pointer)[0] ^= 1;
        }
        return NULL;
    }
    if (!errs(p, FORGETS)) {
        memcpy(at, pointer, least);
    }
    if (errs(p, LOSES)) {
        at[least - 1] ^= 1;
    }
    plain_free(self, pointer);
    p->figures.allocs -= errs(p, COUNTS_NO_MOVES);
    return at;
}

static bool plain_owns(const void *self, const void *pointer) {
    const plain *p = self;
    bool found = p->wrong == OWNS_ALL;
    for (unsigned i = 0; i < BLOCKS_MAX && p->wrong != OWNS_NOTHING; i++) {
        found = found || (p->at[i] != NULL && (uintptr_t)pointer - (uintptr_t)p->at[i] <
                                                  p->bytes[i] + (p->wrong == OWNS_THE_END));
    }
    return found;
}

static size_t plain_usable(const void *self, const void *pointer) {
    const plain *p = self;
    unsigned slot = slot_of(p, pointer);
    if (slot == BLOCKS_MAX) {
        return 0;
    }
    if (p->wrong == MEASURES_INTO_OTHERS) {
        return p->budget; /* of own memory: there are no edges that it would reach beyond */
    }
    return p->bytes[slot] + (p->wrong == MEASURES_LONG) - (p->wrong == MEASURES_SHORT);
}

static void *plain_array(void *self, size_t count, size_t size) {
    plain *p = self;
    size_t bytes = count * size;
    if (size == 0 || bytes == 0 || bytes > PTRDIFF_MAX ||
        (p->wrong != ARRAYS_WRAP && count > SIZE_MAX / size)) {
        return NULL;
    }
    void *block = plain_alloc(self, bytes, TH_ALLOCATOR_ALIGNMENT);
    return block != NULL && !errs(p, ARRAYS_ARE_DIRTY) ? memset(block, 0, bytes) : block;
}

static th_status plain_check(const void *self, th_fault *fault) {
    const plain *p = self;
    if (p->wrong == CHECKS_BADLY && p->clock == 7) {
        *fault = (th_fault){.kind = TH_FAULT_COUNT};
        return TH_ERR_CORRUPT;
    }
    bool canary = is_spoilt(p, 0, WATCHED_CANARY) && p->wrong != SEES_NO_CANARY;
    bool poison = is_spoilt(p, WATCHED_CANARY, WATCHED_BYTES) && p->wrong != SEES_NO_POISON;
    return canary || poison ? TH_ERR_CORRUPT : TH_OK;
}

/* Everything goes, the mark too. */
static th_status plain_reset(void *self) {
    plain *p = self;
    bool kept = false;
    p->mark = 0;
    p->figures.refused_in_frame = 0;
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        if (p->at[i] != NULL && p->wrong == RESETS_ALL_BUT_ONE && !kept) {
            kept = true;
        } else if (p->at[i] != NULL) {
            plain_free(p, p->at[i]);
        }
    }
    return TH_OK;
}

static bool plain_create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = plain_alloc,
                                             .free = plain_free,
                                             .realloc = plain_resize,
                                             .reset = plain_reset,
                                             .owns = plain_owns,
                                             .usable_size = plain_usable,
                                             .check = plain_check};
    plain *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return false;
    }
    created++;
    p->backing = setup->backing;
    p->budget = setup->bytes;
    p->on_fault = setup->on_fault;
    p->fault_context = setup->fault_context;
    p->wrong = planted;
    instance->state = p;
    instance->allocator = (th_allocator){.table = &table, .self = p};
    instance->flags_missing = planted == OWNS_ALL ? LAB_SUBJECT_ENDS : 0; /* of any address */
    bool is_limited = planted == COUNTS_WHAT_CANNOT_FIT || planted == GIVES_TOO_MUCH ||
                      planted == OWN_GIVES_TOO_MUCH;
    instance->bytes_max = is_limited ? FITTING_BYTES : 0;
    if (planted == NO_MISTAKE || planted == TAKES_ALL || planted == KEEPS_SOME) {
        instance->holds = setup->bytes;
        instance->holds_blocks = BLOCKS_MAX;
    }
    if (planted == LEAVES_ITS_OWN) {
        instance->memory = p->elsewhere;
        instance->memory_bytes = sizeof p->elsewhere;
    }
    bool is_own = planted == MEASURES_INTO_OTHERS || planted == OWN_GIVES_TOO_MUCH;
    if (!is_own && planted != LEAVES_ITS_OWN) {
        instance->flags_missing |= LAB_SUBJECT_OWN_MEMORY;
    }
    return true;
}

static void plain_destroy(void *state) {
    plain *p = state;
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        th_allocator_free(p->backing, p->at[i]);
    }
    free(p);
    destroyed++;
}

static void plain_mark(void *state) {
    plain *p = state;
    p->mark = p->clock;
}

static void plain_rollback(void *state) {
    plain *p = state;
    uint64_t from = p->mark;
    if (p->wrong == ROLLS_BACK_TOO_FAR && from > 0) {
        from--;
    }
    if (p->wrong == FORGETS_THE_PEAK) {
        p->figures.peak = 0;
    }
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        if (p->at[i] != NULL && p->serial[i] > from) {
            memset(p->at[i], 0, p->bytes[i]); /* not live for the table, so nobody else's */
            plain_free(p, p->at[i]);
        }
    }
}

/* Two frames old is gone. */
static void plain_flip(void *state) {
    plain *p = state;
    p->frames++;
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        if (p->at[i] != NULL && p->frames - p->frame[i] >= 2) {
            plain_free(p, p->at[i]);
        }
    }
    if (!errs(p, COUNTS_FRAMES_TOGETHER)) {
        p->figures.refused_in_frame = 0;
    }
}

/* Where something else is wrong, it is to be found as what it is. */
static void plain_measure(const void *state, lab_figures *figures) {
    const plain *p = state;
    *figures = p->figures;
    if (p->wrong == COUNTS_WHAT_CANNOT_FIT) {
        figures->exact = LAB_FIGURE_REFUSED_FITTING;
    } else if (p->wrong == NO_MISTAKE || (p->wrong > KEEPS_AFTER_REFUSAL && p->wrong < TRUNCATES)) {
        figures->exact = LAB_FIGURE_LIVE | LAB_FIGURE_REQUESTED | LAB_FIGURE_PEAK |
                         LAB_FIGURE_RESERVED | LAB_FIGURE_ALLOCS | LAB_FIGURE_REFUSED |
                         LAB_FIGURE_REFUSED_IN_FRAME;
    }
}

static void plain_watch(const void *state, lab_watched *watched) {
    const plain *p = state;
    *watched = (lab_watched){.at = (unsigned char *)p->watched,
                             .canary_bytes = WATCHED_CANARY,
                             .poison_bytes = WATCHED_BYTES - WATCHED_CANARY,
                             .room = 100};
}

static const lab_subject plain_subject = {
    .version = LAB_SUBJECT_VERSION,
    .name = "plain",
    .purpose = "for tests",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS | LAB_SUBJECT_ENDS | LAB_SUBJECT_OWN_MEMORY |
             LAB_SUBJECT_REFUSES,
    .create = plain_create,
    .destroy = plain_destroy,
    .alloc_array = plain_array,
    .mark = plain_mark,
    .rollback = plain_rollback,
    .measure = plain_measure,
    .watch = plain_watch,
};

static const lab_subject framed_subject = {
    .version = LAB_SUBJECT_VERSION,
    .name = "framed",
    .purpose = "the same in frames",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS,
    .create = plain_create,
    .destroy = plain_destroy,
    .flip = plain_flip,
    .measure = plain_measure,
};

/* ---- random scripts ----------------------------------------------------------------------- */

enum { BYTES_MAX = 4 + 10 * 120, SCRIPTS = TH_TRACK_VALGRIND ? 80 : 200 };
enum { SCRIPTS_OF_EACH = TH_TRACK_VALGRIND ? 40 : SCRIPTS };

static void make_script(lab_script *script, uint64_t *state, unsigned long guard) {
    uint8_t bytes[BYTES_MAX];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)th_test_random(state);
    }
    bytes[0] = (uint8_t)(bytes[0] % 4 | (3 - guard) << 2); /* 16 slots */
    bytes[2] |= 2;                                         /* at least 2 KiB */
    CHECK(lab_script_decode(script, bytes, sizeof bytes));
}

/* Plays `count` scripts, until one fails. */
static bool play(const lab_subject *subject, unsigned count, lab_failure *failure,
                 lab_run_counts *counts) {
    lab_contract_runner *runner = lab_contract_runner_new();
    lab_script script = {0};
    uint64_t state = th_test_seed(11);
    bool passed = true;
    CHECK(runner != NULL);
    for (unsigned i = 0; passed && i < count; i++) {
        make_script(&script, &state, i % 4);
        passed = lab_contract_runner_play(runner, subject, &script, NULL, failure, counts);
    }
    if (!passed) {
        (void)printf("# %s: property=%s detail=%s op=%zu: %s\n", subject->name,
                     lab_property_name(failure->property), failure->detail, failure->op,
                     failure->message);
    }
    lab_script_clean_up(&script);
    lab_contract_runner_destroy(runner);
    return passed;
}

static void subjects_keep_the_contract(void) {
    for (unsigned i = LAB_SUBJECT_PLUGIN + 1; i < lab_subject_names_count; i++) {
        lab_failure failure;
        lab_run_counts counts = {0};
        if (lab_subject_at(i)->missing != NULL) {
            continue; /* a peer: other people's code, which need not be there */
        }
        CHECK(play(lab_subject_at(i), SCRIPTS_OF_EACH, &failure, &counts));
        CHECK(counts.by_kind[LAB_OP_ALLOC] > SCRIPTS_OF_EACH / 10);
        CHECK(counts.by_kind[LAB_OP_FREE] > SCRIPTS_OF_EACH / 10);
        CHECK(counts.checked > SCRIPTS_OF_EACH);
    }
}

static void mistakes_are_found(void) {
    static const struct {
        lab_property property;
        const char *detail; /* NULL: any */
    } due[MISTAKES] = {
        [MISALIGNS] = {LAB_PROPERTY_RESULT, "alignment"},
        [OVERLAPS] = {LAB_PROPERTY_RESULT, "overlap"},
        [GOES_OUTSIDE] = {LAB_PROPERTY_RESULT, "outside"},
        [REFUSES] = {LAB_PROPERTY_RESULT, "refused"},
        [FORGETS] = {LAB_PROPERTY_CONTENTS, "kept"},
        [LOSES] = {LAB_PROPERTY_CONTENTS, "kept"},
        [LEAKS] = {LAB_PROPERTY_INIT, "leak"},
        [WRITES_BEYOND] = {LAB_PROPERTY_BOUNDS, "written outside"},
        [WRITES_ELSEWHERE] = {LAB_PROPERTY_CONTENTS, "bytes"},
        [FAULTS] = {LAB_PROPERTY_FAULT, "chain broken"},
        [CHECKS_BADLY] = {LAB_PROPERTY_CHECKER, "counter wrong"},
        [OWNS_NOTHING] = {LAB_PROPERTY_RESULT, "owner"},
        [OWNS_ALL] = {LAB_PROPERTY_FIND, "foreign"},
        [OWNS_THE_END] = {LAB_PROPERTY_FIND, "end"},
        [MEASURES_SHORT] = {LAB_PROPERTY_RESULT, "usable size"},
        [ROLLS_BACK_TOO_FAR] = {LAB_PROPERTY_CONTENTS, "bytes"},
        [RETURNS_TWICE] = {LAB_PROPERTY_BOUNDS, "returned what it never got"},
        [KEEPS_AFTER_REFUSAL] = {LAB_PROPERTY_CONTENTS, "bytes"},
        [COUNTS_TOO_MANY] = {LAB_PROPERTY_STATS, "live blocks"},
        [COUNTS_TOO_FEW_BYTES] = {LAB_PROPERTY_STATS, "requested bytes"},
        [FORGETS_THE_PEAK] = {LAB_PROPERTY_STATS, "high-water mark"},
        [PEAKS_TOO_HIGH] = {LAB_PROPERTY_STATS, "high-water mark"},
        [KEEPS_RESERVES] = {LAB_PROPERTY_STATS, "reserved bytes"},
        [COUNTS_NO_MOVES] = {LAB_PROPERTY_STATS, "allocations"},
        [COUNTS_REFUSALS_TWICE] = {LAB_PROPERTY_STATS, "refusals"},
        [COUNTS_WHAT_CANNOT_FIT] = {LAB_PROPERTY_STATS, "refusals"},
        [COUNTS_FRAMES_TOGETHER] = {LAB_PROPERTY_STATS, "refusals in the frame"},
        [RESETS_ALL_BUT_ONE] = {LAB_PROPERTY_STATS, "live blocks"},
        [SEES_NO_CANARY] = {LAB_PROPERTY_ATTACK, "watched canary"},
        [SEES_NO_POISON] = {LAB_PROPERTY_ATTACK, "watched poison"},
        [ASKED_SEES_NOTHING] = {LAB_PROPERTY_ATTACK, "watched canary"},
        [BUILDS_UPON] = {LAB_PROPERTY_ATTACK, "watched canary"},
        [TRUNCATES] = {LAB_PROPERTY_RESULT, "outside"},
        [GIVES_TOO_MUCH] = {LAB_PROPERTY_RESULT, "beyond the most"},
        [MEASURES_LONG] = {LAB_PROPERTY_RESULT, "usable size"},
        [MEASURES_INTO_OTHERS] = {LAB_PROPERTY_RESULT, "usable size"},
        [TAKES_ALL] = {LAB_PROPERTY_RESULT, "refused"},
        [KEEPS_SOME] = {LAB_PROPERTY_RESULT, "refused"},
        [ARRAYS_WRAP] = {LAB_PROPERTY_RESULT, "accepted"},
        [ARRAYS_ARE_DIRTY] = {LAB_PROPERTY_CONTENTS, "zeroed"},
        [OWN_GIVES_TOO_MUCH] = {LAB_PROPERTY_RESULT, "beyond the most"},
        [LEAVES_ITS_OWN] = {LAB_PROPERTY_RESULT, "outside"},
    };
    lab_failure failure;
    planted = NO_MISTAKE;
    CHECK(play(&plain_subject, SCRIPTS, &failure, NULL));
    CHECK(play(&framed_subject, SCRIPTS, &failure, NULL));
    for (unsigned i = NO_MISTAKE + 1; i < MISTAKES; i++) {
        /* Where a tool watches, these end the process. */
        if ((TH_TRACK_ASAN || TH_TRACK_VALGRIND) &&
            (i == WRITES_BEYOND || i == ROLLS_BACK_TOO_FAR)) {
            continue;
        }
        /* Where guards are compiled out, there are no attacks. */
        if (th_guard_max() < 2 && i >= SEES_NO_CANARY && i <= BUILDS_UPON) {
            continue;
        }
        /* Where sizes have 32 bits, nothing is lost. */
        if (i == TRUNCATES && SIZE_MAX == UINT32_MAX) {
            continue;
        }
        planted = (mistake)i;
        (void)printf("# mistake %u\n", i);
        CHECK(!play(i == COUNTS_FRAMES_TOGETHER ? &framed_subject : &plain_subject, 400, &failure,
                    NULL));
        CHECK_EQ(failure.property, due[i].property);
        CHECK(strcmp(failure.detail, due[i].detail) == 0);
    }
    planted = NO_MISTAKE;
}

/* Whether the failure, with every fourth free, comes at an operation or only in the end. */
static void what_was_created_is_destroyed(void) {
    lab_op ops[8];
    lab_contract_runner *runner = lab_contract_runner_new();
    CHECK(runner != NULL);
    memset(ops, 0, sizeof ops);
    for (uint16_t i = 0; i < 8; i++) {
        ops[i].kind = i < 4 ? LAB_OP_ALLOC : LAB_OP_FREE;
        ops[i].slot = i % 4;
        ops[i].size.value = i < 4 ? 8 : 0;
    }
    planted = RETURNS_TWICE;
    for (size_t count = 4; count <= 8; count++) {
        const lab_script script = {
            .config = {1000, 4, 0, 0, 0, 8, LAB_SUBJECT_PLUGIN, LAB_LAYOUT_CLASSIC, 0},
            .ops = ops,
            .count = count,
            .capacity = count};
        lab_failure failure;
        created = destroyed = 0;
        CHECK(!lab_contract_runner_play(runner, &plain_subject, &script, NULL, &failure, NULL));
        CHECK_EQ(failure.op, count < 8 ? count : 7);
        CHECK_EQ(created, 1);
        CHECK_EQ(destroyed, 1);
    }
    planted = NO_MISTAKE;
    lab_contract_runner_destroy(runner);
}

static void the_same_script_gives_the_same_result(void) {
    lab_failure first, second;
    planted = WRITES_ELSEWHERE;
    CHECK(!play(&plain_subject, 400, &first, NULL));
    CHECK(!play(&plain_subject, 400, &second, NULL));
    planted = NO_MISTAKE;
    CHECK_EQ(first.op, second.op);
    CHECK(strcmp(first.message, second.message) == 0);
}

static void tables_are_looked_at(void) {
    lab_subject wrong = plain_subject;
    CHECK(lab_subject_error(&wrong) == NULL);
    wrong.version = LAB_SUBJECT_VERSION + 1;
    CHECK(lab_subject_error(&wrong) != NULL);
    wrong = plain_subject;
    wrong.name = "Capital";
    CHECK(lab_subject_error(&wrong) != NULL);
    wrong.name = "";
    CHECK(lab_subject_error(&wrong) != NULL);
    wrong.name = "much-too-long-a-name";
    CHECK(lab_subject_error(&wrong) != NULL);
    wrong = plain_subject;
    wrong.destroy = NULL;
    CHECK(lab_subject_error(&wrong) != NULL);
    for (unsigned i = LAB_SUBJECT_PLUGIN + 1; i < lab_subject_names_count; i++) {
        CHECK(lab_subject_error(lab_subject_at(i)) == NULL);
        CHECK(strcmp(lab_subject_at(i)->name, lab_subject_names[i]) == 0);
        CHECK_EQ(lab_config_family(&(lab_config){.subject = (uint8_t)i}),
                 lab_subject_family(lab_subject_at(i)));
    }
    CHECK(lab_subject_at(LAB_SUBJECT_HEAP) == NULL);
    CHECK(lab_subject_at(LAB_SUBJECT_PLUGIN) == NULL);
    CHECK(lab_subject_at(lab_subject_names_count) == NULL);
    lab_subject_plug_in(&plain_subject);
    CHECK(lab_subject_at(LAB_SUBJECT_PLUGIN) == &plain_subject);
    lab_subject_plug_in(NULL);
}

TH_SUITE("contract", TEST(subjects_keep_the_contract), TEST(mistakes_are_found),
         TEST(what_was_created_is_destroyed), TEST(the_same_script_gives_the_same_result),
         TEST(tables_are_looked_at))
