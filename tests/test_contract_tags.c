/* SPDX-License-Identifier: MIT */
/* The contract runner on subjects that have tags and move blocks, and on those that say what 0
 * bytes and NULL are: a subject that is right passes, and one with a mistake is found out, for that
 * mistake. The subjects are the library's, with something put in between. */
#include <stdio.h>
#include <string.h>

#include "base/track.h"
#include "contract/play.h"
#include "subjects/subjects.h"
#include "suite.h"

typedef enum mistake {
    NO_MISTAKE,
    COUNTS_ONE_MORE,
    FREES_ONE_TAG_LESS,
    MOVES_WHAT_IS_VETOED,
    SAYS_ANOTHER_PLACE,
    SAYS_TOO_FEW_BYTES,
    SAYS_ANOTHER_BLOCK,
    SAYS_THE_SAME_PLACE,
    SAYS_WHERE_ANOTHER_IS,
    MOVES_BEYOND_THE_BUDGET,
    COUNTS_ONE_MOVE_MORE,
    SPOILS_WHAT_IT_MOVES,
    SPOILS_WHAT_STAYS,
    FORGETS_THE_TAG,
    PUTS_ON_THE_OTHER_SIDE,
    TAKES_ANY_TAG,
    GIVES_NO_ZEROS,
    FREES_TOO_LITTLE,
    FREES_NULL,
    FREES_TWICE,
    GIVES_WHILE_BUSY,
    FREES_WHILE_BUSY,
    COMPACTS_ONE_BLOCK,
    ZERO_IS_SHARED,
    ZERO_IS_ACCEPTED,
    ZERO_IS_REFUSED,
    NULL_IS_A_FAULT,
    NULL_IS_NOT_RESIZED,
    RESIZE_TO_ZERO_KEEPS
} mistake;

static mistake planted;

#define IS(what) (planted == (what))

/* ---- tags --------------------------------------------------------------------------------- */

static const lab_subject *const moving = &lab_subject_tagged_moves;

/* Of one side and without special alignments, it can promise what free memory is after a
 * compaction; and so much that one block in the way is noticed. */
static bool is_one_sided;

enum { ONE_SIDED_TAG_MAX = 0x3FFF, ONE_SIDED_ALIGNMENT_MAX = 8, ONE_SIDED_EXTRA = 64 };

static void *tags_alloc(void *self, size_t bytes, size_t alignment, uint32_t tag, bool zeroed) {
    tag = IS(FORGETS_THE_TAG) && tag < 0x4000 ? tag ^ 1 : tag;
    tag = IS(PUTS_ON_THE_OTHER_SIDE) && tag < 0x4000 ? tag | 0x4000 : tag;
    tag = IS(TAKES_ANY_TAG) ? tag & 0x3FFF : tag;
    if (is_one_sided && (tag > ONE_SIDED_TAG_MAX || alignment > ONE_SIDED_ALIGNMENT_MAX)) {
        return NULL;
    }
    void *block = moving->tags->alloc(self, bytes, alignment, tag, zeroed);
    return block != NULL && IS(GIVES_NO_ZEROS) ? memset(block, 'x', bytes) : block;
}

static uint64_t tags_free(void *self, uint32_t low, uint32_t high) {
    high = IS(FREES_ONE_TAG_LESS) && high > low ? high - 1 : high;
    return moving->tags->free_tags(self, low, high) + IS(COUNTS_ONE_MORE);
}

static bool busy;                /* it asks */
static unsigned allowed, vetoed; /* moves */

static th_allocator_table busy_table;
static th_allocator_table usual_table;

static void *busy_alloc(void *self, size_t bytes, size_t alignment) {
    static unsigned char block[64];
    return busy && IS(GIVES_WHILE_BUSY) ? block : usual_table.alloc(self, bytes, alignment);
}

static bool busy_create(const lab_setup *setup, lab_instance *instance) {
    if (!moving->create(setup, instance)) {
        return false;
    }
    if (is_one_sided) {
        instance->tag_max = ONE_SIDED_TAG_MAX;
        instance->tag_top_min = 0;
        instance->alignment_max = ONE_SIDED_ALIGNMENT_MAX;
        instance->holds_extra = ONE_SIDED_EXTRA;
    }
    usual_table = *instance->allocator.table;
    busy_table = usual_table;
    busy_table.alloc = busy_alloc;
    instance->allocator.table = &busy_table;
    return true;
}

