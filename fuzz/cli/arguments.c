/* SPDX-License-Identifier: MIT */
/* What the subcommands have in common: arguments, reading scripts. */
#define _POSIX_C_SOURCE 200809L

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "subjects/subjects.h"

enum {
    PATH_BYTES_MAX = 4096,
    MESSAGE_BYTES_MAX = PATH_BYTES_MAX + 512 /* a path, and what is wrong with it */
};

const char *lab_cli_next(lab_cli_arguments *from, bool *is_option) {
    if (from->next < from->argc && !from->options_ended &&
        strcmp(from->argv[from->next], "--") == 0) {
        from->options_ended = true;
        from->next++;
    }
    if (from->next >= from->argc) {
        return NULL;
    }
    const char *argument = from->argv[from->next++];
    *is_option = argument[0] == '-' && !from->options_ended;
    return argument;
}

const char *lab_cli_value(lab_cli_arguments *from, const char *option) {
    if (from->next >= from->argc || from->argv[from->next][0] == '\0') {
        (void)lab_cli_refuse(from->argv[0], "a value is missing after", option);
        return NULL;
    }
    return from->argv[from->next++];
}

int lab_cli_read_uint64(lab_cli_arguments *from, const char *option, uint64_t least, uint64_t most,
                        const char *wanted, uint64_t *out) {
    const char *value = lab_cli_value(from, option);
    char *end = NULL;
    if (value == NULL) {
        return LAB_CLI_BAD_INPUT;
    }
    errno = 0;
    *out = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || *out < least ||
        *out > most) {
        return lab_cli_refuse(from->argv[0], wanted, value);
    }
    return LAB_CLI_DONE;
}

static bool is_form(const char *option, lab_script_form *form) {
    bool bytes = strcmp(option, "--bytes") == 0;
    bool text = strcmp(option, "--text") == 0;
    bool numbered = strcmp(option, "--numbered") == 0;
    if (bytes || text || numbered) {
        *form = bytes ? LAB_FORM_BYTES : text ? LAB_FORM_TEXT : LAB_FORM_NUMBERED;
    }
    return bytes || text || numbered;
}

static int take_option(lab_cli_arguments *from, const char *option, const lab_cli_syntax *syntax,
                       lab_cli_files *given, void *settings) {
    bool writes = syntax->out != LAB_CLI_OUT_NONE;
    lab_script_form form = LAB_FORM_ANY;
    if (is_form(option, &form)) {
        if (given->form != LAB_FORM_ANY && given->form != form) {
            return lab_cli_refuse(from->argv[0], "a script has one form only, not also", option);
        }
        given->form = form;
        return LAB_CLI_DONE;
    }
    if (strcmp(option, "--subject") == 0) {
        const char *value = lab_cli_value(from, option);
        given->subject = value != NULL ? lab_cli_subject(from->argv[0], value) : -1;
        return given->subject >= 0 ? LAB_CLI_DONE : LAB_CLI_BAD_INPUT;
    }
    if (writes && strcmp(option, "-f") == 0) {
        given->overwrite = true;
        return LAB_CLI_DONE;
    }
    if (writes && strcmp(option, "-o") == 0) {
        given->out = lab_cli_value(from, option);
        return given->out != NULL ? LAB_CLI_DONE : LAB_CLI_BAD_INPUT;
    }
    bool known = syntax->option != NULL;
    int status = known ? syntax->option(from, option, settings, &known) : LAB_CLI_DONE;
    return known ? status : lab_cli_refuse(from->argv[0], "unknown option", option);
}

int lab_cli_read_arguments(int argc, char **argv, const lab_cli_syntax *syntax,
                           lab_cli_files *given, void *settings) {
    lab_cli_arguments from = {argc, argv, 1, false};
    const char *argument;
    bool is_option;
    *given = (lab_cli_files){.form = LAB_FORM_ANY, .subject = -1};
    while ((argument = lab_cli_next(&from, &is_option)) != NULL) {
        if (is_option) {
            if (take_option(&from, argument, syntax, given, settings) != LAB_CLI_DONE) {
                return LAB_CLI_BAD_INPUT;
            }
        } else if (given->count > 0 && !syntax->many) {
            return lab_cli_refuse(argv[0], "one FILE only, not also", argument);
        } else {
            argv[++given->count] = argv[from.next - 1];
        }
    }
    if (given->count == 0) {
        return lab_cli_refuse(argv[0], "no FILE given", NULL);
    }
    given->in = argv[1];
    return syntax->out != LAB_CLI_OUT_NEEDED || given->out != NULL
               ? LAB_CLI_DONE
               : lab_cli_refuse(argv[0], "no -o OUT given", NULL);
}

