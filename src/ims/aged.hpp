#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "table_key.hpp"

namespace lihandover::ims {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Where a thing is in an AgedList; valid until it is removed.
using Slot = std::uint32_t;
inline constexpr Slot no_slot = 0xFFFF'FFFF;

/// Things in the order in which they were last touched. Each stays where it is in memory.
template <typename Value>
class AgedList {
  public:
    Slot add(Value value, SteadyTime now) {
        Slot slot = free_;
        if (slot == no_slot) {
            slot = static_cast<Slot>(nodes_.size());
            nodes_.emplace_back();
        } else {
            free_ = nodes_[slot].next;
        }
        nodes_[slot].value = std::move(value);
        append(slot, now);
        ++size_;
        return slot;
    }
    void touch(Slot slot, SteadyTime now) {
        take_out(slot);
        append(slot, now);
    }
    void remove(Slot slot) {
        take_out(slot);
        nodes_[slot].value = Value();
        nodes_[slot].next = free_;
        free_ = slot;
        --size_;
    }
    [[nodiscard]] Value& operator[](Slot slot) { return nodes_[slot].value; }
    [[nodiscard]] const Value& operator[](Slot slot) const { return nodes_[slot].value; }
    [[nodiscard]] SteadyTime touched(Slot slot) const { return nodes_[slot].at; }
    /// The one that was not touched for longest; no_slot if there is none.
    [[nodiscard]] Slot oldest() const { return oldest_; }
    /// The one that was touched next; no_slot after the last.
    [[nodiscard]] Slot after(Slot slot) const { return nodes_[slot].next; }
    [[nodiscard]] std::size_t size() const { return size_; }
    /// When the oldest was touched `after` ago.
    [[nodiscard]] std::optional<SteadyTime> due(std::chrono::milliseconds after) const {
        return oldest_ == no_slot ? std::nullopt : std::optional(nodes_[oldest_].at + after);
    }
    /// The oldest, if that was `after` ago or longer.
    [[nodiscard]] Slot due_at(SteadyTime now, std::chrono::milliseconds after) const {
        return oldest_ != no_slot && nodes_[oldest_].at + after <= now ? oldest_ : no_slot;
    }

  private:
    struct Node {
        Value value{};
        SteadyTime at;
        Slot previous = no_slot;
        Slot next = no_slot;
    };
    void append(Slot slot, SteadyTime now) {
        nodes_[slot].at = now;
        nodes_[slot].previous = newest_;
        nodes_[slot].next = no_slot;
        (newest_ == no_slot ? oldest_ : nodes_[newest_].next) = slot;
        newest_ = slot;
    }
    void take_out(Slot slot) {
        const Node& node = nodes_[slot];
        (node.previous == no_slot ? oldest_ : nodes_[node.previous].next) = node.next;
        (node.next == no_slot ? newest_ : nodes_[node.next].previous) = node.previous;
    }

    std::deque<Node> nodes_;
    Slot oldest_ = no_slot;
    Slot newest_ = no_slot;
    Slot free_ = no_slot;
    std::size_t size_ = 0;
};

/// The same, found by a key.
template <typename Value>
class AgedTable {
  public:
    [[nodiscard]] Value* find(const TableKey& key) {
        const auto found = index_.find(key);
        return found == index_.end() ? nullptr : &list_[found->second].value;
    }
    /// `key` is not there.
    Value& add(const TableKey& key, Value value, SteadyTime now) {
        const Slot slot = list_.add({key, std::move(value)}, now);
        index_.emplace(key, slot);
        return list_[slot].value;
    }
    void touch(const TableKey& key, SteadyTime now) {
        if (const auto found = index_.find(key); found != index_.end()) {
            list_.touch(found->second, now);
        }
    }
    void remove(const TableKey& key) {
        if (const auto found = index_.find(key); found != index_.end()) {
            list_.remove(found->second);
            index_.erase(found);
        }
    }
    [[nodiscard]] std::size_t size() const { return list_.size(); }
    [[nodiscard]] std::optional<SteadyTime> due(std::chrono::milliseconds after) const { return list_.due(after); }

    struct Entry {
        TableKey key;
        Value value{};
    };
    /// Null if there is none.
    [[nodiscard]] Entry* oldest() { return list_.oldest() == no_slot ? nullptr : &list_[list_.oldest()]; }
    [[nodiscard]] Entry* due_at(SteadyTime now, std::chrono::milliseconds after) {
        const Slot slot = list_.due_at(now, after);
        return slot == no_slot ? nullptr : &list_[slot];
    }
    /// The keys of those that `is_meant`, oldest first. Looks at all of them.
    template <typename IsMeant>
    [[nodiscard]] std::vector<TableKey> keys_of(IsMeant is_meant) const {
        std::vector<TableKey> keys;
        for (Slot slot = list_.oldest(); slot != no_slot; slot = list_.after(slot)) {
            if (is_meant(list_[slot].value)) {
                keys.push_back(list_[slot].key);
            }
        }
        return keys;
    }
    /// Forgets what is too old, or too much.
    void trim(SteadyTime now, std::chrono::milliseconds after, std::size_t most) {
        while (size() > most || list_.due_at(now, after) != no_slot) {
            const TableKey key = oldest()->key;
            remove(key);
        }
    }

  private:
    AgedList<Entry> list_;
    boost::unordered_flat_map<TableKey, Slot, TableKeyHash> index_;
};

}  // namespace lihandover::ims
