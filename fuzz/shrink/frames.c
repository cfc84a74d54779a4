/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include "shrink/frames.h"

#include <string.h>

#if defined(__GLIBC__) && defined(__GNUC__)
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void lab_frames_prepare(void) {
    void *frame;
    (void)backtrace(&frame, 1);
}

int lab_frames_take(void *frames[LAB_FRAMES_MAX]) {
    return backtrace(frames, LAB_FRAMES_MAX);
}

/* The file of an object, and where in it an address lies. */
typedef struct place {
    const char *path;
    ElfW(Addr) at;
} place;

static bool find_place(void *address, place *out) {
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) {
        return false;
    }
    out->path = map->l_name[0] != '\0' ? map->l_name : "/proc/self/exe";
    out->at = (ElfW(Addr))(uintptr_t)address - map->l_addr;
    return true;
}

/* Of a function of the program's: a sanitizer that is linked into it stands in for the library's.
 */
static bool is_of_a_tool(const char *name) {
    static const char *const beginnings[] = {"__interceptor_", "___interceptor_", "__asan_",
                                             "__sanitizer_",   "__ubsan_",        "__msan_"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_the_system(const place *p) {
    static const char *const names[] = {"libc.", "libc-", "libpthread", "libgcc_s", "ld-"};
    const char *slash = strrchr(p->path, '/');
    const char *name = slash != NULL ? slash + 1 : p->path;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* A file as bytes; `take` gives NULL for what does not lie in it. */
typedef struct image {
    const unsigned char *bytes;
    size_t size;
} image;

static const void *take(const image *from, size_t offset, size_t size) {
    return offset <= from->size && size <= from->size - offset ? from->bytes + offset : NULL;
}

/* The function in one symbol table. */
static bool find_symbol(const image *file, const ElfW(Shdr) * table, const ElfW(Shdr) * names,
                        ElfW(Addr) at, char name[LAB_FUNCTION_BYTES_MAX]) {
    const ElfW(Sym) *symbols = take(file, table->sh_offset, table->sh_size);
    const char *texts = take(file, names->sh_offset, names->sh_size);
    size_t count = symbols != NULL && texts != NULL ? table->sh_size / sizeof *symbols : 0;
    for (size_t i = 0; i < count; i++) {
        const ElfW(Sym) *s = &symbols[i];
        if ((s->st_info & 0xF) == STT_FUNC && s->st_shndx != SHN_UNDEF && at >= s->st_value &&
            at - s->st_value < s->st_size && s->st_name < names->sh_size) {
            size_t most = names->sh_size - s->st_name;
            size_t size = strnlen(texts + s->st_name, most);
            size = size < LAB_FUNCTION_BYTES_MAX ? size : LAB_FUNCTION_BYTES_MAX - 1;
            memcpy(name, texts + s->st_name, size);
            name[size] = '\0';
            return true;
        }
    }
    return false;
}

/* The whole table, or in a stripped file the one for the loader. */
static bool search(const image *file, ElfW(Addr) at, char name[LAB_FUNCTION_BYTES_MAX]) {
    const ElfW(Ehdr) *head = take(file, 0, sizeof *head);
    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) {
        return false;
    }
    const ElfW(Shdr) *sections =
        take(file, head->e_shoff, (size_t)head->e_shnum * sizeof(ElfW(Shdr)));
    for (unsigned i = 0; sections != NULL && i < head->e_shnum; i++) {
        const ElfW(Shdr) *s = &sections[i];
        if ((s->sh_type == SHT_SYMTAB || s->sh_type == SHT_DYNSYM) && s->sh_link < head->e_shnum &&
            find_symbol(file, s, &sections[s->sh_link], at, name)) {
            return true;
        }
    }
    return false;
}

static bool name_place(const place *p, char name[LAB_FUNCTION_BYTES_MAX]) {
    struct stat status;
    bool found = false;
    int descriptor = open(p->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
        size_t size = (size_t)status.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (bytes != MAP_FAILED) {
            const image file = {bytes, size};
            found = search(&file, p->at, name);
            (void)munmap(bytes, size);
        }
    }
    (void)close(descriptor);
    return found;
}

/* The handler, perhaps a sanitizer's interceptor, the C library's way out of the handler; then the
 * instruction that the signal struck, and above it the addresses of what comes after calls. */
bool lab_frames_name(void *const *frames, int count, char name[LAB_FUNCTION_BYTES_MAX]) {
    place p;
    int i = 0;
    while (i < count && !(find_place(frames[i], &p) && is_of_the_system(&p))) {
        i++;
    }
    for (int first = ++i; i < count; i++) {
        bool known = find_place((char *)frames[i] - (i > first ? 1 : 0), &p);
        if (known && !is_of_the_system(&p) && name_place(&p, name) && !is_of_a_tool(name)) {
            return true;
        }
    }
    return false;
}

#else /* no backtrace, or a compiler that cannot read link.h: no frame has a name */

void lab_frames_prepare(void) {}

int lab_frames_take(void *frames[LAB_FRAMES_MAX]) {
    (void)frames;
    return 0;
}

bool lab_frames_name(void *const *frames, int count, char name[LAB_FUNCTION_BYTES_MAX]) {
    (void)frames;
    (void)count;
    name[0] = '\0';
    return false;
}

#endif
