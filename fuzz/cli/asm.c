/* SPDX-License-Identifier: MIT */
/* heaplab asm: a script in either form to its canonical bytes. */
#include "cli/cli.h"

int lab_cli_asm(int argc, char **argv) {
    return lab_cli_convert(argc, argv, LAB_FORM_BYTES);
}
