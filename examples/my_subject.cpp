/* SPDX-License-Identifier: MIT */
/* A whole plug-in for heaplab in C++17, explained in docs/your-allocator.md: blocks of a power of
 * two bytes, kept in one list for each size when they are freed. */
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

#include "subjects/subject.h"

namespace {

class Powers {
  public:
    static constexpr std::size_t least = 16, most = 4096, sizes = 9;

    explicit Powers(const lab_setup &setup)
        : backing_(setup.backing), bytes_(setup.bytes),
          memory_(static_cast<std::byte *>(th_allocator_alloc_aligned(backing_, bytes_, most))) {
        if (memory_ == nullptr) {
            throw std::bad_alloc();
        }
    }
    ~Powers() {
        th_allocator_free(backing_, memory_);
    }
    Powers(const Powers &) = delete;
    Powers &operator=(const Powers &) = delete;

    void *take(std::size_t bytes, std::size_t alignment) {
        if (bytes > most || alignment > most) {
            return nullptr;
        }
        std::uint8_t size = 0;
        while (least << size < bytes || least << size < alignment) {
            size++;
        }
        if (Link *link = free_[size]; link != nullptr) {
            free_[size] = link->next;
            return link;
        }
        return carve(size);
    }

    void give(void *block) {
        Link *&first = free_[size_of(block)];
        first = new (block) Link{first};
    }

    std::size_t usable(const void *block) {
        return least << size_of(block);
    }

  private:
    struct Link {
        Link *next;
    };

    /* At the end of what is used, aligned to its own size. */
    void *carve(std::uint8_t size) {
        std::size_t bytes = least << size;
        std::size_t at = (used_ + bytes - 1) / bytes * bytes;
        if (at > bytes_ || bytes > bytes_ - at) {
            return nullptr;
        }
        used_ = at + bytes;
        size_of(memory_ + at) = size;
        return memory_ + at;
    }

    std::uint8_t &size_of(const void *block) {
        return sizes_[static_cast<std::size_t>(static_cast<const std::byte *>(block) - memory_) /
                      least];
    }

    th_allocator backing_;
    std::size_t bytes_;
    std::byte *memory_;
    std::size_t used_ = 0;
    std::array<Link *, sizes> free_{};
    std::array<std::uint8_t, (std::size_t{1} << 20) / least> sizes_{}; /* of a budget: 1 MiB */
};

void *alloc(void *self, std::size_t bytes, std::size_t alignment) {
    return static_cast<Powers *>(self)->take(bytes, alignment);
}

void release(void *self, void *block) {
    static_cast<Powers *>(self)->give(block);
}

std::size_t usable_size(const void *self, const void *block) {
    return const_cast<Powers *>(static_cast<const Powers *>(self))->usable(block);
}

bool create(const lab_setup *setup, lab_instance *instance) try {
    static const th_allocator_table table = [] {
        th_allocator_table t{};
        t.alloc = alloc;
        t.free = release;
        t.usable_size = usable_size;
        return t;
    }();
    instance->state = new Powers(*setup);
    instance->allocator = {&table, instance->state};
    instance->bytes_max = Powers::most;
    instance->alignment_max = Powers::most;
    return true;
} catch (const std::bad_alloc &) {
    return false; /* the budget is too small */
}

void destroy(void *state) {
    delete static_cast<Powers *>(state);
}

lab_subject describe() {
    lab_subject subject{};
    subject.version = LAB_SUBJECT_VERSION;
    subject.name = "powers";
    subject.purpose = "an example in C++";
    subject.flags = LAB_SUBJECT_FREES | LAB_SUBJECT_WRITABLE;
    subject.create = create;
    subject.destroy = destroy;
    return subject;
}

} // namespace

const lab_subject lab_subject_export = describe();
