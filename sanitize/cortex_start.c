/* SPDX-License-Identifier: MIT */
/* The beginning and the end of a program on a Cortex-M under qemu, by semihosting.
 *
 * The arguments NAME=VALUE before the others become the environment: there is no other way to hand
 * one on. Linked with --wrap=main. */
#define _POSIX_C_SOURCE 200112L

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>

enum {
    ARGUMENTS_MAX = 16,
    COMMAND_BYTES_MAX = 1024,
    SYS_WRITE0 = 0x04,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
    APPLICATION_EXIT = 0x20026,
    STATUS_FAULT = 139 /* as a shell says it of SIGSEGV */
};

/* Of newlib and its semihosting. */
void initialise_monitor_handles(void);

extern unsigned char __bss_start__[], __bss_end__[], cortex_stack_top[];
int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
int main(int argc, char **argv);
noreturn void _start(void);
noreturn void _exit(int status);
void _fini(void);

/* Nothing is to be done at the end, and the C library asks for it. */
void _fini(void) {}

static uint32_t ask(uint32_t operation, const void *parameters) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* Takes the place of the C library's, which loses the status. */
noreturn void _exit(int status) {
    const uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)status};
    for (;;) {
        (void)ask(SYS_EXIT_EXTENDED, block);
    }
}

static noreturn void fault(void) {
    (void)ask(SYS_WRITE0, "cortex: the processor has raised a fault\n");
    _exit(STATUS_FAULT);
}

int __wrap_main(int argc, char **argv) {
    int first = 1;
    while (first < argc && strchr(argv[first], '=') != NULL) {
        char *value = strchr(argv[first], '=');
        *value = '\0';
        (void)setenv(argv[first++], value + 1, 1);
    }
    argv[first - 1] = argv[0];
    return __real_main(argc - (first - 1), argv + (first - 1));
}

/* The words of the command line, which are separated by single spaces. */
static int read_arguments(char **argv) {
    static char text[COMMAND_BYTES_MAX];
    struct {
        char *text;
        uint32_t bytes;
    } block = {text, sizeof text};
    int argc = 0;
    if (ask(SYS_GET_CMDLINE, &block) != 0) {
        return 0;
    }
    for (char *word = strtok(text, " "); word != NULL && argc < ARGUMENTS_MAX;
         word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    return argc;
}

noreturn void _start(void) {
    static char *argv[ARGUMENTS_MAX + 1];
    memset(__bss_start__, 0, (size_t)(__bss_end__ - __bss_start__));
    initialise_monitor_handles();
    exit(main(read_arguments(argv), argv));
}

/* What the processor reads when it starts: its stack, where to begin, and where to go with faults.
 */
typedef struct vectors {
    unsigned char *stack;
    void (*start)(void);
    void (*faults[14])(void);
} vectors;

extern const vectors cortex_vectors;
__attribute__((section(".vectors"), used))
const vectors cortex_vectors = {cortex_stack_top, _start, {fault, fault, fault, fault, fault}};
