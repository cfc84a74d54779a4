/* SPDX-License-Identifier: MIT */
/* Replays files through a fuzz target with no fuzzing engine:
 *
 *   replay_<target> [-v] [--scripts] FILE|FOLDER...
 *
 * With --scripts the files are scripts in either form; the target gets their canonical bytes.
 * Folders are walked down, in byte order of the names, so that two runs see the same sequence.
 * Exit status 0: every input was replayed (a target that finds something ends the program
 * itself); 2: bad arguments, an unreadable file, or nothing to replay. -v names each input before
 * it runs. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "script/script.h"

#define EXIT_BAD_INPUT 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *program;
static bool verbose;
static bool scripts;
static unsigned long replayed;

static bool complain(const char *path, const char *why) {
    fprintf(stderr, "%s: %s: %s\n", program, path, why);
    return false;
}

/* Reads the file into a block of exactly its size, so that ASan sees the first byte read beyond
 * it. */
static uint8_t *read_whole(FILE *file, size_t size) {
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        free(data);
        return NULL;
    }
    return data;
}

static bool replay_bytes(const char *path, const uint8_t *data, size_t size) {
    if (verbose) {
        fprintf(stderr, "%s: %s\n", program, path);
    }
    (void)LLVMFuzzerTestOneInput(data, size);
    replayed++;
    return true;
}

static bool replay_script(const char *path) {
    lab_script script = {0};
    char message[512];
    if (!lab_script_read_file(&script, path, message, sizeof message)) {
        fprintf(stderr, "%s: %s\n", program, message);
        return false;
    }
    size_t size = lab_script_encode_input(&script, NULL, 0);
    uint8_t *data = malloc(size);
    bool ok = data != NULL && lab_script_encode_input(&script, data, size) == size
                  ? replay_bytes(path, data, size)
                  : complain(path, "no memory");
    free(data);
    lab_script_clean_up(&script);
    return ok;
}

static bool replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return complain(path, strerror(errno));
    }
    uint8_t *data = read_whole(file, size);
    fclose(file);
    bool ok = data != NULL ? replay_bytes(path, data, size) : complain(path, "cannot be read");
    free(data);
    return ok;
}

static bool replay_path(const char *path);

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int compare_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool replay_entry(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path == NULL) {
        return complain(folder, "no memory");
    }
    snprintf(path, size, "%s/%s", folder, name);
    bool ok = replay_path(path);
    free(path);
    return ok;
}

static bool replay_folder(const char *path) {
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, visible, compare_bytes);
    if (count < 0) {
        return complain(path, strerror(errno));
    }
    bool ok = true;
    for (int i = 0; i < count; i++) {
        ok = ok && replay_entry(path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool replay_path(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return complain(path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return replay_folder(path);
    }
    if (!S_ISREG(status.st_mode)) {
        return complain(path, "is neither a file nor a folder");
    }
    return scripts ? replay_script(path) : replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv) {
    program = argv[0];
    (void)setenv("LAB_EVERY_CHECK", "1", 0); /* for the target heap: a replay has the time */
    int first = 1;
    for (; first < argc && argv[first][0] == '-'; first++) {
        verbose = verbose || strcmp(argv[first], "-v") == 0;
        scripts = scripts || strcmp(argv[first], "--scripts") == 0;
        if (strcmp(argv[first], "-v") != 0 && strcmp(argv[first], "--scripts") != 0) {
            complain(argv[first], "no such option; there are -v and --scripts");
            return EXIT_BAD_INPUT;
        }
    }
    if (first == argc) {
        fprintf(stderr, "usage: %s [-v] [--scripts] FILE|FOLDER...\n", program);
        return EXIT_BAD_INPUT;
    }
    if (LLVMFuzzerInitialize != NULL) {
        (void)LLVMFuzzerInitialize(&argc, &argv);
    }
    for (int i = first; i < argc; i++) {
        if (!replay_path(argv[i])) {
            return EXIT_BAD_INPUT;
        }
    }
    if (replayed == 0) {
        complain(argv[first], "holds no input to replay");
        return EXIT_BAD_INPUT;
    }
    printf("%lu inputs replayed\n", replayed);
    return EXIT_SUCCESS;
}
