/* SPDX-License-Identifier: MIT */
/* The platform port of hosted builds: whatever becomes of the line, the program ends. */
#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <unistd.h>

#include "death.h"
#include "suite.h"
#include "tagheap/port.h"

static void panic(void) {
    th_port_panic("a line, and what is not printed", 6);
}

static void the_line_is_printed_and_the_program_aborts(void) {
    expect_death(panic, "a line");
}

static void panic_without_words(void) {
    th_port_panic("", 0);
}

static void a_line_may_be_empty(void) {
    expect_death(panic_without_words, "");
}

static void panic_into_nothing(void) {
    (void)close(STDERR_FILENO);
    panic();
}

static void without_standard_error_the_program_aborts_too(void) {
    char text[DEATH_TEXT_BYTES];
    CHECK_EQ(death_text(panic_into_nothing, text), 0);
}

TH_SUITE("port", TEST(the_line_is_printed_and_the_program_aborts), TEST(a_line_may_be_empty),
         TEST(without_standard_error_the_program_aborts_too))
