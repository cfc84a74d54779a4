/* SPDX-License-Identifier: MIT */
/* The tracker as a preload library: th_tracker takes notes of every block of a program, in an image
 * (image.h) that outlives it.
 *
 * What is the program's stays the program's: the image is mapped once, before main; no descriptor
 * stays open, no signal handler is installed, nothing is printed, no file grows. A page on a full
 * disk would raise SIGBUS when it is touched: the kernel is asked to write there first.
 *
 * Order. A block's record is taken out before it is really freed, and put in after it was really
 * allocated, so that the lock is never held across somebody else's code: stacks are unwound, and
 * loaded files are listed, without it. Both ask the dynamic linker, which has a lock of its own.
 *
 * Which process: the one that LAB_TRACK_PROCESS names. What it forks is not tracked, the page that
 * says "tracking" is wiped by the kernel in the child; unless LAB_TRACK_CHILDREN is set: then each
 * child makes an image of its own beside the first, IMAGE-NUMBER. A child made by vfork shares its
 * parent's heap until it calls exec, and is tracked with it. When the process replaces its program
 * by exec, the image starts afresh with the new program. */
#define _GNU_SOURCE
#define UNW_LOCAL_ONLY
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libunwind.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "preload/preload.h"
#include "track/ending.h"
#include "track/image.h"
#include "track/leaks.h"

/* Reserved at a time. */
#define CHUNK_BYTES ((size_t)1 << 20)

/* Frames of our own above those of the program: before or after, leave, and malloc. */
enum { OWN_FRAMES_MAX = 4 };

/* The page that a forked child finds zeroed: not tracking, lock open. */
typedef struct gate {
    atomic_bool tracking;
    pthread_mutex_t lock;
} gate;

static gate *the_gate;
static pid_t owner;
static char image_path[PATH_MAX + 1];
static lab_track_header *header;

/* Written under the lock only. */
static size_t reserved_bytes; /* of the image */

LAB_PRELOAD_THREAD_LOCAL bool inside;              /* between before and after, or in one of them */
LAB_PRELOAD_THREAD_LOCAL th_tracker_block resized; /* by the call that is going on */
LAB_PRELOAD_THREAD_LOCAL size_t usable;            /* bytes that it had */

/* ---- memory of the tracker's own: the image, from its low end on ----------------------------- */

static void *take(void *self, size_t bytes, size_t alignment) {
    lab_track_header *image = self;
    size_t at = (size_t)(image->used_bytes + alignment - 1) & ~(alignment - 1);
    if (bytes > LAB_TRACK_IMAGE_BYTES - at) {
        return NULL;
    }
    while (reserved_bytes < at + bytes) {
        size_t more = at + bytes - reserved_bytes;
        more = (more + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES;
        if (more > LAB_TRACK_IMAGE_BYTES - reserved_bytes ||
            !lab_preload_reserve((char *)image + reserved_bytes, more)) {
            return NULL;
        }
        reserved_bytes += more;
    }
    image->used_bytes = at + bytes;
    return (char *)image + at;
}

/* Tables double: what they leave behind is less than what they have. */
static void keep(void *self, void *block) {
    (void)self;
    (void)block;
}

static th_allocator image_allocator(lab_track_header *image) {
    static const th_allocator_table table = {.alloc = take, .free = keep};
    return (th_allocator){.table = &table, .self = image};
}

/* ---- files that are loaded ------------------------------------------------------------------- */

static unsigned long long changes_listed; /* files loaded and unloaded until they were */

static int ask_changes(struct dl_phdr_info *info, size_t bytes, void *context) {
    (void)bytes;
    *(unsigned long long *)context = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

static bool is_listed(const lab_track_module *module) {
    for (uint32_t i = 0; i < header->module_count; i++) {
        if (memcmp(&header->modules[i], module, sizeof *module) == 0) {
            return true;
        }
    }
    return false;
}

/* The linker does not name the program itself. */
static void name_module(lab_track_module *module, const char *name) {
    size_t i = 0;
    if (name[0] == '\0') {
        (void)!readlink("/proc/self/exe", module->path, sizeof module->path - 1);
        return;
    }
    for (; name[i] != '\0' && i < sizeof module->path - 1; i++) {
        module->path[i] = name[i];
    }
}

static int list_module(struct dl_phdr_info *info, size_t bytes, void *context) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    lab_track_module module = {.bias = info->dlpi_addr, .start = UINTPTR_MAX};
    (void)bytes;
    (void)context;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 && start < module.start) {
            module.start = start / page * page;
            module.end = start + part->p_memsz;
            module.offset = part->p_offset / page * page;
        }
    }
    name_module(&module, info->dlpi_name);
    if (module.end > 0 && header->module_count < LAB_TRACK_MODULES_MAX && !is_listed(&module)) {
        header->modules[header->module_count++] = module;
    }
    return 0;
}

/* Two threads may list at once only if the linker lets them: dl_iterate_phdr has a lock. */
static void list_modules(void) {
    unsigned long long changes = 0;
    (void)dl_iterate_phdr(ask_changes, &changes);
    if (changes != changes_listed) {
        changes_listed = changes;
        (void)dl_iterate_phdr(list_module, NULL);
    }
}

