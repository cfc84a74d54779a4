/* SPDX-License-Identifier: MIT */
/* The subcommands of heaplab, one file each. argv[0] is the subcommand's name; the value is the
 * exit status: 0 done, 1 a failure was found, 2 bad input or a wrong option (one line on stderr
 * has been printed). main.c holds the table. */
#ifndef LAB_CLI_CLI_H
#define LAB_CLI_CLI_H

#include "script/script.h"

int lab_cli_run(int argc, char **argv);      /* run FILE...    */
int lab_cli_show(int argc, char **argv);     /* show FILE      */
int lab_cli_asm(int argc, char **argv);      /* asm IN -o OUT  */
int lab_cli_draw(int argc, char **argv);     /* draw FILE      */
int lab_cli_bench(int argc, char **argv);    /* bench          */
int lab_cli_subjects(int argc, char **argv); /* subjects       */

/* show and asm: FILE [-o OUT] [-f], to `form`; standard output, as text, without OUT. */
int lab_cli_convert(int argc, char **argv, lab_script_form form);

#endif
