/* SPDX-License-Identifier: MIT */
#include "bad_input.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- a stage for one allocator -------------------------------------------------------------- */

static const bad_row *at;
static const lab_allocator *calls; /* its own */
static void *instance;
static int level;
static backing own;
static fault_log faults;
static unsigned char *sample; /* a good block */
static size_t live_before;
static size_t backing_before;

/* The sanitizers' malloc ends the program when it is asked for too much, unless it is told not to;
 * and the system is asked for too much here. */
const char *__asan_default_options(void);
const char *__lsan_default_options(void);
const char *__msan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__lsan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__msan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static bool has(unsigned trait) {
    return (at->traits & trait) != 0;
}

static void expect(bool good, const char *call, size_t a, size_t b) {
    if (!good) {
        printf("# %s, level %d: %s (%zu, %zu), %u faults, the first: %s\n", at->name, level, call,
               a, b, faults.count, th_fault_name(faults.first.kind));
        th_check_failed(__FILE__, __LINE__, "bad input is refused as the table says");
    }
}

/* A backing with some memory, whatever is asked of it. */
static void *capped_alloc(void *self, size_t bytes, size_t alignment) {
    const size_t most = (size_t)1 << 20;
    return bytes <= most && alignment <= most
               ? th_allocator_alloc_aligned(*(th_allocator *)self, bytes, alignment)
               : NULL;
}

static void capped_free(void *self, void *pointer) {
    th_allocator_free(*(th_allocator *)self, pointer);
}

static th_allocator capped(void) {
    static const th_allocator_table table = {.alloc = capped_alloc, .free = capped_free};
    static th_allocator uncapped;
    uncapped = backing_start(&own);
    return (th_allocator){&table, &uncapped};
}

static void *take(size_t bytes, size_t alignment) {
    return calls->alloc_aligned != NULL ? calls->alloc_aligned(instance, bytes, alignment)
                                        : calls->alloc(instance, bytes);
}

static size_t live_now(void) {
    return calls->live != NULL ? calls->live(instance) : 0;
}

static void remember(void) {
    live_before = live_now();
    backing_before = own.live_bytes;
}

static unsigned char pattern(size_t i) {
    return (unsigned char)(i * 7 + 1);
}

static void begin(void) {
    const th_guarding guarding = guarding_with(&faults, level);
    instance = at->calls->start(&guarding, capped());
    sample = take(SAMPLE_BYTES, SAMPLE_ALIGNMENT);
    expect(sample != NULL, "a good allocation", SAMPLE_BYTES, SAMPLE_ALIGNMENT);
    for (size_t i = 0; i < SAMPLE_BYTES && !has(BAD_NO_MEMORY); i++) {
        sample[i] = pattern(i);
    }
    remember();
}

static void free_sample(void) {
    if (calls->free != NULL) {
        calls->free(instance, sample);
    } else if (calls->interface != NULL) {
        th_allocator_free(calls->interface(instance), sample);
    }
}

static void end(void) {
    if (calls->clean_up != NULL) {
        calls->clean_up(instance);
    } else {
        free_sample();
    }
    backing_stop(&own);
}

/* Where nothing is wrong, a checker says so in the fault, too, whatever stood there. */
static void expect_no_fault(const th_fault *fault, const char *call) {
    expect(fault->kind == TH_FAULT_NONE && fault->block == TH_FAULT_NOWHERE && fault->tag == 0 &&
               fault->offset == TH_FAULT_NOWHERE && fault->expected == 0 && fault->found == 0,
           call, fault->kind, fault->block);
}

static th_fault any_fault(void) {
    return (th_fault){TH_FAULT_COUNT, 1, 2, 3, 4, 5};
}

/* Nothing happened. */
static void expect_as_before(const char *call, size_t a, size_t b) {
    th_fault fault = any_fault();
    bool kept = true;
    expect(faults.count == 0, call, a, b);
    expect(live_now() == live_before, call, a, b);
    expect(own.live_bytes == backing_before, call, a, b);
    expect(calls->check(instance, &fault) == TH_OK, call, a, b);
    expect_no_fault(&fault, call);
    for (size_t i = 0; i < SAMPLE_BYTES && !has(BAD_NO_MEMORY); i++) {
        kept = kept && sample[i] == pattern(i);
    }
    expect(kept, call, a, b);
}

/* The call failed, and nothing else happened. */
static void expect_refused(bool refused, const char *call, size_t a, size_t b) {
    expect(refused, call, a, b);
    expect_as_before(call, a, b);
}

