/* SPDX-License-Identifier: MIT */
/* The subcommands of heaplab, one file each. argv[0] is the subcommand's name; the value is the
 * exit status. help.c holds the table; what they have in common is in arguments.c. */
#ifndef LAB_CLI_CLI_H
#define LAB_CLI_CLI_H

#include "script/script.h"
#include "shrink/trial.h"
#include "worst/cost.h"

enum {
    LAB_CLI_DONE = 0,
    LAB_CLI_FOUND = 1,    /* a script failed, or a demand was missed */
    LAB_CLI_BAD_INPUT = 2 /* one line on stderr has said what and where */
};

int lab_cli_run(int argc, char **argv);
int lab_cli_show(int argc, char **argv);
int lab_cli_asm(int argc, char **argv);
int lab_cli_draw(int argc, char **argv);
int lab_cli_view(int argc, char **argv);
int lab_cli_bench(int argc, char **argv);
int lab_cli_explore(int argc, char **argv);
int lab_cli_diff(int argc, char **argv);
int lab_cli_fragmentation(int argc, char **argv);
int lab_cli_actors(int argc, char **argv);
int lab_cli_attack(int argc, char **argv);
int lab_cli_synthesis(int argc, char **argv);
int lab_cli_sweep(int argc, char **argv);
int lab_cli_operations(int argc, char **argv);
int lab_cli_subjects(int argc, char **argv);
int lab_cli_minimize(int argc, char **argv);
int lab_cli_to_c(int argc, char **argv);
int lab_cli_random(int argc, char **argv);
int lab_cli_pairs(int argc, char **argv);
int lab_cli_swarm(int argc, char **argv);
int lab_cli_worst(int argc, char **argv);
int lab_cli_cost(int argc, char **argv);

/* show and asm: FILE [-o OUT] [-f], to `form`; standard output, as text, without OUT. */
int lab_cli_convert(int argc, char **argv, lab_script_form form);

/* ---- what they have in common ------------------------------------------------------------- */

typedef struct lab_cli_subcommand {
    const char *name;
    const char *arguments; /* after the name in a usage line, so beginning with a space */
    const char *purpose;
    const char *options;  /* its own, a line for each, as --help prints them */
    const char *statuses; /* when it ends with which; that 2 is bad input goes without saying */
    const char *example;  /* after the name */
    int (*main)(int argc, char **argv);
} lab_cli_subcommand;

/* NULL: there is none. */
const lab_cli_subcommand *lab_cli_find(const char *name);

/* All subcommands, or all about one, on standard output. */
void lab_cli_print_help(void);
void lab_cli_print_help_for(const lab_cli_subcommand *subcommand);

/* From here on, wrong arguments are this subcommand's. */
void lab_cli_begin(const lab_cli_subcommand *subcommand);

/* Prints "heaplab NAME: MESSAGE" to stderr (without NAME if it is NULL), as one line whatever bytes
 * the message holds. Returns LAB_CLI_BAD_INPUT. */
int lab_cli_complain(const char *name, const char *message);

/* The same for wrong arguments: WHAT 'WHICH' (WHICH may be NULL), and the usage. */
int lab_cli_refuse(const char *name, const char *what, const char *which);

/* Options and operands may come in any order; after "--" there are only operands. */
typedef struct lab_cli_arguments {
    int argc;
    char **argv;
    int next;           /* index of the first argument not yet taken; 1 to start with */
    bool options_ended; /* "--" was there */
} lab_cli_arguments;

/* Takes the next argument; NULL at the end. */
const char *lab_cli_next(lab_cli_arguments *from, bool *is_option);

/* Takes the value of `option`. NULL: there is none, which has been said. */
const char *lab_cli_value(lab_cli_arguments *from, const char *option);

/* Takes the value of `option` as a number from 1 to `most`. LAB_CLI_BAD_INPUT: it is missing, or is
 * none, which has been said, in the words of `wanted` ("no number of tries from 1 to 1000:"). */
int lab_cli_read_number(lab_cli_arguments *from, const char *option, unsigned most,
                        const char *wanted, unsigned *out);

/* The same from `least` to `most`, of 64 bits. */
int lab_cli_read_uint64(lab_cli_arguments *from, const char *option, uint64_t least, uint64_t most,
                        const char *wanted, uint64_t *out);

/* What a subcommand that reads scripts takes: FILE, --bytes, --text and --numbered, --subject, and
 * where it writes a file -o OUT and -f. */
typedef enum lab_cli_out { LAB_CLI_OUT_NONE, LAB_CLI_OUT_OPTIONAL, LAB_CLI_OUT_NEEDED } lab_cli_out;

typedef struct lab_cli_syntax {
    lab_cli_out out;
    bool many; /* FILE... */
    /* Takes an option of the subcommand's own, with its value; NULL: it has none. *known stays true
     * unless it is none. LAB_CLI_BAD_INPUT: its value was refused, which has been said. */
    int (*option)(lab_cli_arguments *from, const char *option, void *settings, bool *known);
} lab_cli_syntax;