/* What stands between the subject's questions and the runner. */
typedef struct asked {
    lab_may_move may_move;
    void *context;
    unsigned char *last;  /* what is moved last goes there; NULL: nothing is */
    unsigned char *first; /* what is moved first comes from there */
    unsigned char *stays; /* what was vetoed last is there */
    size_t bytes;         /* of either */
} asked;

static bool ask(void *context, void *from, void *to, size_t bytes) {
    asked *a = context;
    unsigned char *place = to;
    size_t said = bytes - IS(SAYS_TOO_FEW_BYTES);
    place = IS(SAYS_ANOTHER_PLACE) ? place - LAB_HOLDS_ALIGNMENT_MAX : place;
    place = IS(SAYS_THE_SAME_PLACE) ? from : place;
    place = IS(SAYS_WHERE_ANOTHER_IS) && a->last != NULL ? a->last : place;
    unsigned char *block = IS(SAYS_ANOTHER_BLOCK) ? (unsigned char *)from + 1 : from;
    busy = true;
    bool may = a->may_move(a->context, block, place, said);
    busy = false;
    allowed += may;
    vetoed += !may;
    if (may) {
        a->last = to;
        a->bytes = bytes;
    } else {
        a->stays = from;
    }
    return may || IS(MOVES_WHAT_IS_VETOED);
}

static uint64_t tags_compact(void *self, size_t bytes, lab_may_move may_move, void *context) {
    asked a = {.may_move = may_move, .context = context};
    bytes = IS(MOVES_BEYOND_THE_BUDGET) ? SIZE_MAX : IS(COMPACTS_ONE_BLOCK) ? 1 : bytes;
    uint64_t moved = moving->tags->compact(self, bytes, ask, &a);
    if (IS(SPOILS_WHAT_IT_MOVES) && a.last != NULL) {
        a.last[a.bytes - 1] ^= 1;
    }
    if (IS(SPOILS_WHAT_STAYS) && a.stays != NULL) {
        a.stays[0] ^= 1;
    }
    return moved + IS(COUNTS_ONE_MOVE_MORE);
}

static uint32_t tags_of(const void *self, const void *block) {
    uint32_t tag = moving->tags->tag_of(self, block);
    return IS(PUTS_ON_THE_OTHER_SIDE) ? tag & 0x3FFF : tag;
}

static lab_free_result freed_is = LAB_FREED_AT_LEAST;

static uint64_t tags_free_block(void *self, void *block) {
    uint64_t freed = moving->free_block(self, block);
    if (busy && IS(FREES_WHILE_BUSY)) {
        return 1;
    }
    if (IS(FREES_NULL) && block == NULL) {
        return 1;
    }
    if (IS(FREES_TWICE) && block != NULL && !busy) {
        return freed > 0 ? freed : 1;
    }
    if (freed_is == LAB_FREED_ONE) {
        return freed > 0 ? 1 + (uint64_t)IS(FREES_TOO_LITTLE) : 0;
    }
    return IS(FREES_TOO_LITTLE) && freed > 0 ? 1 : freed;
}

static const lab_tagging tagging = {tags_alloc, tags_free, tags_compact, tags_of};

static lab_subject tagged_subject(void) {
    lab_subject subject = *moving;
    subject.tags = &tagging;
    subject.free_block = tags_free_block;
    subject.create = busy_create;
    subject.freed = freed_is;
    return subject;
}

/* ---- nothing, and 0 bytes ----------------------------------------------------------------- */

/* The tagged heap under one tag, which is asked for a byte where it is asked for none. */
static lab_instance under;
static lab_setup made_from;
static unsigned char *given_last;

static void *zero_alloc(void *self, size_t bytes, size_t alignment) {
    bool gives = IS(ZERO_IS_ACCEPTED) || !IS(ZERO_IS_REFUSED);
    (void)self;
    if (bytes == 0 && (!gives || (IS(ZERO_IS_SHARED) && given_last != NULL))) {
        return IS(ZERO_IS_SHARED) ? given_last : NULL;
    }
    given_last =
        under.allocator.table->alloc(under.allocator.self, bytes != 0 ? bytes : 1, alignment);
    return given_last;
}

static void zero_free(void *self, void *pointer) {
    const th_fault fault = {.kind = TH_FAULT_FOREIGN};
    (void)self;
    if (pointer != NULL) {
        given_last = pointer == given_last ? NULL : given_last;
        under.allocator.table->free(under.allocator.self, pointer);
    } else if (IS(NULL_IS_A_FAULT)) {
        made_from.on_fault(made_from.fault_context, &fault);
    }
}