int lab_cli_complain_of_outcomes(const char *name, const char *path, const lab_outcome *first,
                                 const lab_outcome *other) {
    char what[2 * LAB_SIGNATURE_BYTES_MAX + 128];
    if (strcmp(first->signature, other->signature) == 0) {
        return lab_cli_complain_of(name, path, "does not fail in this build; nothing written");
    }
    (void)snprintf(
        what, sizeof what,
        "is flaky: once \"%s\", then \"%s\" (minimize --tries 20 would shrink it); nothing written",
        first->signature[0] != '\0' ? first->signature : "no failure",
        other->signature[0] != '\0' ? other->signature : "no failure");
    return lab_cli_complain_of(name, path, what);
}

/* What the user can do about a file that could not be written. */
static const char *advice(const lab_cli_files *given) {
    struct stat status = {0};
    char folder[PATH_BYTES_MAX];
    const char *slash = strrchr(given->out, '/');
    if (lstat(given->out, &status) == 0) {
        return !S_ISREG(status.st_mode) ? "; choose another name"
               : given->overwrite       ? ""
                                        : " without -f";
    }
    if (slash == NULL || (size_t)(slash - given->out) >= sizeof folder) {
        return "";
    }
    (void)snprintf(folder, sizeof folder, "%.*s/", (int)(slash - given->out), given->out);
    return stat(folder, &status) == 0 ? "" : "; its folder must be there";
}

int lab_cli_complain_of_out(const char *name, const lab_cli_files *given, const char *what) {
    char message[MESSAGE_BYTES_MAX + 64];
    (void)snprintf(message, sizeof message, "%s%s", what, advice(given));
    return lab_cli_complain(name, message);
}

int lab_cli_check_out(const char *name, const lab_cli_files *given) {
    struct stat status;
    char message[MESSAGE_BYTES_MAX];
    if (given->out == NULL) {
        return LAB_CLI_DONE;
    }
    bool exists = lstat(given->out, &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) {
        return lab_cli_complain_of(name, given->out, "is no regular file; choose another name");
    }
    if (exists && !given->overwrite) {
        return lab_cli_complain_of(name, given->out, "exists; not overwritten without -f");
    }
    return lab_script_can_write(given->out, message, sizeof message)
               ? LAB_CLI_DONE
               : lab_cli_complain_of_out(name, given, message);
}

bool lab_cli_read(const char *name, const char *path, const lab_cli_files *given,
                  lab_script *script) {
    char message[MESSAGE_BYTES_MAX];
    if (!lab_script_read_file_as(script, path, given->form, message, sizeof message)) {
        (void)lab_cli_complain(name, path[0] != '\0' ? message : "the name of FILE is empty");
        return false;
    }
    if (given->subject >= 0) {
        lab_subject_choose(&script->config, (unsigned)given->subject);
    }
    return true;
}

int lab_cli_read_guard(const char *name, const char *value, int *guard) {
    *guard = value[0] - '0';
    if (value[0] < '0' || value[0] > '3' || value[1] != '\0') {
        return lab_cli_refuse(name, "no guard level:", value);
    }
    return *guard <= th_guard_max() ? LAB_CLI_DONE
                                    : lab_cli_refuse(name, "this build has no guard level", value);
}

int lab_cli_read_number(lab_cli_arguments *from, const char *option, unsigned most,
                        const char *wanted, unsigned *out) {
    uint64_t number = 0;
    int status = lab_cli_read_uint64(from, option, 1, most, wanted, &number);
    *out = status == LAB_CLI_DONE ? (unsigned)number : *out;
    return status;
}

int lab_cli_read_seconds(lab_cli_arguments *from, uint64_t *seconds) {
    return lab_cli_read_uint64(from, "--seconds", 1, 24 * 3600,
                               "no number of seconds from 1 to 86400:", seconds);
}

int lab_cli_read_seed(lab_cli_arguments *from, uint64_t *seed) {
    return lab_cli_read_uint64(from, "--seed", 0, UINT64_MAX, "no number that can be used:", seed);
}

int lab_cli_read_index(lab_cli_arguments *from, th_heap_index *index) {
    static const char *const names[] = {"auto", "none", "given"};
    static_assert(TH_HEAP_INDEX_GIVEN == sizeof names / sizeof names[0] - 1, "each has its name");
    const char *value = lab_cli_value(from, "--index");
    for (size_t i = 0; value != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) == 0) {
            *index = (th_heap_index)i;
            return LAB_CLI_DONE;
        }
    }
    return value == NULL ? LAB_CLI_BAD_INPUT
                         : lab_cli_refuse(from->argv[0], "no index (auto, none, given):", value);
}
