/* SPDX-License-Identifier: MIT */
/* Films a script in a process of its own, so that one which ends the process leaves its film, too.
 */
#ifndef LAB_CLI_FILMING_H
#define LAB_CLI_FILMING_H

#include "cli/cli.h"

typedef struct lab_filmed {
    uint8_t *bytes; /* the film; owned */
    size_t size;
    bool failed;   /* the script, or what it was played on, failed */
    char end[256]; /* how the process that played it ended; empty: in order */
} lab_filmed;

enum { LAB_FILM_ALL = -1 };

/* Plays the script, up to `operations` of them (LAB_FILM_ALL: all). LAB_CLI_BAD_INPUT: it cannot be
 * played, which has been said. */
int lab_cli_film(const char *name, const lab_cli_files *given, const lab_script *script,
                 int64_t operations, lab_filmed *filmed);

void lab_filmed_clean_up(lab_filmed *filmed);

#endif
