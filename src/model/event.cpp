#include "lihandover/model/event.hpp"

#include <algorithm>

namespace lihandover::model {

namespace {

template <typename Enum, std::size_t size>
std::optional<Enum> find_name(const std::array<std::string_view, size>& names, std::string_view name) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::optional<IdentifierType> parse_identifier_type(std::string_view name) {
    return find_name<IdentifierType>(identifier_type_names, name);
}

std::optional<EventType> parse_event_type(std::string_view name) {
    return find_name<EventType>(event_type_names, name);
}

void Event::clear() {
    event_id = {};
    service = {};
    type = {};
    timestamp.reset();
    refers_to = {};
    status = {};
    has_conversation = false;
    conversation = {};
    has_content = false;
    content_type = {};
    text = {};
    location.reset();
    device.clear();
    network.clear();
    parameters.clear();
    parties.clear();
    identifiers.clear();
    attachments.clear();
}

}  // namespace lihandover::model
