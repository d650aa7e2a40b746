// Memory that an object of this program lets go of is overwritten before anybody else gets it: content is in strings
// and buffers all over the rooms, and each of them would have to be remembered. What is not of C++ (OpenSSL, libxml2,
// SQLite) has memory of its own; docs/store.md says what stays there. Not below a sanitizer, which brings its own.

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

template <typename Try>
void* allocate(const Try& attempt) {
    while (true) {
        if (void* const memory = attempt()) {
            return memory;
        }
        const std::new_handler handler = std::get_new_handler();
        if (handler == nullptr) {
            throw std::bad_alloc();
        }
        handler();
    }
}

void release(void* memory) noexcept {
    if (memory != nullptr) {
        explicit_bzero(memory, malloc_usable_size(memory));
        std::free(memory);
    }
}

}  // namespace

// The other forms, of arrays and without exceptions, call these.

void* operator new(std::size_t size) {
    return allocate([size] { return std::malloc(size == 0 ? 1 : size); });
}

void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate([size, alignment] {
        void* memory = nullptr;
        return posix_memalign(&memory, static_cast<std::size_t>(alignment), size) == 0 ? memory : nullptr;
    });
}

void operator delete(void* memory) noexcept {
    release(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
    release(memory);
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
    release(memory);
}
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
    release(memory);
}
