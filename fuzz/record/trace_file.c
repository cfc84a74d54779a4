/* SPDX-License-Identifier: MIT */
/* Offsets are 64 bits wide in a 32-bit program too: a trace may be larger than its memory. */
#define _POSIX_C_SOURCE   200809L
#define _FILE_OFFSET_BITS 64

#include "record/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(sizeof(off_t) == 8, "any trace has an offset for each of its records");

static bool refuse(char *message, size_t capacity, const char *path, const char *what) {
    (void)snprintf(message, capacity, "%s: %s", path, what);
    return false;
}

static uint64_t file_bytes(uint64_t records) {
    return LAB_TRACE_HEADER_BYTES + records * sizeof(lab_trace_record);
}

/* ---- making --------------------------------------------------------------------------------- */

/* Gives the file the length for `wanted` records, or as many whole chunks as it can have; returns
 * how many records that are, 0 with errno if not even one chunk. */
static uint64_t make_room(int fd, uint64_t wanted) {
    const uint64_t per_chunk = LAB_TRACE_CHUNK_RECORDS;
    uint64_t chunks = (wanted + per_chunk - 1) / per_chunk;
    while (ftruncate(fd, (off_t)file_bytes(chunks * per_chunk)) != 0) {
        struct rlimit size;
        if (errno != EFBIG || chunks == 1) {
            return 0;
        }
        uint64_t fewer = chunks / 2; /* the file system has a limit of its own */
        if (getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur < file_bytes(chunks * per_chunk)) {
            uint64_t bytes = size.rlim_cur;
            uint64_t rest = bytes < LAB_TRACE_HEADER_BYTES ? 0 : bytes - LAB_TRACE_HEADER_BYTES;
            fewer = rest / LAB_TRACE_CHUNK_BYTES;
        }
        chunks = fewer == 0 ? 1 : fewer;
    }
    return chunks * per_chunk;
}

/* The soft limit is the shell's; a file that is a hole for the most part may reach the hard one. */
static void raise_size_limit(void) {
    struct rlimit size;
    if (getrlimit(RLIMIT_FSIZE, &size) == 0) {
        size.rlim_cur = size.rlim_max;
        (void)setrlimit(RLIMIT_FSIZE, &size);
    }
}

bool lab_trace_create(const char *path, uint64_t limit, char *message, size_t capacity) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return refuse(message, capacity, path, strerror(errno));
    }
    raise_size_limit();
    lab_trace_header header = {.version = LAB_TRACE_VERSION,
                               .record_bytes = (uint32_t)sizeof(lab_trace_record),
                               .limit = limit,
                               .room = make_room(fd, limit)};
    memcpy(header.magic, LAB_TRACE_MAGIC, sizeof header.magic);
    bool ok = header.room != 0;
    errno = ok ? ENOSPC : errno; /* what a short write means */
    ok = ok && write(fd, &header, sizeof header) == (ssize_t)sizeof header;
    int error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (!ok) {
        (void)unlink(path);
        return refuse(message, capacity, path, strerror(error));
    }
    return true;
}

/* ---- what it says of itself ----------------------------------------------------------------- */

static const char *check_header(const lab_trace_header *header) {
    if (memcmp(header->magic, LAB_TRACE_MAGIC, sizeof header->magic) != 0) {
        return "not a trace";
    }
    if (header->version != LAB_TRACE_VERSION || header->record_bytes != sizeof(lab_trace_record)) {
        return "a trace of another version: record again";
    }
    if (header->stop >= LAB_TRACE_STOPS) {
        return "damaged header";
    }
    if (header->count > LAB_TRACE_RECORDS_MAX) {
        return "too long: record with a limit";
    }
    return NULL;
}

/* What is wrong with the header or the length of the open file, or NULL. */
static const char *read_header(FILE *file, lab_trace_header *header) {
    struct stat status = {0}; /* MSan does not know every form of fstat */
    if (fread(header, sizeof *header, 1, file) != 1) {
        return ferror(file) != 0 ? strerror(errno) : "not a trace: too short";
    }
    const char *wrong = check_header(header);
    if (wrong != NULL) {
        return wrong;
    }
    if (fstat(fileno(file), &status) != 0) {
        return strerror(errno);
    }
    return header->count != 0 && (uint64_t)status.st_size < file_bytes(header->count)
               ? "truncated: fewer records than its header says"
               : NULL;
}