static void *zero_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    if (pointer == NULL) {
        return IS(NULL_IS_NOT_RESIZED) ? NULL : zero_alloc(self, bytes, alignment);
    }
    given_last = NULL;
    if (bytes == 0) {
        zero_free(self, IS(RESIZE_TO_ZERO_KEEPS) ? NULL : pointer);
        return IS(RESIZE_TO_ZERO_KEEPS) ? pointer : NULL;
    }
    return under.allocator.table->realloc(under.allocator.self, pointer, kept, bytes, alignment);
}

/* One that gives blocks for 0 bytes, or none. */
static bool gives_zero;

static void *refusing_alloc(void *self, size_t bytes, size_t alignment) {
    bool accepts = bytes > 0 || gives_zero || IS(ZERO_IS_ACCEPTED);
    return accepts ? zero_alloc(self, bytes, alignment) : NULL;
}

static bool zero_create(const lab_setup *setup, lab_instance *instance) {
    static th_allocator_table table;
    if (!lab_subject_tagged.create(setup, instance)) {
        return false;
    }
    under = *instance;
    made_from = *setup;
    given_last = NULL;
    table =
        (th_allocator_table){.alloc = refusing_alloc, .free = zero_free, .realloc = zero_realloc};
    instance->allocator = (th_allocator){.table = &table, .self = instance->state};
    instance->keeps_least = 0;
    return true;
}

static lab_subject zero_subject(bool gives) {
    unsigned says = gives ? LAB_SUBJECT_ZERO_GIVES : LAB_SUBJECT_ZERO_REFUSED;
    lab_subject subject = lab_subject_tagged;
    gives_zero = gives;
    subject.name = "zero";
    subject.flags = LAB_SUBJECT_FREES | LAB_SUBJECT_NULL | says;
    subject.create = zero_create;
    return subject;
}

/* ---- random scripts ----------------------------------------------------------------------- */

enum { SCRIPTS_MAX = TH_TRACK_VALGRIND ? 60 : 1500, OPS_MAX = 120 };

/* Small sizes, some of them 0, and tags in few ranges: blocks lie close. */
static void make_script(lab_script *script, uint64_t *state, unsigned guard) {
    static const uint8_t kinds[] = {
        LAB_OP_ALLOC,  LAB_OP_ALLOC,   LAB_OP_ZEROED,       LAB_OP_ALIGNED,   LAB_OP_FREE,
        LAB_OP_RESIZE, LAB_OP_COMPACT, LAB_OP_COMPACT_SOME, LAB_OP_FREE_TAGS, LAB_OP_FIND,
        LAB_OP_NULL,   LAB_OP_TRIM,    LAB_OP_ATTACK,       LAB_OP_COPY,      LAB_OP_ALLOC};
    static const uint16_t tags[] = {0x1000, 0x1001, 0x1002, 0x4000, 0x4001, 0x7FFF};
    script->count = 0;
    script->config = (lab_config){400, 8, 0, (uint8_t)guard, 0, 16, LAB_SUBJECT_PLUGIN, 0, 0};
    for (unsigned i = 0; i < OPS_MAX; i++) {
        uint64_t random = th_test_random(state);
        unsigned kind = kinds[random % sizeof kinds];
        unsigned fields = lab_op_fields[kind];
        lab_op op = {.kind = (uint8_t)kind};
        op.slot = (fields & LAB_FIELD_SLOT) != 0 ? random >> 8 & 0xF : 0;
        op.tag = (fields & LAB_FIELD_TAG) != 0 ? tags[(random >> 16) % 6] : 0;
        op.tag_high = (fields & LAB_FIELD_TAG_HIGH) != 0 ? tags[(random >> 20) % 6] : 0;
        op.size.value = (fields & LAB_FIELD_SIZE) != 0 ? (uint32_t)(random >> 24) % 90 : 0;
        op.size.value = random >> 32 & 7 ? op.size.value : 0;
        op.align = (fields & LAB_FIELD_ALIGN) != 0 ? (random >> 36) % 8 : 0;
        op.reenter = (fields & LAB_FIELD_REENTER) != 0 ? random >> 52 & 1 : 0;
        op.veto = (fields & LAB_FIELD_VETO) != 0 ? random >> 40 & random >> 48 & 0xFF : 0;
        op.attack =
            (uint8_t)((fields & LAB_FIELD_ATTACK) != 0 ? (random >> 56) % LAB_ATTACK_COUNT : 0);
        CHECK(lab_script_append(script, op));
    }
}

