/* SPDX-License-Identifier: MIT */
/* What every deterministic suite uses. A suite is one program, tests/test_<noun>.c:
 *
 *   static void merges_with_next(void) { CHECK(th_heap_free(...) == 124); ... }
 *   TH_SUITE("heap", TEST(merges_with_next), TEST(...))
 *
 * The checks know nothing of the framework behind them: tests/driver_cmocka.c runs the suite
 * under cmocka; tests/driver_plain.c runs it alone, where cmocka cannot go (MSan, 32 bits).
 * A failed check ends its test. Each test that ran is written to the file named by TH_RESULTS as
 * "suite<TAB>test<TAB>passed|failed", if that is set.
 * Random tests take their seed from th_test_seed(), which prints it and takes it back through
 * TH_SEED. */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "base/track.h"

typedef struct th_test {
    const char *name;
    void (*run)(void);
} th_test;

/* Runs the tests whose names contain argv[1] (all, without one); exit status for main. */
int th_suite_main(const char *suite, const th_test *tests, size_t count, int argc, char **argv);

noreturn void th_check_failed(const char *file, int line, const char *text);
noreturn void th_check_failed_values(const char *file, int line, const char *text, long long actual,
                                     long long expected);

/* `fixed` unless TH_SEED says otherwise; printed with the test's output. */
uint64_t th_test_seed(uint64_t fixed);

/* How many times something is repeated: a tenth under Valgrind, which makes 50 instructions of 1 */
#define TH_TEST_TIMES(count) (TH_TRACK_VALGRIND ? ((count) + 9) / 10 : (count))

/* splitmix64: the next number of the sequence that *state stands for. */
uint64_t th_test_random(uint64_t *state);

/* Where in a uint32_t its bits 8 * number to 8 * number + 7 lie, as a byte; its own inverse. */
static inline size_t th_test_byte_place(size_t number) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return number;
#else
    return sizeof(uint32_t) - 1 - number;
#endif
}

#define TEST(function)                                                                             \
    { #function, function }

#define TH_SUITE(name, ...)                                                                        \
    int main(int argc, char **argv) {                                                              \
        static const th_test tests[] = {__VA_ARGS__};                                              \
        return th_suite_main(name, tests, sizeof tests / sizeof tests[0], argc, argv);             \
    }

#define CHECK(condition) ((condition) ? (void)0 : th_check_failed(__FILE__, __LINE__, #condition))

#define CHECK_EQ(actual, expected)                                                                 \
    do {                                                                                           \
        long long check_actual_ = (long long)(actual);                                             \
        long long check_expected_ = (long long)(expected);                                         \
        if (check_actual_ != check_expected_) {                                                    \
            th_check_failed_values(__FILE__, __LINE__, #actual " == " #expected, check_actual_,    \
                                   check_expected_);                                               \
        }                                                                                          \
    } while (0)

#define CHECK_PTR_EQ(actual, expected) CHECK((const void *)(actual) == (const void *)(expected))

#endif