bool lab_trace_cut(const char *path, lab_trace_header *header, char *message, size_t capacity) {
    FILE *file = fopen(path, "r+b");
    if (file == NULL) {
        return refuse(message, capacity, path, strerror(errno));
    }
    const char *wrong = read_header(file, header);
    if (wrong == NULL && ftruncate(fileno(file), (off_t)file_bytes(header->count)) != 0) {
        wrong = strerror(errno);
    }
    (void)fclose(file);
    return wrong == NULL || refuse(message, capacity, path, wrong);
}

void lab_trace_stop_format(const lab_trace_header *header, char *line, size_t capacity) {
    switch ((lab_trace_stop)header->stop) {
    case LAB_TRACE_LIMIT:
        (void)snprintf(line, capacity, "at the limit");
        return;
    case LAB_TRACE_FILE_SIZE:
        (void)snprintf(line, capacity, "where no file may be larger (ulimit -f)");
        return;
    case LAB_TRACE_DISK_FULL:
        (void)snprintf(line, capacity, "for want of room on the disk of the trace");
        return;
    case LAB_TRACE_NO_MAPPING:
        (void)snprintf(line, capacity, "since the program could not map more of the trace: %s",
                       strerror(header->error));
        return;
    case LAB_TRACE_COMPLETE:
    case LAB_TRACE_STOPS:
        break;
    }
    line[0] = '\0';
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_plausible(const lab_trace_record *record, size_t index) {
    return record->kind > LAB_TRACE_NONE && record->kind < LAB_TRACE_KINDS &&
           record->align_log2 < 64 && record->serial == (uint32_t)index;
}

/* What is wrong with the records, or NULL. */
static const char *read_records(lab_trace *trace, FILE *file) {
    uint64_t count = trace->header.count;
    if (count == 0) {
        return "empty: the program allocated nothing that could be recorded";
    }
    if (count <= SIZE_MAX / sizeof *trace->records) {
        trace->records = malloc((size_t)count * sizeof *trace->records);
    }
    if (trace->records == NULL) {
        return "too large for the memory of this machine";
    }
    if (fseeko(file, (off_t)LAB_TRACE_HEADER_BYTES, SEEK_SET) != 0 ||
        fread(trace->records, sizeof *trace->records, (size_t)count, file) != count) {
        return "cannot be read to its end";
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_plausible(&trace->records[i], i)) {
            return "damaged: a record is not what the recorder writes";
        }
    }
    trace->count = (size_t)count;
    return NULL;
}

bool lab_trace_read(lab_trace *trace, const char *path, char *message, size_t capacity) {
    memset(trace, 0, sizeof *trace);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return refuse(message, capacity, path, strerror(errno));
    }
    const char *wrong = read_header(file, &trace->header);
    if (wrong == NULL) {
        wrong = read_records(trace, file);
    }
    (void)fclose(file);
    if (wrong != NULL) {
        lab_trace_clean_up(trace);
        return refuse(message, capacity, path, wrong);
    }
    return true;
}

void lab_trace_clean_up(lab_trace *trace) {
    free(trace->records);
    memset(trace, 0, sizeof *trace);
}

void lab_trace_print(const lab_trace *trace, FILE *out) {
    static const char *const names[LAB_TRACE_KINDS] = {"none",    "malloc",  "calloc",
                                                       "aligned", "realloc", "free"};
    for (size_t i = 0; i < trace->count; i++) {
        const lab_trace_record *r = &trace->records[i];
        fprintf(out,
                "%zu thread=%u %s size=%" PRIu64 " align=%" PRIu64 " old=0x%" PRIx64
                " result=0x%" PRIx64 "\n",
                i, (unsigned)r->thread, names[r->kind], r->size, UINT64_C(1) << r->align_log2,
                r->old, r->result);
    }
}
