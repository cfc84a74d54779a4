/* SPDX-License-Identifier: MIT */
/* What scripts/bugs puts before the lines that a planted bug changes, to know when a fuzzer first
 * came there: LAB_MARK sets a byte, and another one if the bug's condition (Trigger: in its patch)
 * holds. A fuzzer must not be led by it, so there is no branch in it, and what compares is not
 * instrumented. fuzz/engines/stats.c looks at the bytes after each input. */
#ifndef LAB_BUGS_MARKS_H
#define LAB_BUGS_MARKS_H

#if defined(__clang__) /* which compiles what is fuzzed */
#define LAB_MARK_BLIND                                                                             \
    __attribute__((unused, noinline, no_sanitize("coverage", "address", "undefined")))
#else
#define LAB_MARK_BLIND __attribute__((unused, noinline))
#endif

/* Of all files that are marked the same. */
extern volatile unsigned char lab_marks[2];
__attribute__((weak)) volatile unsigned char lab_marks[2];

/* For conditions: pointers are to be cast. */
LAB_MARK_BLIND static unsigned lab_mark_equal(unsigned long long a, unsigned long long b) {
    return a == b;
}

LAB_MARK_BLIND static unsigned lab_mark_less(unsigned long long a, unsigned long long b) {
    return a < b;
}

#define LAB_MARK(triggers)                                                                         \
    do {                                                                                           \
        lab_marks[0] = 1;                                                                          \
        lab_marks[1] = (unsigned char)(lab_marks[1] | ((triggers)&1u));                            \
    } while (0)

#endif