/* Plays scripts until one fails; false: one did. */
static bool play(const lab_subject *subject, unsigned count, lab_failure *failure) {
    lab_contract_runner *runner = lab_contract_runner_new();
    lab_script script = {0};
    uint64_t state = th_test_seed(23);
    bool passed = true;
    CHECK(runner != NULL);
    for (unsigned i = 0; passed && i < count; i++) {
        make_script(&script, &state, i % 4);
        CHECK(lab_script_is_valid(&script));
        passed = lab_contract_runner_play(runner, subject, &script, NULL, failure, NULL);
    }
    if (!passed) {
        (void)printf("# property=%s detail=%s op=%zu: %s\n", lab_property_name(failure->property),
                     failure->detail, failure->op, failure->message);
    }
    lab_script_clean_up(&script);
    lab_contract_runner_destroy(runner);
    return passed;
}

typedef struct finding {
    mistake planted;
    lab_property property;
    const char *details; /* one of them, with a comma after each */
} finding;

static void expect_found(const lab_subject *subject, const finding *due) {
    lab_failure failure;
    char detail[64];
    planted = due->planted;
    (void)printf("# mistake %d\n", (int)due->planted);
    CHECK(!play(subject, SCRIPTS_MAX, &failure));
    planted = NO_MISTAKE;
    CHECK_EQ(failure.property, due->property);
    (void)snprintf(detail, sizeof detail, "%s,", failure.detail);
    CHECK(strstr(due->details, detail) != NULL);
}

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static void tags_and_moves_are_checked(void) {
    static const finding dues[] = {
        {COUNTS_ONE_MORE, LAB_PROPERTY_RESULT, "freed by tag,"},
        {FREES_ONE_TAG_LESS, LAB_PROPERTY_RESULT, "freed by tag,"},
        {SAYS_ANOTHER_PLACE, LAB_PROPERTY_RESULT, "owner,overlap,outside,accessible bytes,"},
        {SAYS_TOO_FEW_BYTES, LAB_PROPERTY_CALLBACK, "bytes to move,"},
        {SAYS_ANOTHER_BLOCK, LAB_PROPERTY_CALLBACK, "from,"},
        {SAYS_THE_SAME_PLACE, LAB_PROPERTY_CALLBACK, "moved to where it is,"},
        {SAYS_WHERE_ANOTHER_IS, LAB_PROPERTY_RESULT, "overlap,"},
        {MOVES_BEYOND_THE_BUDGET, LAB_PROPERTY_CALLBACK, "beyond the budget,"},
        {COUNTS_ONE_MOVE_MORE, LAB_PROPERTY_RESULT, "moved blocks,"},
        {SPOILS_WHAT_IT_MOVES, LAB_PROPERTY_CONTENTS, "moved,"},
        {SPOILS_WHAT_STAYS, LAB_PROPERTY_CONTENTS, "bytes,"},
        {FORGETS_THE_TAG, LAB_PROPERTY_RESULT, "tag,"},
        {PUTS_ON_THE_OTHER_SIDE, LAB_PROPERTY_RESULT, "side,"},
        {TAKES_ANY_TAG, LAB_PROPERTY_RESULT, "accepted,"},
        {FREES_TOO_LITTLE, LAB_PROPERTY_RESULT, "freed,"},
        {FREES_NULL, LAB_PROPERTY_RESULT, "freed,"},
        {GIVES_WHILE_BUSY, LAB_PROPERTY_REENTRY, "alloc,"},
        {FREES_WHILE_BUSY, LAB_PROPERTY_REENTRY, "free,"},
    };
    static const finding guarded[] = {
        {GIVES_NO_ZEROS, LAB_PROPERTY_CONTENTS, "zeroed,"},
        {FREES_TWICE, LAB_PROPERTY_RESULT, "freed,"},
    };
    const lab_subject subject = tagged_subject();
    lab_failure failure;
    CHECK(play(&subject, SCRIPTS_MAX / 3, &failure));
    for (size_t i = 0; i < COUNT_OF(dues); i++) {
        expect_found(&subject, &dues[i]);
    }
    for (size_t i = 0; th_guard_max() > 0 && i < COUNT_OF(guarded); i++) {
        expect_found(&subject, &guarded[i]);
    }
}

