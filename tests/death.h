/* SPDX-License-Identifier: MIT */
/* What may end the program, and what another process must do, tried in a child process. */
#ifndef TESTS_DEATH_H
#define TESTS_DEATH_H

#include <stdbool.h>
#include <stddef.h>

#define DEATH_TEXT_BYTES 512

/* `act`, run in a child, must end it by SIGABRT. What it printed on standard error, NUL at the
 * end, goes to `text`; returns its length. */
size_t death_text(void (*act)(void), char text[DEATH_TEXT_BYTES]);

/* ... and must print `line` and a newline, no more. */
void expect_death(void (*act)(void), const char *line);

/* ... and must print the line of the assertion TH_ASSERT(condition) in `file`. */
void expect_assertion(void (*act)(void), const char *file, const char *condition);

/* Is act(context), called in a child, true? False, too, if it ends the child, by a signal or by a
 * sanitizer; what it prints on standard error is lost. In it a failed CHECK is not noticed. */
bool holds_in_child(bool (*act)(void *context), void *context);

/* May a child read, or read and write, this byte? */
bool may_access(unsigned char *at, bool write);

#endif
