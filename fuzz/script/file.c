/* SPDX-License-Identifier: MIT */
/* Script files: telling the two forms apart, reading, and writing without losing anything. */
#define _POSIX_C_SOURCE   200809L
#define _FILE_OFFSET_BITS 64

#include "script/script.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX   ((size_t)1 << 30) /* a device that never ends must not fill the memory */
#define FILE_BYTES_FIRST ((size_t)1 << 16)

/* ---- telling the forms apart -------------------------------------------------------------- */

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool is_control(uint8_t byte) {
    return byte < ' ' || byte == 0x7F;
}

/* Canonical bytes are never taken for text. White space may be their byte 0, "#" may not (it
 * names an alignment in the non-canonical way). With white space in byte 0, small regions have a
 * control byte 0 .. 3 in byte 2, which is neither white space nor in a printable comment nor in
 * "heap"; large ones have no ASCII in byte 3. */
bool lab_script_is_text(const uint8_t *bytes, size_t size) {
    size_t start = 0;
    while (start < size && is_space(bytes[start])) {
        start++;
    }
    const uint8_t *word = bytes + start;
    size_t left = size - start;
    if (left >= 4 && memcmp(word, "heap", 4) == 0) {
        return left == 4 || is_space(word[4]) || word[4] == '#';
    }
    if (left == 0 || word[0] != '#') {
        return false;
    }
    for (size_t i = 0; start > 0 && i < size && i < LAB_HEADER_BYTES; i++) {
        if (bytes[i] > 0x7F) {
            return false;
        }
    }
    for (size_t i = 0; i < left && word[i] != '\n'; i++) {
        if (is_control(word[i]) && !is_space(word[i])) {
            return false;
        }
    }
    return true;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Reads all of `file` into *bytes, which the caller frees. Returns 0 or an errno value. */
static int read_all(FILE *file, uint8_t **bytes, size_t *size) {
    size_t capacity = 0;
    do {
        capacity = capacity == 0 ? FILE_BYTES_FIRST : capacity * 2;
        uint8_t *larger = capacity > FILE_BYTES_MAX ? NULL : realloc(*bytes, capacity);
        if (larger == NULL) {
            return capacity > FILE_BYTES_MAX ? EFBIG : ENOMEM;
        }
        *bytes = larger;
        errno = 0;
        *size += fread(*bytes + *size, 1, capacity - *size, file);
        if (ferror(file)) {
            return errno != 0 ? errno : EIO;
        }
    } while (*size == capacity);
    return 0;
}

static bool read_file(const char *path, uint8_t **bytes, size_t *size, char *message,
                      size_t capacity) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)snprintf(message, capacity, "%s: cannot be opened: %s", path, strerror(errno));
        return false;
    }
    int error = read_all(file, bytes, size);
    (void)fclose(file);
    if (error == EISDIR) {
        (void)snprintf(message, capacity, "%s: is a folder, not a script file", path);
        return false;
    }
    if (error != 0) {
        (void)snprintf(message, capacity, "%s: cannot be read: %s", path, strerror(error));
        return false;
    }
    if (*size == 0) {
        (void)snprintf(message, capacity, "%s: is empty, not a script file", path);
        return false;
    }
    return true;
}

static bool parse_file(lab_script *script, const uint8_t *bytes, size_t size, lab_script_form form,
                       const char *path, char *message, size_t capacity) {
    if (form == LAB_FORM_TEXT || (form == LAB_FORM_ANY && lab_script_is_text(bytes, size))) {
        lab_text_error error;
        if (!lab_script_parse(script, (const char *)bytes, size, &error)) {
            (void)snprintf(message, capacity, "%s:%u:%u: %s", path, error.line, error.column,
                           error.message);
            return false;
        }
    } else if (!(form == LAB_FORM_NUMBERED ? lab_script_decode_numbered(script, bytes, size)
                                           : lab_script_decode(script, bytes, size))) {
        (void)snprintf(message, capacity, "%s: cannot be decoded: out of memory", path);
        return false;
    }
    return true;
}

bool lab_script_read_file_as(lab_script *script, const char *path, lab_script_form form,
                             char *message, size_t capacity) {
    uint8_t *bytes = NULL;
    size_t size = 0;
    bool done = read_file(path, &bytes, &size, message, capacity) &&
                parse_file(script, bytes, size, form, path, message, capacity);
    free(bytes);
    if (!done) {
        lab_script_clean_up(script);
    }
    return done;
}

