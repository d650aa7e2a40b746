#include "allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t count = 0;

}  // namespace

namespace lihandover::intake::testing {

std::size_t allocations() {
    return count;
}

}  // namespace lihandover::intake::testing

void* operator new(std::size_t size) {
    ++count;
    if (void* const memory = std::malloc(size)) {  // NOLINT(cppcoreguidelines-no-malloc): what there is below new
        return memory;
    }
    throw std::bad_alloc();
}
// simdjson's, given back by the plain delete below.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    ++count;
    return std::malloc(size);  // NOLINT(cppcoreguidelines-no-malloc): what there is below new
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
