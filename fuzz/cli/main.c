/* SPDX-License-Identifier: MIT */
/* heaplab: the table of subcommands, and what is the same for all of them. */
#define _POSIX_C_SOURCE 200809L

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct subcommand {
    const char *name;
    const char *arguments;
    const char *purpose;
    int (*main)(int argc, char **argv);
} subcommand;

static const subcommand subcommands[] = {
    {"run", "FILE...", "play scripts on the heap, compare with the exact model", lab_cli_run},
    {"show", "FILE [-o OUT]", "print a script as text", lab_cli_show},
    {"asm", "FILE -o OUT", "assemble a script into bytes", lab_cli_asm},
    {"draw", "FILE", "draw the heap after each operation", lab_cli_draw},
    {"bench", "", "measure checked operations per second", lab_cli_bench},
    {"subjects", "", "list the allocators that scripts can be played on", lab_cli_subjects},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0], EXIT_BAD_INPUT = 2 };

static int print_usage(void) {
    (void)printf("usage: heaplab SUBCOMMAND ...\n\n");
    for (int i = 0; i < SUBCOMMANDS; i++) {
        (void)printf("  %-8s %-14s %s\n", subcommands[i].name, subcommands[i].arguments,
                     subcommands[i].purpose);
    }
    (void)printf("  %-8s %-14s %s\n\n", "help", "", "print this");
    (void)printf("FILE is a script as text or as bytes; docs/script.md describes both.\n"
                 "Exit status: 0 done, 1 a failure was found, 2 bad input.\n");
    return 0;
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
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return print_usage();
    }
    for (int i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            return subcommands[i].main(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "heaplab: unknown subcommand '%s'; see heaplab help\n", argv[1]);
    return EXIT_BAD_INPUT;
}

int main(int argc, char **argv) {
    if (!occupy_standard_streams()) {
        (void)fprintf(stderr, "heaplab: cannot open /dev/null: %s\n", strerror(errno));
        return EXIT_BAD_INPUT;
    }
    int status = dispatch(argc, argv);
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0 || failed) {
        (void)fprintf(stderr, "heaplab: cannot write to standard output: %s\n",
                      errno != 0 ? strerror(errno) : "write error");
        return EXIT_BAD_INPUT;
    }
    return status;
}
