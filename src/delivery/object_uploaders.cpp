#include "object_uploaders.hpp"

#include <utility>

#include "dispatcher.hpp"
#include "object_uploader.hpp"

namespace lihandover::delivery {

ObjectUploaders::ObjectUploaders(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

ObjectUploaders::~ObjectUploaders() = default;

ObjectUploader& ObjectUploaders::uploader(const std::string& destination) {
    if (auto* found = find(destination)) {
        return *found;
    }
    auto made = std::make_shared<ObjectUploader>(dispatcher_, destination);
    {
        const std::lock_guard lock(boards_mutex_);
        boards_.emplace(destination, made->board());
    }
    return *uploaders_.emplace(destination, std::move(made)).first->second;
}

ObjectUploader* ObjectUploaders::find(std::string_view destination) const {
    const auto found = uploaders_.find(destination);
    return found == uploaders_.end() ? nullptr : found->second.get();
}

void ObjectUploaders::configure(const std::string& destination, std::shared_ptr<const Target> target) {
    auto& one = uploader(destination);
    one.configure(std::move(target));
    one.kick();
}

void ObjectUploaders::leave(std::string_view destination) {
    if (auto* one = find(destination)) {
        one->leave();
    }
}

void ObjectUploaders::forget(const std::string& destination) {
    if (const auto found = uploaders_.find(destination); found != uploaders_.end()) {
        found->second->retire();
        uploaders_.erase(found);
    }
    const std::lock_guard lock(boards_mutex_);
    boards_.erase(destination);
}

bool ObjectUploaders::is_empty(std::string_view destination) const {
    const auto* one = find(destination);
    return one == nullptr || one->is_empty();
}

void ObjectUploaders::add(const std::string& destination, const store::QueuedObject& object) {
    uploader(destination).add(object);
}

void ObjectUploaders::withdraw(const model::Uuid& object) {
    // The store does not say whose it is, and destinations are few.
    for (const auto& [name, one] : uploaders_) {
        if (one->withdraw(object)) {
            return;
        }
    }
}

void ObjectUploaders::settled(const model::Uuid& object, store::Outcome outcome) {
    for (const auto& [name, one] : uploaders_) {
        one->settled(object, outcome);
    }
}

void ObjectUploaders::kick() {
    for (const auto& [name, one] : uploaders_) {
        one->kick();
    }
}

void ObjectUploaders::probe_now(std::string_view destination) {
    if (auto* one = find(destination)) {
        one->probe_now();
    }
}

void ObjectUploaders::cut(bool waiting) {
    for (const auto& [name, one] : uploaders_) {
        one->cut(waiting);
    }
}

void ObjectUploaders::retire() {
    for (const auto& [name, one] : uploaders_) {
        one->retire();
    }
}

UploadStatus ObjectUploaders::status(std::string_view destination) const {
    std::shared_ptr<const StatusBoard> board;
    {
        const std::lock_guard lock(boards_mutex_);
        if (const auto found = boards_.find(destination); found != boards_.end()) {
            board = found->second;
        }
    }
    if (!board) {
        return {};
    }
    const auto from = board->read();
    return {from.waiting,      from.in_flight,    from.connections, from.paused,
            from.paused_since, from.next_attempt, from.last_success};
}

}  // namespace lihandover::delivery