/* ---- starting -------------------------------------------------------------------------------- */

static lab_track_header *map_image(int fd) {
    void *at = mmap((void *)LAB_TRACK_ADDRESS, LAB_TRACK_IMAGE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);
    return at == (void *)LAB_TRACK_ADDRESS ? at : NULL;
}

/* Has the labtrack that belongs to this library made it? */
static bool is_image(int fd) {
    char magic[8];
    uint32_t numbers[2];
    return pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
           pread(fd, numbers, sizeof numbers, sizeof magic) == (ssize_t)sizeof numbers &&
           memcmp(magic, LAB_TRACK_MAGIC, sizeof magic) == 0 && numbers[0] == LAB_TRACK_VERSION &&
           numbers[1] == sizeof(lab_track_header);
}

/* What an earlier program of the process has left (exec) is forgotten. */
static bool start_tracker(void) {
    /* The pages of the header have been written by whoever made it. */
    reserved_bytes = (sizeof *header + LAB_PRELOAD_PAGE_BYTES - 1) / LAB_PRELOAD_PAGE_BYTES *
                     LAB_PRELOAD_PAGE_BYTES;
    header->state = LAB_TRACK_RUNNING;
    header->stop = LAB_TRACK_COMPLETE;
    header->module_count = 0;
    header->used_bytes = sizeof *header;
    header->lost = 0;
    header->leaks = NULL;
    const th_tracker_config config = {.backing = image_allocator(header),
                                      .frames_max = header->frames_max,
                                      .sample_bytes = header->sample_bytes,
                                      .seed = 1};
    memset(&header->tracker, 0, sizeof header->tracker);
    return th_tracker_init(&header->tracker, &config) == TH_OK;
}

static void open_gate(void) {
    pthread_mutex_init(&the_gate->lock, NULL);
    owner = getpid();
    atomic_store(&the_gate->tracking, true);
}