typedef struct lab_cli_files {
    const char *in, *out; /* the first FILE; NULL: no -o */
    int count;            /* FILEs: argv[1 .. count] */
    lab_script_form form;
    bool overwrite;
    int subject; /* its number, whatever the scripts say; -1: as they say */
} lab_cli_files;

/* Reads all arguments, and moves the FILEs to the front of argv. */
int lab_cli_read_arguments(int argc, char **argv, const lab_cli_syntax *syntax,
                           lab_cli_files *given, void *settings);

/* Says what is wrong with a file, as "PATH: WHAT". Returns LAB_CLI_BAD_INPUT. */
int lab_cli_complain_of(const char *name, const char *path, const char *what);

/* The same of a script that passes, or that came to different ends in two runs. */
int lab_cli_complain_of_outcomes(const char *name, const char *path, const lab_outcome *first,
                                 const lab_outcome *other);

/* The same of OUT, with what can be done about it, where `what` begins with its path. */
int lab_cli_complain_of_out(const char *name, const lab_cli_files *given, const char *what);

/* May OUT be written? What would refuse it in the end is said before the work. */
int lab_cli_check_out(const char *name, const lab_cli_files *given);

/* Reads the script file `path` as *given says. False: it is no script, which has been said. */
bool lab_cli_read(const char *name, const char *path, const lab_cli_files *given,
                  lab_script *script);

/* Can the subject be played here? False: it cannot, which has been said; of the script in `path`,
 * if that is not empty. */
bool lab_cli_has_subject(const char *name, const char *path, unsigned number);

/* Its name, a plug-in's own; until the next call. */
const char *lab_cli_subject_shown(unsigned number);

/* The number of the subject called VALUE, or of the plug-in that the path VALUE leads to, which is
 * loaded. -1: there is none, which has been said. */
int lab_cli_subject(const char *name, const char *value);

/* ---- for those who wait (progress.c, playing.c, interrupt.c) ------------------------------- */

enum { LAB_CLI_LOG_SECONDS = 5 /* between lines, where no terminal shows them */ };

/* Progress on standard error: on a terminal one line that is drawn again, elsewhere plain lines,
 * the first one after some seconds. */
typedef struct lab_cli_progress {
    bool terminal;
    unsigned interval_ms;
    int64_t next_ms;
} lab_cli_progress;

void lab_cli_progress_begin(lab_cli_progress *progress);

/* Is it time for the next line? */
bool lab_cli_progress_is_due(lab_cli_progress *progress);

__attribute__((format(printf, 2, 3))) void lab_cli_progress_show(const lab_cli_progress *progress,
                                                                 const char *format, ...);

/* Leaves nothing on a terminal. */
void lab_cli_progress_end(const lab_cli_progress *progress);

bool lab_cli_is_terminal(void);
int64_t lab_cli_now_ms(void);

/* What is played in this process from now on, so that a line on standard error can name script and
 * subject if that ends the process; `ticks`: and every few seconds, if it takes so long. */
void lab_cli_playing(const char *name, const char *path, const char *subject, bool ticks);
void lab_cli_played(void);

/* Which operation of it comes next; such a line names it, too. */
void lab_cli_at_operation(const lab_script *of, size_t index);

/* A sign of life: the next such line comes only if there is none for some seconds. For those who
 * tell by themselves how far they are. */
void lab_cli_still_playing(void);

/* The beginning of such a line, with the operation; valid until the next call. NULL: nothing is
 * played. */
const char *lab_cli_what_is_played(void);

/* From now on the first SIGINT, SIGTERM or SIGHUP is noted; a second one, at least half a second
 * after it, ends the process. Those that are ignored stay ignored. */
void lab_cli_await_interrupt(void);

/* The number of the one that came; 0: none did. */
int lab_cli_interrupt(void);

/* The same for the end of a line: ", ended by Ctrl-C"; "": none did. */
const char *lab_cli_interrupted_by(void);

/* The exit status of work that came to `status`: of what was ended, with nothing found and nothing
 * refused, 128 and the signal's number. */
int lab_cli_end_status(int status);

/* ---- further arguments --------------------------------------------------------------------- */

/* Takes the value of --seconds, up to a day. LAB_CLI_BAD_INPUT: it is none, which has been said. */
int lab_cli_read_seconds(lab_cli_arguments *from, uint64_t *seconds);

/* The same of --seed: any number. */
int lab_cli_read_seed(lab_cli_arguments *from, uint64_t *seed);

/* Takes the value of --index. LAB_CLI_BAD_INPUT: there is no such index, which has been said. */
int lab_cli_read_index(lab_cli_arguments *from, th_heap_index *index);

/* Takes the value of --guard. LAB_CLI_BAD_INPUT: it is none of this build, which has been said. */
int lab_cli_read_guard(const char *name, const char *value, int *guard);

#endif