/* ---- sizes ---------------------------------------------------------------------------------- */

static void refuse_by_interface(size_t bytes, size_t alignment) {
    void *batch[3] = {sample, sample, sample};
    bool moved = true;
    th_allocator all = calls->interface(instance);
    expect_refused(th_allocator_alloc(all, bytes) == NULL, "th_allocator_alloc", bytes, 16);
    expect_refused(th_allocator_alloc_aligned(all, bytes, alignment) == NULL,
                   "th_allocator_alloc_aligned", bytes, alignment);
    expect_refused(th_allocator_alloc_zeroed(all, bytes) == NULL, "th_allocator_alloc_zeroed",
                   bytes, 16);
    expect_refused(th_allocator_duplicate(all, at, bytes) == NULL, "th_allocator_duplicate", bytes,
                   16);
    expect_refused(!th_allocator_alloc_batch(all, bytes, alignment, batch, 3) && batch[0] == NULL &&
                       batch[1] == NULL && batch[2] == NULL,
                   "th_allocator_alloc_batch", bytes, alignment);
    expect_refused(!th_allocator_resize_in_place(all, sample, bytes),
                   "th_allocator_resize_in_place", bytes, 0);
    if (bytes != 0) {
        expect_refused(th_allocator_realloc(all, sample, SAMPLE_BYTES, bytes, alignment, &moved) ==
                               NULL &&
                           !moved,
                       "th_allocator_realloc", bytes, alignment);
    }
}

static void refuse_size(size_t bytes) {
    if (!has(BAD_ONE_SIZE)) {
        expect_refused(take(bytes, SAMPLE_ALIGNMENT) == NULL, "alloc", bytes, 16);
    }
    if (calls->resize != NULL && (bytes != 0 || !has(BAD_ZERO_FREES))) {
        expect_refused(!calls->resize(instance, sample, bytes), "resize", bytes, 0);
    }
    if (calls->interface != NULL) {
        refuse_by_interface(bytes, SAMPLE_ALIGNMENT);
    }
}

/* To resize to nothing by the interface is to free: what that does of one's own, see free_sample.
 */
static void free_by_interface(void) {
    bool moved = true;
    expect(th_allocator_realloc(calls->interface(instance), sample, SAMPLE_BYTES, 0,
                                SAMPLE_ALIGNMENT, &moved) == NULL &&
               !moved && faults.count == 0,
           "th_allocator_realloc", 0, 0);
    expect(calls->live == NULL || has(BAD_NO_FREE) || live_now() < live_before,
           "to resize to nothing is to free", 0, 0);
    expect(calls->check(instance, NULL) == TH_OK, "th_allocator_realloc", 0, 0);
    sample = NULL;
}

static void play_zero(void) {
    if (has(BAD_ZERO_FITS)) {
        expect(calls->resize(instance, sample, 0) && live_now() == 0, "resize", 0, 0);
        return;
    }
    refuse_size(0);
    if (has(BAD_ZERO_FREES)) {
        expect(!calls->resize(instance, sample, 0) && faults.count == 0, "resize", 0, 0);
        expect(live_now() < live_before, "to resize to nothing is to free", 0, 0);
        expect(calls->check(instance, NULL) == TH_OK, "resize", 0, 0);
        sample = take(SAMPLE_BYTES, SAMPLE_ALIGNMENT);
    }
    if (calls->interface != NULL) {
        free_by_interface();
    }
}

static void play_negative(void) {
    const size_t sizes[] = {(size_t)-1,        (size_t)-2,    (size_t)-15,     (size_t)-16,
                            (size_t)-17,       (size_t)-4096, (size_t)INT_MIN, (size_t)PTRDIFF_MIN,
                            SIZE_MAX / 2 + 17, SIZE_MAX - 63};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        refuse_size(sizes[i]);
    }
}

/* More than half of what can be addressed; some 32-bit systems may have the half. */
static bool may_exist(void) {
    return has(BAD_MAPPED) && SIZE_MAX == UINT32_MAX;
}

static void play_unreasonable(void) {
    const size_t half = (size_t)PTRDIFF_MAX / 2 + 1;
    const size_t sizes[] = {PTRDIFF_MAX, PTRDIFF_MAX - 1, PTRDIFF_MAX - 15, PTRDIFF_MAX - 4096,
                            half,        half / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && !may_exist(); i++) {
        refuse_size(sizes[i]);
    }
}

