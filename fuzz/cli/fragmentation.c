/* SPDX-License-Identifier: MIT */
/* heaplab fragmentation: the same requests on placement policies, buddy and tagged heap. */
#include "fragmentation/fragmentation.h"

#include <inttypes.h>

#include "cli/cli.h"

static void print_line(lab_contestant contestant, const lab_fragmentation *f) {
    unsigned internal = lab_fragmentation_internal(f);
    unsigned external = lab_fragmentation_external(f);
    (void)printf("%-12s %9" PRIu64 " %8" PRIu64 " %9u.%u%% %9u.%u%%\n",
                 lab_contestant_name(contestant), f->refused, f->refused_in_vain, internal / 10,
                 internal % 10, external / 10, external % 10);
}

int lab_cli_fragmentation(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.out = LAB_CLI_OUT_NONE};
    lab_cli_files given;
    lab_script script = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, NULL);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    if (!lab_cli_read(argv[0], given.in, &given, &script)) {
        return LAB_CLI_BAD_INPUT;
    }
    (void)printf("%-12s %9s %8s %11s %11s\n", "", "refused", "in vain", "internal", "external");
    for (unsigned i = 0; status == LAB_CLI_DONE && i < LAB_CONTESTANTS; i++) {
        lab_fragmentation f;
        if (lab_fragmentation_measure((lab_contestant)i, TH_HEAP_LAYOUT_AUTO, &script, &f)) {
            print_line((lab_contestant)i, &f);
        } else {
            (void)printf("%-12s cannot be made from %" PRIu32 " dwords\n",
                         lab_contestant_name((lab_contestant)i), script.config.dwords);
        }
    }
    lab_script_clean_up(&script);
    return status;
}
