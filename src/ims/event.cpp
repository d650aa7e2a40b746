#include "lihandover/ims/event.hpp"

#include <cstring>

namespace lihandover::ims {

namespace {

// A message's identities, headers and text as they usually are.
constexpr std::size_t first_block = 2048;

}  // namespace

MadeEvent::MadeEvent() : texts_(std::make_unique<std::pmr::monotonic_buffer_resource>(first_block)) {}

std::string_view MadeEvent::keep(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    auto* copy = static_cast<char*>(texts_->allocate(text.size(), 1));
    std::memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
}

}  // namespace lihandover::ims
