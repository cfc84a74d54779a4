/* SPDX-License-Identifier: MIT */
/* Calls that end the program, tried in a child process. */
#ifndef TESTS_DEATH_H
#define TESTS_DEATH_H

#include <stddef.h>

#define DEATH_TEXT_BYTES 512

/* `act`, run in a child, must end it by SIGABRT. What it printed on standard error, NUL at the
 * end, goes to `text`; returns its length. */
size_t death_text(void (*act)(void), char text[DEATH_TEXT_BYTES]);

/* ... and must print `line` and a newline, no more. */
void expect_death(void (*act)(void), const char *line);

#endif