/* The bit of a slot's number modulo 8 vetoes its block, in whole compactions and in steps. */
static void vetoes_are_those_of_the_script(void) {
    static const struct {
        unsigned veto, allowed, vetoed;
    } cases[] = {{0x00, 2, 0}, {0x01, 2, 0}, {0x02, 0, 1}, {0x04, 1, 1}, {0xF9, 2, 0}};
    const lab_subject subject = tagged_subject();
    lab_contract_runner *runner = lab_contract_runner_new();
    lab_failure failure;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        bool is_whole = i < COUNT_OF(cases);
        lab_op ops[5] = {{.kind = LAB_OP_ALLOC, .slot = 8, .size.value = 50},
                         {.kind = LAB_OP_ALLOC, .slot = 9, .size.value = 50},
                         {.kind = LAB_OP_ALLOC, .slot = 10, .size.value = 50},
                         {.kind = LAB_OP_FREE, .slot = 8},
                         {.kind = is_whole ? LAB_OP_COMPACT : LAB_OP_COMPACT_SOME,
                          .veto = (uint8_t)cases[i % COUNT_OF(cases)].veto,
                          .size.value = is_whole ? 0 : 100}};
        const lab_script script = {
            .config = {.dwords = 400, .alignment = 8, .slots = 16, .subject = LAB_SUBJECT_PLUGIN},
            .ops = ops,
            .count = COUNT_OF(ops)};
        allowed = vetoed = 0;
        CHECK(lab_contract_runner_play(runner, &subject, &script, NULL, &failure, NULL));
        CHECK_EQ(allowed, cases[i % COUNT_OF(cases)].allowed);
        CHECK_EQ(vetoed, cases[i % COUNT_OF(cases)].vetoed);
    }
    lab_contract_runner_destroy(runner);
}

/* Every other block of ten is freed, then `op` is done, and more is asked for than there is in one
 * piece before. */
static bool play_with_holes(const lab_subject *subject, lab_op op, lab_failure *failure) {
    enum { COUNT = 10, BYTES = 80, LARGE_BYTES = 600 };
    lab_op ops[COUNT + COUNT / 2 + 2] = {{.kind = 0}};
    lab_contract_runner *runner = lab_contract_runner_new();
    size_t count = 0;
    for (uint16_t i = 0; i < COUNT; i++) {
        ops[count++] = (lab_op){.kind = LAB_OP_ALLOC, .slot = i, .size.value = BYTES};
    }
    for (uint16_t i = 0; i < COUNT; i += 2) {
        ops[count++] = (lab_op){.kind = LAB_OP_FREE, .slot = i};
    }
    ops[count++] = op;
    ops[count++] = (lab_op){.kind = LAB_OP_ALLOC, .slot = COUNT, .size.value = LARGE_BYTES};
    const lab_script script = {
        .config = {.dwords = 400, .alignment = 8, .slots = 16, .subject = LAB_SUBJECT_PLUGIN},
        .ops = ops,
        .count = count};
    bool passed = lab_contract_runner_play(runner, subject, &script, NULL, failure, NULL);
    lab_contract_runner_destroy(runner);
    return passed;
}

/* After a whole one that nobody vetoed; and it is not demanded of others. */
static void after_a_compaction_all_can_be_had(void) {
    const lab_op whole = {.kind = LAB_OP_COMPACT};
    const lab_op with_veto = {.kind = LAB_OP_COMPACT, .veto = 0x02};
    const lab_op step = {.kind = LAB_OP_COMPACT_SOME, .size.value = 1};
    lab_subject subject = tagged_subject();
    lab_failure failure;
    is_one_sided = true;
    subject.flags |= LAB_SUBJECT_COMPACTS;
    CHECK(play(&subject, SCRIPTS_MAX, &failure));
    CHECK(play_with_holes(&subject, whole, &failure));
    CHECK(play_with_holes(&subject, with_veto, &failure));
    CHECK(play_with_holes(&subject, step, &failure));
    planted = COMPACTS_ONE_BLOCK;
    CHECK(!play_with_holes(&subject, whole, &failure));
    CHECK_EQ(failure.property, LAB_PROPERTY_RESULT);
    CHECK(strcmp(failure.detail, "refused") == 0);
    CHECK(play_with_holes(&subject, with_veto, &failure));
    subject.flags &= ~(unsigned)LAB_SUBJECT_COMPACTS;
    CHECK(play_with_holes(&subject, whole, &failure));
    planted = NO_MISTAKE;
    is_one_sided = false;
}

