/* SPDX-License-Identifier: MIT */
/* heaplab: the table of subcommands, and what is the same for all of them. */
#define _POSIX_C_SOURCE 200809L

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct subcommand {
    const char *name;
    const char *arguments; /* behind the name, so beginning with a space */
    const char *purpose;
    int (*main)(int argc, char **argv);
} subcommand;

static const subcommand subcommands[] = {
    {"run", " [-v] [--bare] [--guard 0..3] [FORM] [--subject NAME] FILE...",
     "play scripts on the heap, compare with the exact model", lab_cli_run},
    {"show", " [-o OUT] [-f] [FORM] [--subject NAME] FILE", "print a script as text", lab_cli_show},
    {"asm", " -o OUT [-f] [FORM] [--subject NAME] FILE", "assemble a script into bytes",
     lab_cli_asm},
    {"draw", " [--colour] [FORM] [--subject NAME] FILE", "draw the heap after each operation",
     lab_cli_draw},
    {"minimize", " -o OUT [-f] [--timeout MS] [FORM] [--subject NAME] FILE",
     "make a failing script small while it fails in the same way", lab_cli_minimize},
    {"to-c", " [-o OUT] [-f] [FORM] [--subject NAME] FILE",
     "turn a failing script into a C program that needs the library only", lab_cli_to_c},
    {"bench", " [--min-rate N] [--max-ratio X]",
     "measure checked operations per second, in a small and in a large region", lab_cli_bench},
    {"explore",
     " [--dwords N] [--align N] [--guard 0..3] [--sizes LIST] [--tags LIST] [--aligned LIST]"
     " [--budgets LIST] [--bookkeeping] [--max-states N] [-j N] [-o OUT] [-f]",
     "try every operation in every state of a small heap", lab_cli_explore},
    {"diff", " --with A,B[,...] [FORM] FILE",
     "play a script on several allocators at once, compare contents", lab_cli_diff},
    {"fragmentation", " [FORM] FILE",
     "play a script's requests on several placement policies, measure what is lost",
     lab_cli_fragmentation},
    {"attack", " [--quick]", "print which guard level notices which attack, and when",
     lab_cli_attack},
    {"sweep", " [-v] [--guard 0..3] [--seconds N] [--only KIND:N[+]] [FORM] FILE...",
     "let the n-th allocation, low-memory request, move fail, for every n", lab_cli_sweep},
    {"random", " [--subject NAME] [--seconds N] [--seed N] [--keep-going] [-o OUT] [-f]",
     "play scripts that nobody wrote, until one fails", lab_cli_random},
    {"swarm", " SEED [EPOCH]", "print how a fuzzing run weighed what it did", lab_cli_swarm},
    {"subjects", "", "list the allocators that scripts can be played on", lab_cli_subjects},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static const subcommand *find_subcommand(const char *name) {
    for (int i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(name, subcommands[i].name) == 0) {
            return &subcommands[i];
        }
    }
    return NULL;
}

const char *lab_cli_usage(const char *name) {
    const subcommand *found = find_subcommand(name);
    return found != NULL ? found->arguments : "";
}

static int print_usage(void) {
    (void)printf("usage: heaplab SUBCOMMAND ...\n\n");
    for (int i = 0; i < SUBCOMMANDS; i++) {
        (void)printf("  heaplab %s%s\n      %s\n", subcommands[i].name, subcommands[i].arguments,
                     subcommands[i].purpose);
    }
    (void)printf(
        "  heaplab help\n      print this\n\n"
        "FILE is a script as text or as bytes (docs/script.md); FORM says which, whatever\n"
        "it looks like: --bytes, --text, or --numbered for bytes with the number of a\n"
        "subject in front. --subject plays it on another one. -f replaces OUT if it exists.\n"
        "run -v prints a line for each script; run --bare plays without the model: what is\n"
        "wrong must be noticed by the guards, or by the tool in the build. bench ends with 1\n"
        "below N checked operations/s, or if the large region costs more than X times the\n"
        "small one.\n"
        "Exit status: 0 done, 1 a failure was found, 2 bad input.\n");
    return LAB_CLI_DONE;
}

static bool asks_for_help(const char *option) {
    return strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0;
}

/* A closed standard stream would give its number to the next file opened, and what is meant for
 * the stream would end up in that file. So the numbers are taken, by something that refuses the
 * stream's use. */
static bool occupy_standard_streams(void) {
    int descriptor;
    do {
        descriptor = open("/dev/null", O_WRONLY);
        if (descriptor == STDOUT_FILENO || descriptor == STDERR_FILENO) {
            (void)close(descriptor);
            descriptor = open("/dev/null", O_RDONLY);
        }
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    return descriptor >= 0 && close(descriptor) == 0;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        return lab_cli_complain(NULL, "no subcommand given; see heaplab help");
    }
    const subcommand *found = find_subcommand(argv[1]);
    bool help = strcmp(argv[1], "help") == 0 || asks_for_help(argv[1]);
    if ((help && argc == 2) || (found != NULL && argc == 3 && asks_for_help(argv[2]))) {
        return print_usage();
    }
    if (found == NULL) {
        char message[256];
        (void)snprintf(message, sizeof message, "%s '%.128s'; see heaplab help",
                       help ? "unexpected argument" : "unknown subcommand", argv[help ? 2 : 1]);
        return lab_cli_complain(NULL, message);
    }
    return found->main(argc - 1, argv + 1);
}

static pid_t playing; /* 0: main is done */

/* A subject may call exit, and with any status; nobody shall take that for ours. */
static void refuse_to_exit(void) {
    if (playing == getpid()) {
        (void)fflush(stdout);
        const char *what = lab_cli_what_is_played();
        (void)fprintf(stderr, "%s called exit; `heaplab minimize` makes the script short\n",
                      what != NULL ? what : "heaplab: what was played");
        _exit(LAB_CLI_FOUND);
    }
}

int main(int argc, char **argv) {
    if (!occupy_standard_streams()) {
        (void)fprintf(stderr, "heaplab: cannot open /dev/null: %s\n", strerror(errno));
        return LAB_CLI_BAD_INPUT;
    }
    playing = atexit(refuse_to_exit) == 0 ? getpid() : 0;
    int status = dispatch(argc, argv);
    playing = 0;
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0 || failed) {
        (void)fprintf(stderr, "heaplab: cannot write to standard output: %s\n",
                      errno != 0 ? strerror(errno) : "write error");
        return LAB_CLI_BAD_INPUT;
    }
    return status;
}
