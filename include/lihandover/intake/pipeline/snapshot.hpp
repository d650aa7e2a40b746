#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/model/identifier.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/store/types.hpp"
#include "lihandover/warrants/index.hpp"

namespace lihandover::intake {

/// How binary objects reach the LEA of a destination (destinations.*.binary). Each object's URL is `url_prefix`, the
/// object's UUID in lower case, `url_suffix`:
///   Model A   prefix objectserver.public_url (which ends with a slash), no suffix
///   Model B   the parts of binary.url_template before and after `{object_identifier}`
struct BinaryRoute {
    model::BinaryModel model{};
    std::string url_prefix;
    std::string url_suffix;
    std::chrono::seconds lifetime{};   ///< binary.expiry, cut to whole seconds
    bool remove_when_fetched = false;  ///< binary.remove_when_fetched (Model A)
};

/// Where the items of one warrant go, as the store said when the warrant came into force.
struct Route {
    store::LaneId lane = 0;
    store::ProfileId profile = 0;
    store::SchemaContent schema_content = store::SchemaContent::first;
    /// Of the warrant's destination, one for all its warrants; null if the destination takes no binary objects.
    std::shared_ptr<const BinaryRoute> binary = nullptr;
};

/// Bounds of what a source may send (options under `intake`).
struct Limits {
    std::size_t max_event_size = std::size_t{1} << 20;     ///< bytes of one event's JSON
    std::size_t max_request_size = std::size_t{16} << 20;  ///< bytes of one body
    std::chrono::milliseconds max_future{std::chrono::minutes(5)};
    std::uint64_t max_object_size = std::uint64_t{8} << 30;        ///< bytes of one uploaded or named object
    std::chrono::milliseconds object_wait{std::chrono::hours(1)};  ///< an uploaded object no event names goes then
    std::chrono::milliseconds attachment_grace{std::chrono::minutes(10)};  ///< a named file stays in place so long
    /// Answers to events leave at multiples of this, counted from any fixed moment; 0: as soon as they can.
    std::chrono::milliseconds answer_interval{0};
    /// A request is answered within this time of its last byte, with 503 if need be.
    std::chrono::milliseconds answer_timeout{std::chrono::seconds(15)};
};

/// Everything that decides what happens to an event, as of one reload. Immutable once published, shared by threads.
struct Snapshot {
    std::shared_ptr<const warrants::Index> index;
    /// routes[i] belongs to index->warrants()[i]; both have the same length.
    std::vector<Route> routes;
    /// How sources write national numbers (intake.http[].numbers), by the source's name.
    std::map<std::string, model::NumberPlan, std::less<>> numbers;
    /// Names below `parameters` that count as metadata (intake.metadata_parameters).
    std::vector<std::string> metadata_parameters;
    Limits limits;
    bool review = false;  ///< a warrant of the index holds its items until people have decided
    /// The state of the warrants in the store that this is made of (store::WarrantSets); nullopt: they are files here.
    std::optional<std::uint64_t> warrants = std::nullopt;

    /// Null for a source that says nothing about its numbers.
    [[nodiscard]] const model::NumberPlan* numbers_of(std::string_view source) const {
        const auto found = numbers.find(source);
        return found == numbers.end() ? nullptr : &found->second;
    }
};

/// The snapshot in force. Thread-safe: a reload publishes from its thread, intake takes it again for every stretch of
/// work. Work that has started ends with the snapshot it started with, and keeps it until its items are on disk or
/// given up.
class CurrentSnapshot {
  public:
    /// `first` is never null, nor is any later one, nor is their index.
    explicit CurrentSnapshot(std::shared_ptr<const Snapshot> first) : snapshot_(std::move(first)) {}

    void publish(std::shared_ptr<const Snapshot> next) {
        const std::lock_guard lock(mutex_);
        std::erase_if(earlier_, [](const auto& one) { return one.expired(); });
        earlier_.push_back(snapshot_);
        snapshot_.swap(next);
    }
    /// Whether no work is under way any more that was started with an earlier one.
    [[nodiscard]] bool is_alone() const {
        const std::lock_guard lock(mutex_);
        return std::ranges::all_of(earlier_, [](const auto& one) { return one.expired(); });
    }
    [[nodiscard]] std::shared_ptr<const Snapshot> get() const {
        const std::lock_guard lock(mutex_);
        return snapshot_;
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<std::weak_ptr<const Snapshot>> earlier_;
};

}  // namespace lihandover::intake