/* The image of the process that is named. */
static bool start_named(void) {
    int fd = open(image_path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    header = is_image(fd) ? map_image(fd) : NULL;
    close(fd);
    return header != NULL && start_tracker();
}

/* ---- children that are tracked, too --------------------------------------------------------- */

typedef struct wishes {
    uint32_t frames_max;
    uint32_t sample_bytes;
    uint32_t look_for_leaks;
} wishes;

static_assert(offsetof(lab_track_header, look_for_leaks) - offsetof(lab_track_header, frames_max) ==
                  offsetof(wishes, look_for_leaks),
              "they stand in the image like this");

static int create_image(void) {
    char path[PATH_MAX + 16];
    struct rlimit limit;
    off_t bytes = (off_t)LAB_TRACK_IMAGE_BYTES;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < (rlim_t)bytes) {
        bytes = (off_t)limit.rlim_cur;
    }
    (void)snprintf(path, sizeof path, "%s-%ld", image_path, (long)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* it is there after an exec */
    if (fd >= 0 && ftruncate(fd, bytes) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* An image of this process's own. */
static bool start_own(const wishes *asked) {
    int fd = create_image();
    header = fd >= 0 ? map_image(fd) : NULL;
    if (fd >= 0) {
        close(fd);
    }
    if (header == NULL || !lab_preload_reserve(header, sizeof *header)) {
        header = NULL;
        return false;
    }
    memset(header, 0, sizeof *header);
    memcpy(header->magic, LAB_TRACK_MAGIC, sizeof header->magic);
    header->version = LAB_TRACK_VERSION;
    header->header_bytes = sizeof *header;
    header->frames_max = asked->frames_max;
    header->sample_bytes = asked->sample_bytes;
    header->look_for_leaks = asked->look_for_leaks;
    return start_tracker();
}

static bool start_executed(void) {
    wishes asked;
    int fd = open(image_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool good = is_image(fd) &&
                pread(fd, &asked, sizeof asked, (off_t)offsetof(lab_track_header, frames_max)) ==
                    (ssize_t)sizeof asked;
    close(fd);
    return good && start_own(&asked);
}

/* In a child, which has its parent's memory, but is to leave its parent's image alone. Of what its
 * parent has allocated it knows nothing: what is reached through that cannot be told. */
static void start_forked(void) {
    const wishes asked = {header->frames_max, header->sample_bytes, 0};
    (void)munmap(header, LAB_TRACK_IMAGE_BYTES);
    changes_listed = 0;
    if (start_own(&asked)) {
        open_gate();
    }
}

void lab_preload_start(void) {
    const char *file = getenv(LAB_TRACK_ENV_FILE);
    const char *process = getenv(LAB_TRACK_ENV_PROCESS);
    bool with_children = getenv(LAB_TRACK_ENV_CHILDREN) != NULL;
    if (file == NULL || process == NULL || strlen(file) > PATH_MAX) {
        return;
    }
    memcpy(image_path, file, strlen(file) + 1);
    bool is_named = lab_preload_is_named(process);
    if (is_named ? !start_named() : !with_children || !start_executed()) {
        return;
    }
    the_gate = lab_preload_gate();
    if (the_gate != NULL) {
        if (with_children) {
            (void)pthread_atfork(NULL, NULL, start_forked);
        }
        open_gate();
    }
}

/* ---- tracking -------------------------------------------------------------------------------- */

static bool is_tracking(void) {
    gate *g = the_gate;
    return g != NULL && atomic_load_explicit(&g->tracking, memory_order_relaxed);
}

/* The frames of the program's: from the one on that malloc returns to. */
static size_t unwind(uintptr_t caller, uintptr_t *frames) {
    void *all[TH_TRACKER_FRAMES_MAX + OWN_FRAMES_MAX];
    size_t wanted = header->frames_max + OWN_FRAMES_MAX;
    int found = unw_backtrace(all, (int)wanted);
    size_t first = 0, count = found > 0 ? (size_t)found : 0;
    while (first < count && (uintptr_t)all[first] != caller) {
        first++;
    }
    if (first == count) { /* it was not found: no unwind information, or a jump */
        frames[0] = caller;
        return 1;
    }
    size_t depth = count - first < header->frames_max ? count - first : header->frames_max;
    for (size_t i = 0; i < depth; i++) {
        frames[i] = (uintptr_t)all[first + i];
    }
    return depth;
}

static bool is_sampled(size_t bytes, uint32_t *points) {
    *points = 0;
    if (header->sample_bytes == 0) {
        return true;
    }
    pthread_mutex_lock(&the_gate->lock);
    bool sampled = th_tracker_sample(&header->tracker, bytes, points);
    pthread_mutex_unlock(&the_gate->lock);
    return sampled;
}

static void note(const void *block, size_t bytes, uint32_t points, th_tracker_origin origin) {
    pthread_mutex_lock(&the_gate->lock);
    size_t sites = header->tracker.site_count;
    if (!th_tracker_note_sample(&header->tracker, block, bytes, points, origin)) {
        header->lost++;
        header->stop = LAB_TRACK_FULL;
    }
    bool is_new = header->tracker.site_count > sites;
    pthread_mutex_unlock(&the_gate->lock);
    if (is_new) {
        list_modules();
    }
}

static void note_call(const lab_preload_call *call) {
    uintptr_t frames[TH_TRACKER_FRAMES_MAX];
    uint32_t points;
    if (is_sampled((size_t)call->size, &points)) {
        size_t depth = 1;
        frames[0] = call->caller;
        if (header->frames_max > 1) {
            depth = unwind(call->caller, frames);
        }
        note(call->result, (size_t)call->size, points,
             (th_tracker_origin){.frames = frames, .depth = depth});
    }
}

/* What was known of it; of what is not known, bytes and site are 0. */
static th_tracker_block forget(uintptr_t address) {
    th_tracker_block block = {.bytes = 0};
    pthread_mutex_lock(&the_gate->lock);
    if (th_tracker_find(&header->tracker, (const void *)address, &block)) {
        (void)th_tracker_note_free(&header->tracker, (const void *)address);
    }
    pthread_mutex_unlock(&the_gate->lock);
    return block;
}

/* A block that is being resized is nobody's in between: its memory may go to another thread as soon
 * as it has moved. */
bool lab_preload_before(const lab_preload_call *call) {
    if (inside || !is_tracking()) {
        return false;
    }
    if (call->kind == LAB_PRELOAD_FREE) {
        pthread_mutex_lock(&the_gate->lock);
        (void)th_tracker_note_free(&header->tracker, (const void *)call->old);
        pthread_mutex_unlock(&the_gate->lock);
        return false;
    }
    inside = true;
    if (call->kind == LAB_PRELOAD_REALLOC) {
        resized = forget(call->old);
        usable = lab_preload_usable_size((void *)call->old);
    }
    return true;
}

void lab_preload_after(const lab_preload_call *call) {
    bool resizes = call->kind == LAB_PRELOAD_REALLOC;
    if (is_tracking() && call->result != NULL) {
        if (header->look_for_leaks != 0 && call->kind != LAB_PRELOAD_CALLOC) {
            lab_leaks_wipe(call->result, resizes ? usable : 0);
        }
        note_call(call);
    } else if (is_tracking() && resizes && call->size != 0 && resized.site != NULL) {
        const th_tracker_site *site = resized.site; /* the request failed, the block stays */
        note((const void *)call->old, resized.bytes, 0,
             (th_tracker_origin){.frames = site->frames, .depth = site->depth});
    }
    resized.address = NULL; /* it would be found there, and the block taken for reachable */
    inside = false;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* A child made by vfork, which has our memory, ends for itself alone. */
void lab_track_end(uintptr_t stack) {
    if (inside || !is_tracking() || getpid() != owner) {
        return;
    }
    inside = true;
    list_modules();
    pthread_mutex_lock(&the_gate->lock);
    if (header->look_for_leaks != 0) {
        header->leaks = lab_leaks_find(&header->tracker, image_allocator(header), stack);
    }
    header->state = LAB_TRACK_ENDED;
    atomic_store(&the_gate->tracking, false);
    pthread_mutex_unlock(&the_gate->lock);
    inside = false;
}
