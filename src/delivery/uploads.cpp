#include "uploads.hpp"

#include <utility>

#include "engine.hpp"
#include "uplink.hpp"

namespace lihandover::delivery {

Uploads::Uploads(Engine& engine) : engine_(engine) {}

Uploads::~Uploads() = default;

Uplink& Uploads::uplink(const std::string& destination) {
    if (auto* found = find(destination)) {
        return *found;
    }
    auto made = std::make_shared<Uplink>(engine_, destination);
    {
        const std::lock_guard lock(boards_mutex_);
        boards_.emplace(destination, made->board());
    }
    return *uplinks_.emplace(destination, std::move(made)).first->second;
}

Uplink* Uploads::find(std::string_view destination) const {
    const auto found = uplinks_.find(destination);
    return found == uplinks_.end() ? nullptr : found->second.get();
}

void Uploads::configure(const std::string& destination, std::shared_ptr<const Target> target) {
    auto& one = uplink(destination);
    one.configure(std::move(target));
    one.kick();
}

void Uploads::leave(std::string_view destination) {
    if (auto* one = find(destination)) {
        one->leave();
    }
}

void Uploads::forget(const std::string& destination) {
    if (const auto found = uplinks_.find(destination); found != uplinks_.end()) {
        found->second->retire();
        uplinks_.erase(found);
    }
    const std::lock_guard lock(boards_mutex_);
    boards_.erase(destination);
}

bool Uploads::is_empty(std::string_view destination) const {
    const auto* one = find(destination);
    return one == nullptr || one->is_empty();
}

void Uploads::add(const std::string& destination, const store::QueuedObject& object) {
    uplink(destination).add(object);
}

void Uploads::withdraw(const model::Uuid& object) {
    // The store does not say whose it is, and destinations are few.
    for (const auto& [name, one] : uplinks_) {
        if (one->withdraw(object)) {
            return;
        }
    }
}

void Uploads::settled(const model::Uuid& object, store::Outcome outcome) {
    for (const auto& [name, one] : uplinks_) {
        one->settled(object, outcome);
    }
}

void Uploads::kick() {
    for (const auto& [name, one] : uplinks_) {
        one->kick();
    }
}

void Uploads::probe_now(std::string_view destination) {
    if (auto* one = find(destination)) {
        one->probe_now();
    }
}

void Uploads::cut(bool waiting) {
    for (const auto& [name, one] : uplinks_) {
        one->cut(waiting);
    }
}

void Uploads::retire() {
    for (const auto& [name, one] : uplinks_) {
        one->retire();
    }
}

UploadStatus Uploads::status(std::string_view destination) const {
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
