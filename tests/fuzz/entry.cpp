// What Clang's engine calls.

#include "fuzz.hpp"

// NOLINTNEXTLINE(readability-identifier-naming): the engine's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lihandover::fuzz::try_input(data, size);
    return 0;
}
