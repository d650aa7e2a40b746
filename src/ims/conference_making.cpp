#include "conference_making.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "uri_key.hpp"

namespace lihandover::ims {

namespace {

// As long as events may have them.
constexpr std::size_t longest_title = 4096;
constexpr std::size_t longest_status = 128;

}  // namespace

ConferenceEvent::ConferenceEvent(const Take& take, model::EventType type, const Digest& id, std::string_view conference,
                                 std::string_view title)
    : take_(take), made_(make_event(take.origin(), type, id)) {
    set_conversation(made_, conference, "group");
    made_.event.conversation.title = keep_text(made_, title.substr(0, longest_title));
    made_.substance = text_of(id);
}

void ConferenceEvent::add(model::PartyRole role, const Uris& uris, std::string_view nickname) {
    const std::size_t before = made_.event.parties.size();
    add_party(made_, role, uris, nickname);
    last_ = made_.event.parties.size() > before ? std::optional(before) : std::nullopt;
}

void ConferenceEvent::add(model::PartyRole role, std::string_view uri, std::string_view nickname) {
    Uris uris;
    uris.add(uri);
    add(role, uris, nickname);
}

void ConferenceEvent::set_titles(std::string_view before, std::string_view after) {
    made_.event.conversation.previous_title = keep_text(made_, before.substr(0, longest_title));
    made_.event.conversation.title = keep_text(made_, after.substr(0, longest_title));
}

void ConferenceEvent::set_status(std::string_view status) {
    made_.event.status = keep_text(made_, status.substr(0, longest_status));
}

void ConferenceEvent::add_to_substance(std::string_view text) {
    made_.substance = text_of(Naming("substance").add(made_.substance).add(text).finish());
}

void ConferenceEvent::mark_watcher() {
    if (watcher_.empty() || take_.copy.direction != Direction::to_target) {
        return;
    }
    std::set<std::string> keys;
    for (const std::string_view uri : watcher_.list()) {
        keys.insert(user_key(uri));
    }
    for (std::size_t i = 0; i < made_.event.parties.size(); ++i) {
        const auto identifiers = made_.event.identifiers_of(made_.event.parties[i]);
        made_.targeted[i] = made_.targeted[i] || std::ranges::any_of(identifiers, [&keys](const auto& identifier) {
                                return keys.contains(user_key(identifier.value));
                            });
    }
}

void ConferenceEvent::finish() {
    if (made_.event.parties.empty()) {
        add_party(made_, model::PartyRole::member, watcher_);
    }
    if (made_.event.parties.empty()) {
        add_matched(made_, take_.copy);
    }
    if (made_.event.parties.empty()) {
        add(model::PartyRole::receiver, made_.event.conversation.id);
    }
    mark_ends(made_, take_.copy, from_, to_);
    mark_watcher();
    take_.add(std::move(made_));
}

}  // namespace lihandover::ims