bool lab_script_read_file(lab_script *script, const char *path, char *message, size_t capacity) {
    return lab_script_read_file_as(script, path, LAB_FORM_ANY, message, capacity);
}

/* ---- writing ------------------------------------------------------------------------------ */

static bool write_bytes(FILE *out, const void *what) {
    const lab_script *script = what;
    size_t size = lab_script_encode_input(script, NULL, 0);
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return false;
    }
    (void)lab_script_encode_input(script, bytes, size);
    bool done = fwrite(bytes, 1, size, out) == size;
    free(bytes);
    return done;
}

static bool write_text(FILE *out, const void *what) {
    lab_script_print(what, out);
    return true;
}

/* Writes and closes `file`. Returns 0 or an errno value. */
static int write_all(lab_file_writer *write, const void *what, FILE *file) {
    errno = 0;
    bool done = write(file, what) && fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    int error = done ? 0 : errno;
    if (fclose(file) != 0 && done) {
        error = errno;
        done = false;
    }
    return done || error != 0 ? error : EIO;
}

/* Makes the finished temporary file the file `path`. Returns 0 or an errno value. */
static int put_in_place(const char *temporary, const char *path, bool overwrite) {
    if (!overwrite) { /* takes the name, so that a file that has come since is not lost */
        int taken = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (taken < 0) {
            return errno;
        }
        (void)close(taken);
    }
    if (rename(temporary, path) == 0) {
        return 0;
    }
    int error = errno;
    if (!overwrite) {
        (void)unlink(path);
    }
    return error;
}

/* Writes the temporary file and renames it. Returns 0 or an errno value. */
static int replace_file(lab_file_writer *write, const void *what, const char *temporary,
                        const char *path, bool overwrite) {
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (descriptor < 0) {
        return errno;
    }
    FILE *file = fdopen(descriptor, "wb");
    int error;
    if (file == NULL) {
        error = errno;
        (void)close(descriptor);
    } else {
        error = write_all(write, what, file);
    }
    if (error == 0) {
        error = put_in_place(temporary, path, overwrite);
    }
    if (error != 0) {
        (void)unlink(temporary);
    }
    return error;
}

/* What is written before it is renamed to `path`; NULL: no memory. */
static char *new_temporary_name(const char *path) {
    size_t room = strlen(path) + sizeof ".18446744073709551615.tmp";
    char *name = malloc(room);
    if (name != NULL) {
        (void)snprintf(name, room, "%s.%lu.tmp", path, (unsigned long)getpid());
    }
    return name;
}

/* True if `error` is 0; the message says what it is otherwise. */
static bool report_error(const char *path, int error, char *message, size_t capacity) {
    if (error != 0) {
        (void)snprintf(message, capacity, "%s: cannot be written: %s", path, strerror(error));
    }
    return error == 0;
}

bool lab_file_write(lab_file_writer *write, const void *what, const char *path, bool overwrite,
                    char *message, size_t capacity) {
    struct stat status = {0}; /* MSan does not know every form of lstat */
    if (lstat(path, &status) == 0) {
        if (!overwrite) {
            (void)snprintf(message, capacity, "%s: exists already, and is not overwritten", path);
            return false;
        }
        if (!S_ISREG(status.st_mode)) {
            (void)snprintf(message, capacity, "%s: is no regular file, and is not replaced", path);
            return false;
        }
    }
    char *temporary = new_temporary_name(path);
    int error = temporary != NULL ? replace_file(write, what, temporary, path, overwrite) : ENOMEM;
    free(temporary);
    return report_error(path, error, message, capacity);
}

bool lab_script_write_file(const lab_script *script, const char *path, lab_script_form form,
                           bool overwrite, char *message, size_t capacity) {
    assert(form == LAB_FORM_BYTES || form == LAB_FORM_TEXT);
    return lab_file_write(form == LAB_FORM_TEXT ? write_text : write_bytes, script, path, overwrite,
                          message, capacity);
}

bool lab_script_can_write(const char *path, char *message, size_t capacity) {
    char *temporary = new_temporary_name(path);
    int error = ENOMEM;
    if (temporary != NULL) {
        int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
        error = descriptor < 0 ? errno : 0;
        if (error == 0) {
            (void)close(descriptor);
            (void)unlink(temporary);
        }
        free(temporary);
    }
    return report_error(path, error, message, capacity);
}
