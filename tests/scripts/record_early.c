/* SPDX-License-Identifier: MIT */
/* A preload library for test_record.py whose dlsym allocates, as some do: the recorder, which
 * looks the real functions up with dlsym, must survive that. Aborts the program if it does not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Taken before the recorder knew the real malloc. */
static char *early;
static char *early_too;

void *dlsym(void *restrict handle, const char *restrict name) {
    static void *(*next)(void *restrict, const char *restrict);
    if (next == NULL) {
        void *symbol = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        memcpy(&next, &symbol, sizeof symbol);
    }
    free(early_too);
    early_too = malloc(20);
    free(early);
    early = calloc(3, 5);
    early = early == NULL ? NULL : realloc(early, 40);
    if (early == NULL) {
        abort();
    }
    for (int i = 0; i < 15; i++) {
        if (early[i] != 0) {
            abort();
        }
    }
    strcpy(early, "kept");
    return next(handle, name);
}

__attribute__((constructor)) static void use_early(void) {
    free(malloc(1)); /* wakes the recorder up, whose constructor may come later */
    if (early == NULL || malloc_usable_size(early) < 40) {
        abort();
    }
    early = realloc(early, 5000);
    if (early == NULL || strcmp(early, "kept") != 0) {
        abort();
    }
    free(early);
    free(early_too);
    early = NULL;
}