static void what_a_free_returns_is_as_it_is_said(void) {
    static const finding wrong = {FREES_TOO_LITTLE, LAB_PROPERTY_RESULT, "freed,"};
    lab_failure failure;
    freed_is = LAB_FREED_ONE;
    lab_subject subject = tagged_subject();
    CHECK(play(&subject, SCRIPTS_MAX / 3, &failure));
    expect_found(&subject, &wrong);
    subject.freed = LAB_FREED_REQUESTED; /* 1 is too little, of nearly all */
    CHECK(!play(&subject, SCRIPTS_MAX, &failure));
    subject.freed = LAB_FREED_ANYTHING;
    planted = FREES_TOO_LITTLE;
    CHECK(play(&subject, SCRIPTS_MAX / 3, &failure));
    planted = NO_MISTAKE;
    freed_is = LAB_FREED_AT_LEAST;
}

/* It is moved all the same: it is not where it was, or there are more than were allowed. */
static void a_veto_is_obeyed(void) {
    if (TH_TRACK_ASAN || TH_TRACK_VALGRIND) {
        return; /* which ends the process where the block was */
    }
    const lab_subject subject = tagged_subject();
    lab_failure failure;
    planted = MOVES_WHAT_IS_VETOED;
    CHECK(!play(&subject, SCRIPTS_MAX, &failure));
    planted = NO_MISTAKE;
    CHECK(failure.property == LAB_PROPERTY_CONTENTS || failure.property == LAB_PROPERTY_RESULT);
}

static void nothing_and_zero_bytes_are_as_they_are_said(void) {
    static const finding gives[] = {
        {ZERO_IS_SHARED, LAB_PROPERTY_RESULT, "overlap,"},
        {ZERO_IS_REFUSED, LAB_PROPERTY_RESULT, "refused,"},
        {NULL_IS_A_FAULT, LAB_PROPERTY_FAULT, "foreign pointer,"},
        {NULL_IS_NOT_RESIZED, LAB_PROPERTY_RESULT, "refused,"},
    };
    static const finding refuses[] = {
        {ZERO_IS_ACCEPTED, LAB_PROPERTY_RESULT, "accepted,"},
        {RESIZE_TO_ZERO_KEEPS, LAB_PROPERTY_RESULT, "accepted,"},
    };
    lab_failure failure;
    lab_subject subject = zero_subject(true);
    CHECK(play(&subject, SCRIPTS_MAX / 3, &failure));
    for (size_t i = 0; i < COUNT_OF(gives); i++) {
        expect_found(&subject, &gives[i]);
    }
    subject = zero_subject(false);
    CHECK(play(&subject, SCRIPTS_MAX / 3, &failure));
    for (size_t i = 0; i < COUNT_OF(refuses); i++) {
        expect_found(&subject, &refuses[i]);
    }
}

static void what_cannot_be_is_refused(void) {
    static const lab_tagging no_alloc = {.free_tags = tags_free};
    static const lab_tagging no_free = {.alloc = tags_alloc};
    lab_subject wrong = tagged_subject();
    CHECK(lab_subject_error(&wrong) == NULL);
    wrong.tags = &no_alloc;
    CHECK(lab_subject_error(&wrong) != NULL);
    wrong.tags = &no_free;
    CHECK(lab_subject_error(&wrong) != NULL);
    wrong = zero_subject(true);
    CHECK(lab_subject_error(&wrong) == NULL);
    wrong.flags |= LAB_SUBJECT_ZERO_REFUSED;
    CHECK(lab_subject_error(&wrong) != NULL);
    wrong = zero_subject(false);
    wrong.flags |= LAB_SUBJECT_NEEDS_THREADS;
    CHECK(lab_subject_error(&wrong) != NULL);
}

TH_SUITE("contract_tags", TEST(tags_and_moves_are_checked), TEST(a_veto_is_obeyed),
         TEST(vetoes_are_those_of_the_script), TEST(after_a_compaction_all_can_be_had),
         TEST(what_a_free_returns_is_as_it_is_said),
         TEST(nothing_and_zero_bytes_are_as_they_are_said), TEST(what_cannot_be_is_refused))
