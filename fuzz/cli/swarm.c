/* SPDX-License-Identifier: MIT */
/* heaplab swarm: what the mutator's profile was in an epoch of a run. */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "mutate/swarm.h"

static bool read_number(const char *text, uint64_t *number) {
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *number = strtoull(text, &end, 0);
    return errno == 0 && *end == '\0';
}

int lab_cli_swarm(int argc, char **argv) {
    lab_cli_arguments from = {argc, argv, 1, false};
    uint64_t numbers[2] = {0, 0};
    unsigned count = 0;
    bool is_option = false;
    for (const char *word = lab_cli_next(&from, &is_option); word != NULL;
         word = lab_cli_next(&from, &is_option)) {
        if (is_option) {
            return lab_cli_refuse("swarm", "unknown option", word);
        }
        if (count == 2) {
            return lab_cli_refuse("swarm", "unexpected argument", word);
        }
        if (!read_number(word, &numbers[count++])) {
            return lab_cli_refuse("swarm", "not a number", word);
        }
    }
    if (count == 0) {
        return lab_cli_refuse("swarm", "no seed given", NULL);
    }
    lab_swarm swarm;
    lab_swarm_make(&swarm, numbers[0], numbers[1]);
    (void)printf("swarm seed %" PRIu64 " epoch %" PRIu64 "\n", numbers[0], numbers[1]);
    lab_swarm_print(&swarm, stdout);
    return LAB_CLI_DONE;
}
