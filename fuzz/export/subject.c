/* SPDX-License-Identifier: MIT */
/* The reproducer for another subject than the heap: its opening comment, the script as text, and a
 * call of what plays it. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "export/state.h"
#include "tagheap/heap.h"

static void print_opening(const lab_script *script, const lab_outcome *outcome, const char *name,
                          FILE *out) {
    bool plugin = script->config.subject == LAB_SUBJECT_PLUGIN;
    (void)fprintf(
        out, "/* A script on which the subject %s fails, as a program.\n *\n *   fails: ", name);
    lab_export_text(out, outcome->signature, false);
    (void)fprintf(
        out,
        "\n *\n * Build it in the library's folder, and run it:\n"
        " *   " LAB_EXPORT_COMPILER " -std=c11 -O1 -g" LAB_EXPORT_SANITIZE
        " -DTH_GUARD=%d -DTH_ASSERTS=1 -Iinclude -Isrc -Ifuzz \\\n"
        " *       THIS_FILE.c%s fuzz/export/replay.c $(find src fuzz/script fuzz/model \\\n"
        " *       fuzz/result fuzz/runner fuzz/contract fuzz/player fuzz/subjects fuzz/shrink "
        "-name '*.c') -ldl -lm -o repro && "
        "./repro\n",
        th_guard_max(), plugin ? " PLUGIN.c" : "");
    if (plugin) {
        (void)fprintf(out,
                      " * PLUGIN.c: the plug-in's sources; or its objects, if it is not in C.\n");
    }
    (void)fprintf(out,
                  " * It exits with 1, after \"reproduced: ...\", if the subject fails in this "
                  "way; with 0 if\n * it does as it should, with 2 if it fails in another way. "
                  "The script is played in a\n * child; in this process, for a debugger: "
                  "./repro here. */\n");
}

static void print_script(const char *text, FILE *out) {
    (void)fprintf(out, "static const char script[] =");
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        (void)fprintf(out, "\n    \"%.*s\\n\"", (int)size, text);
        text += size + (text[size] == '\n');
    }
    (void)fprintf(out, ";\n\n");
}

bool lab_export_subject(const lab_script *script, const lab_outcome *outcome, const char *name,
                        FILE *out) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) {
        return false;
    }
    lab_script_print(script, stream);
    bool printed = ferror(stream) == 0;
    printed = fclose(stream) == 0 && printed;
    if (printed) {
        print_opening(script, outcome, name, out);
        (void)fprintf(out, "#include \"export/replay.h\"\n\n");
        print_script(text, out);
        (void)fprintf(out, "int main(int argc, char **argv) {\n    (void)argv;\n"
                           "    return lab_replay(argc, script,\n                      \"");
        lab_export_text(out, outcome->signature, true);
        (void)fprintf(out, "\");\n}\n");
    }
    free(text);
    return printed;
}
