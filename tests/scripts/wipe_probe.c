/* SPDX-License-Identifier: MIT */
/* Is a secret left on the stack, or in freed memory, of a function that has used it and wiped it at
 * the end? Prints a word for each place. WIPE(memory, bytes) is what wipes. */
#define _GNU_SOURCE

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tagheap/wipe.h"

#define WIPE_BY_MEMSET(memory, bytes) (void)memset(memory, 0, bytes)

enum { SECRET_BYTES = 64, STACK_BYTES = 1 << 16 };

static volatile unsigned char first = 0x80; /* so that no compiler has the secret beforehand */
static volatile unsigned sum;               /* of the secret: it is used */

static void make_and_use(unsigned char *secret) {
    for (size_t i = 0; i < SECRET_BYTES; i++) {
        secret[i] = (unsigned char)(first + i);
    }
    for (size_t i = 0; i < SECRET_BYTES; i++) {
        sum += secret[i];
    }
}

static void on_the_stack(int number) {
    unsigned char secret[SECRET_BYTES];
    (void)number;
    make_and_use(secret);
    WIPE(secret, sizeof secret);
}

/* malloc keeps notes in the first bytes of what is freed: the second half is looked at. */
static unsigned char *freed;

static void in_freed_memory(void) {
    unsigned char *secret = malloc(SECRET_BYTES);
    if (secret != NULL) {
        make_and_use(secret);
        freed = secret;
        WIPE(secret, SECRET_BYTES);
        free(secret);
    }
}

static int is_secret(const volatile unsigned char *bytes, size_t from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != (unsigned char)(0x80 + from + i)) {
            return 0;
        }
    }
    return 1;
}

int main(void) {
    static unsigned char stack[STACK_BYTES];
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {.sa_handler = on_the_stack, .sa_flags = SA_ONSTACK};
    int found = 0;
    if (sigaltstack(&own, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0 ||
        raise(SIGUSR1) != 0) {
        return 2;
    }
    for (size_t i = 0; i + SECRET_BYTES < sizeof stack; i++) {
        found |= is_secret(stack + i, 0, SECRET_BYTES / 2);
    }
    in_freed_memory();
    unsigned char *volatile hidden = freed; /* no compiler knows that this is freed */
    found |= is_secret(hidden + SECRET_BYTES / 2, SECRET_BYTES / 2, SECRET_BYTES / 2) << 1;
    printf("%s %s\n", found & 1 ? "left" : "gone", found & 2 ? "left" : "gone");
    return 0;
}
