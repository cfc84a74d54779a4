/* SPDX-License-Identifier: MIT */
/* heaplab: what is the same for all subcommands. */
#define _DEFAULT_SOURCE

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

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
    const lab_cli_subcommand *found = lab_cli_find(argv[1]);
    bool help = strcmp(argv[1], "help") == 0 || asks_for_help(argv[1]);
    if (help && argc == 2) {
        lab_cli_print_help();
        return LAB_CLI_DONE;
    }
    if (found != NULL && argc == 3 && asks_for_help(argv[2])) {
        lab_cli_print_help_for(found);
        return LAB_CLI_DONE;
    }
    if (found == NULL) {
        char message[256];
        (void)snprintf(message, sizeof message, "%s '%.128s'; see heaplab help",
                       help ? "unexpected argument" : "unknown subcommand", argv[help ? 2 : 1]);
        return lab_cli_complain(NULL, message);
    }
    lab_cli_begin(found);
    return found->main(argc - 1, argv + 1);
}

static pid_t playing; /* 0: main is done */

/* A subject may call exit, and with any status; nobody shall take that for ours. */
static void refuse_to_exit(int status, void *context) {
    (void)context;
    if (playing == getpid()) {
        (void)fflush(stdout);
        const char *what = lab_cli_what_is_played();
        (void)fprintf(stderr,
                      "%s called exit with status %d; `heaplab minimize` makes the script short\n",
                      what != NULL ? what : "heaplab: what was played", status);
        _exit(LAB_CLI_FOUND);
    }
}

int main(int argc, char **argv) {
    if (!occupy_standard_streams()) {
        (void)fprintf(stderr, "heaplab: cannot open /dev/null: %s\n", strerror(errno));
        return LAB_CLI_BAD_INPUT;
    }
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like any other */
    playing = on_exit(refuse_to_exit, NULL) == 0 ? getpid() : 0;
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
