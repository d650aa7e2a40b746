#include "object_uploaders.hpp"

#include <utility>

namespace lihandover::delivery {

ObjectUploaders::ObjectUploaders(UploaderParts parts) : parts_(std::move(parts)) {}

ObjectUploaders::~ObjectUploaders() = default;

ObjectUploader& ObjectUploaders::uploader(const std::string& destination) {
    if (auto* found = find(destination)) {
        return *found;
    }
    auto made = std::make_shared<ObjectUploader>(parts_, destination);
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

void ObjectUploaders::add(const std::string& destination, const store::QueuedObject& object, bool set_aside) {
    uploader(destination).add(object, set_aside);
}

void ObjectUploaders::take_over(const std::string& destination, const store::QueuedObject& object, bool set_aside) {
    uploader(destination).take_over(object, set_aside);
}

void ObjectUploaders::lose(const store::LostLanes& lost) {
    for (const auto& [name, one] : uploaders_) {
        one->lose(lost);
    }
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

void ObjectUploaders::pause(std::string_view destination) {
    if (auto* one = find(destination)) {
        one->pause();
    }
}

void ObjectUploaders::resume(std::string_view destination) {
    if (auto* one = find(destination)) {
        one->resume();
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
    auto from = board->read();
    UploadStatus status;
    status.waiting = from.waiting;
    status.running = from.in_flight;
    status.connections = from.connections;
    status.connection_limit = from.connection_limit;
    status.paused = from.paused;
    status.paused_since = from.paused_since;
    status.next_attempt = from.next_attempt;
    status.last_success = from.last_success;
    status.suspects = std::move(from.suspects);
    status.set_aside = std::move(from.set_aside);
    status.set_aside_count = from.set_aside_count;
    status.wasted_bytes = board->wasted_bytes.load(std::memory_order_relaxed);
    return status;
}

}  // namespace lihandover::delivery