/* A product, or a size and what its alignment adds, goes round the address space. */
static void play_overflowing(void) {
    const size_t half = SIZE_MAX / 2 + 1;
    const size_t pairs[][2] = {{half, 2},         {2, half},    {SIZE_MAX, SIZE_MAX},
                               {SIZE_MAX / 8, 9}, {half, half}, {SIZE_MAX / SAMPLE_BYTES + 1, 48}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && calls->interface != NULL; i++) {
        size_t count = pairs[i][0];
        size_t size = pairs[i][1];
        th_allocator all = calls->interface(instance);
        expect_refused(th_allocator_alloc_array(all, count, size) == NULL,
                       "th_allocator_alloc_array", count, size);
        expect_refused(th_allocator_alloc_array_zeroed(all, count, size) == NULL,
                       "th_allocator_alloc_array_zeroed", count, size);
        expect_refused(th_allocator_realloc_array(all, sample, 1, count, size) == NULL,
                       "th_allocator_realloc_array", count, size);
    }
    const size_t sums[][2] = {{PTRDIFF_MAX, half},      {half - 1, half / 2}, {1, half},
                              {SIZE_MAX - 4095, 4096},  {SIZE_MAX, half},     {half, half},
                              {PTRDIFF_MAX - 15, 4096}, {PTRDIFF_MAX, 4096},  {half / 2, half / 2},
                              {half / 4, 4096}};
    for (size_t i = 0; i < sizeof sums / sizeof sums[0] && !may_exist(); i++) {
        if (!has(BAD_ONE_ALIGNMENT)) {
            expect_refused(take(sums[i][0], sums[i][1]) == NULL, "alloc", sums[i][0], sums[i][1]);
        }
        if (calls->interface != NULL) {
            expect_refused(th_allocator_alloc_aligned(calls->interface(instance), sums[i][0],
                                                      sums[i][1]) == NULL,
                           "th_allocator_alloc_aligned", sums[i][0], sums[i][1]);
        }
    }
}

/* ---- alignments ----------------------------------------------------------------------------- */

static void play_alignments(void) {
    const size_t none[] = {
        0, 3, 5, 6, 12, 24, 100, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX - 15};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        if (!has(BAD_ONE_ALIGNMENT)) {
            expect_refused(take(SAMPLE_BYTES, none[i]) == NULL, "alloc", SAMPLE_BYTES, none[i]);
        }
        if (calls->interface != NULL) {
            th_allocator all = calls->interface(instance);
            expect_refused(th_allocator_alloc_aligned(all, SAMPLE_BYTES, none[i]) == NULL,
                           "th_allocator_alloc_aligned", SAMPLE_BYTES, none[i]);
            expect_refused(th_allocator_realloc(all, sample, SAMPLE_BYTES, 20, none[i], NULL) ==
                               NULL,
                           "th_allocator_realloc", 20, none[i]);
        }
    }
}

/* ---- pointers ------------------------------------------------------------------------------- */

static _Alignas(64) unsigned char elsewhere[256];

static void *bad_pointer_of(bad_pointer kind) {
    if (has(BAD_NO_MEMORY)) {
        return bad_offsets_block(sample, kind == BAD_FOREIGN ? 1000000 : 0,
                                 kind == BAD_INTERIOR ? 16 : kind == BAD_MISALIGNED);
    }
    if (kind == BAD_FOREIGN) {
        return elsewhere + 64;
    }
    return sample + (kind == BAD_INTERIOR ? 16 : kind == BAD_MISALIGNED);
}

/* The call gave up, reported one fault, and did nothing. */
static void expect_fault(bool failed, const char *call, bad_pointer kind) {
    int expected = at->faults[kind];
    expect(failed, call, kind, 0);
    expect(faults.count == 1 && (int)faults.first.kind == expected, call, kind, (size_t)expected);
    faults.count = 0;
    expect(live_now() == live_before, call, kind, 0);
    expect(own.live_bytes == backing_before, call, kind, 0);
    expect(calls->check(instance, NULL) == TH_OK, call, kind, 0);
}

static void blame_by_interface(bad_pointer kind, void *pointer) {
    th_allocator all = calls->interface(instance);
    bool moved = true;
    th_allocator_free(all, pointer);
    expect_fault(true, "th_allocator_free", kind);
    expect_fault(!th_allocator_resize_in_place(all, pointer, 20), "th_allocator_resize_in_place",
                 kind);
    expect_fault(th_allocator_realloc(all, pointer, 10, 20, 16, &moved) == NULL && !moved,
                 "th_allocator_realloc, shorter", kind);
    expect_fault(th_allocator_realloc(all, pointer, 10, 40, 16, &moved) == NULL && !moved,
                 "th_allocator_realloc, longer", kind);
    if (all.table->usable_size != NULL) {
        expect_fault(th_allocator_usable_size(all, pointer) == 0, "th_allocator_usable_size", kind);
    }
}

static void play_pointer(bad_pointer kind) {
    void *pointer = bad_pointer_of(kind);
    if (kind == BAD_FREED) {
        free_sample();
        remember();
    }
    if (calls->free != NULL) {
        calls->free(instance, pointer);
        expect_fault(true, "free", kind);
    }
    if (calls->resize != NULL) {
        expect_fault(!calls->resize(instance, pointer, 20), "resize, shorter", kind);
        expect_fault(!calls->resize(instance, pointer, 40), "resize, longer", kind);
    }
    if (calls->interface != NULL) {
        blame_by_interface(kind, pointer);
    }
}

/* To free it does nothing. */
static void play_unnoticed(bad_pointer kind) {
    void *pointer = bad_pointer_of(kind);
    if (kind == BAD_FREED) {
        free_sample();
    }
    if (calls->free != NULL) {
        calls->free(instance, pointer);
    }
    th_allocator_free(calls->interface(instance), pointer);
    expect_as_before("free", kind, 0);
}

static void play_pointers(void) {
    for (int kind = BAD_FOREIGN; kind < BAD_POINTERS; kind++) {
        if (at->faults[kind] == BAD_UNNOTICED) {
            play_unnoticed((bad_pointer)kind);
        } else if (at->faults[kind] != BAD_UNDEFINED && (level > 0 || has(BAD_ALWAYS_NOTICES))) {
            play_pointer((bad_pointer)kind);
        }
    }
}

/* Any address at all may be asked about, and is not touched. */
static void play_owns(void) {
    const uintptr_t addresses[] = {1,
                                   16,
                                   4096,
                                   UINTPTR_MAX,
                                   UINTPTR_MAX - 15,
                                   (uintptr_t)elsewhere,
                                   (uintptr_t)&level,
                                   (uintptr_t)&at};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        if (calls->interface != NULL) {
            expect_refused(
                !th_allocator_owns(calls->interface(instance), (const void *)addresses[i]),
                "th_allocator_owns", (size_t)addresses[i], 0);
        }
    }
}

/* ---- after the end -------------------------------------------------------------------------- */

static void use_ended_interface(void) {
    th_allocator all = calls->interface(instance);
    expect(th_allocator_alloc(all, 16) == NULL, "th_allocator_alloc", 16, 0);
    expect(th_allocator_alloc_zeroed(all, 16) == NULL, "th_allocator_alloc_zeroed", 16, 0);
    expect(th_allocator_realloc(all, NULL, 0, 16, 16, NULL) == NULL, "th_allocator_realloc", 0, 16);
    expect(th_allocator_realloc(all, sample, 48, 20, 16, NULL) == NULL, "th_allocator_realloc", 48,
           20);
    expect(th_allocator_realloc(all, sample, 48, 96, 16, NULL) == NULL, "th_allocator_realloc", 48,
           96);
    expect(!th_allocator_resize_in_place(all, sample, 20), "th_allocator_resize_in_place", 20, 0);
    expect(!th_allocator_owns(all, sample), "th_allocator_owns", 0, 0);
    expect(th_allocator_usable_size(all, sample) == 0, "th_allocator_usable_size", 0, 0);
    th_allocator_free(all, sample);
    expect(th_allocator_reset(all) == TH_ERR_NULL, "th_allocator_reset", 0, 0);
    th_fault fault = any_fault();
    expect(th_allocator_check(all, &fault) == TH_ERR_NULL, "th_allocator_check", 0, 0);
    expect_no_fault(&fault, "th_allocator_check");
}

static void play_after_the_end(void) {
    if (calls->clean_up == NULL) {
        return;
    }
    calls->clean_up(instance);
    backing_stop(&own);
    expect(take(SAMPLE_BYTES, SAMPLE_ALIGNMENT) == NULL, "alloc", 48, 16);
    if (calls->resize != NULL) {
        expect(!calls->resize(instance, sample, 100), "resize", 100, 0);
        expect(!calls->resize(instance, sample, 20), "resize", 20, 0);
    }
    if (calls->free != NULL) {
        calls->free(instance, sample);
    }
    expect(live_now() == 0, "live", 0, 0);
    th_fault fault = any_fault();
    expect(calls->check(instance, &fault) == TH_ERR_NULL, "check", 0, 0);
    expect_no_fault(&fault, "check");
    if (calls->interface != NULL) {
        use_ended_interface();
    }
    expect(faults.count == 0, "after the end", 0, 0);
    calls->clean_up(instance);
}

/* ---- no memory any more --------------------------------------------------------------------- */

static void play_exhausted(void) {
    const size_t bytes = has(BAD_ONE_BLOCK) ? 100 : SAMPLE_BYTES;
    size_t more = 0;
    if (has(BAD_MAPPED)) {
        return; /* it is the system's memory: see unreasonable_sizes */
    }
    own.left = 0;
    while (take(bytes, SAMPLE_ALIGNMENT) != NULL) {
        more++;
        expect(more < 100000, "it never ends", bytes, more);
    }
    remember();
    expect_refused(take(bytes, SAMPLE_ALIGNMENT) == NULL, "alloc", bytes, 16);
    expect_refused(calls->resize == NULL || !calls->resize(instance, sample, 4000), "resize", 4000,
                   0);
    if (calls->interface != NULL) {
        refuse_by_interface(2000, SAMPLE_ALIGNMENT);
        expect_refused(th_allocator_alloc(calls->interface(instance), bytes) == NULL,
                       "th_allocator_alloc", bytes, 16);
        expect(th_allocator_reset(calls->interface(instance)) == TH_OK, "th_allocator_reset", 0, 0);
    }
    own.left = SIZE_MAX;
    if (calls->interface != NULL || has(BAD_ONE_BLOCK)) {
        expect(take(bytes, SAMPLE_ALIGNMENT) != NULL, "alloc again", bytes, 16);
    }
    expect(faults.count == 0 && calls->check(instance, NULL) == TH_OK, "check", 0, 0);
}

/* ---- the kinds of misuse -------------------------------------------------------------------- */

const bad_misuse bad_zero_sizes = {"sizes of 0", play_zero};
const bad_misuse bad_negative_sizes = {"negative sizes", play_negative};
const bad_misuse bad_unreasonable_sizes = {"unreasonable sizes", play_unreasonable};
const bad_misuse bad_overflowing_sizes = {"sizes that overflow", play_overflowing};
const bad_misuse bad_alignments = {"alignments that are no power of two", play_alignments};
const bad_misuse bad_pointers = {"pointers that are no block", play_pointers};
const bad_misuse bad_addresses = {"addresses of others", play_owns};
const bad_misuse bad_use_after_clean_up = {"use after clean_up", play_after_the_end};
const bad_misuse bad_exhausted_memory = {"exhausted memory", play_exhausted};

void bad_input_play(const bad_misuse *misuse, const bad_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        at = &rows[i];
        calls = at->calls->own;
        for (level = 0; level <= (has(BAD_NO_GUARDS) ? 0 : th_guard_max()); level++) {
            begin();
            misuse->play();
            end();
        }
    }
}

void bad_input_play_all(const bad_row *row) {
    static const bad_misuse *const all[] = {
        &bad_zero_sizes,        &bad_negative_sizes,     &bad_unreasonable_sizes,
        &bad_overflowing_sizes, &bad_alignments,         &bad_pointers,
        &bad_addresses,         &bad_use_after_clean_up, &bad_exhausted_memory};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        bad_input_play(all[i], row, 1);
    }
}

/* ---- starting with less than is needed ------------------------------------------------------ */

static _Alignas(64) unsigned char object[BAD_START_OBJECT_BYTES];

static bool is_untouched(void) {
    for (size_t i = 0; i < sizeof object; i++) {
        if (object[i] != 0xA5) {
            return false;
        }
    }
    return true;
}

void bad_starts_play(const bad_start *starts, size_t count) {
    memset(object, 0xA5, sizeof object);
    for (size_t i = 0; i < count; i++) {
        th_status status = starts[i].start(object, starts[i].arguments);
        if (status != starts[i].expected || !is_untouched()) {
            printf("# %s\n# expected %s\n# found %s\n", starts[i].what,
                   th_status_name(starts[i].expected), th_status_name(status));
            th_check_failed(__FILE__, __LINE__, "the start is refused as the table says");
        }
    }
}
