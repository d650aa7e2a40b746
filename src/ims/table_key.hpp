#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "lihandover/model/uuid.hpp"

namespace lihandover::ims {

/// Stands for what it was made of, in tables in memory: 128 bits that nobody who does not know the tracker's secret can
/// make collide. Never stored, and no event is named by it.
struct TableKey {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    friend bool operator==(const TableKey&, const TableKey&) = default;
};

struct TableKeyHash {
    using is_avalanching = void;  // for Boost: its bits are random already
    std::size_t operator()(const TableKey& key) const noexcept { return key.first; }
};

/// What keys are made with: random, one per tracker.
struct TableSecret {
    std::array<std::uint64_t, 4> words{};
    /// How often a task was forgotten, where it was; by task_key(). Its keys are others from then on, so that nothing
    /// that was remembered before is found again, whatever table it is in.
    boost::unordered_flat_map<TableKey, std::uint64_t, TableKeyHash> forgotten;

    [[nodiscard]] static TableKey task_key(const model::Uuid& xid) {
        TableKey key;
        std::memcpy(&key.first, xid.bytes.data(), sizeof key.first);
        std::memcpy(&key.second, xid.bytes.data() + sizeof key.first, sizeof key.second);
        return key;
    }
    [[nodiscard]] static TableSecret random() {
        TableSecret secret;
        model::random_bytes(secret.words.data(), sizeof secret.words);
        return secret;
    }
};

/// Makes a key of a list of parts.
class KeyMaker {
  public:
    /// `kind` keeps keys of different tables apart.
    KeyMaker(const TableSecret& secret, std::uint64_t kind)
        : secret_(secret), first_(secret.words[0] ^ kind), second_(secret.words[1] + kind) {}

    KeyMaker& add(std::uint64_t part) {
        first_ = mixed(first_ ^ part, secret_.words[2] ^ part << 32U);
        second_ = mixed(second_ ^ part, secret_.words[3] + first_);
        return *this;
    }
    KeyMaker& add(const TableKey& part) { return add(part.first).add(part.second); }
    /// A task, as it is known since it was last forgotten.
    KeyMaker& add(const model::Uuid& xid) {
        const TableKey task = TableSecret::task_key(xid);
        add(task);
        if (!secret_.forgotten.empty()) {
            if (const auto found = secret_.forgotten.find(task); found != secret_.forgotten.end()) {
                add(found->second);
            }
        }
        return *this;
    }
    KeyMaker& add(std::string_view part) {
        add(std::uint64_t{part.size()});
        std::size_t at = 0;
        for (; part.size() - at >= 16; at += 16) {
            const std::uint64_t left = word(part.data() + at, 8);
            const std::uint64_t right = word(part.data() + at + 8, 8);
            first_ = mixed(left ^ secret_.words[2], right ^ first_);
            second_ = mixed(left ^ second_, right ^ secret_.words[3]);
        }
        for (; at < part.size(); at += 8) {
            add(word(part.data() + at, part.size() - at < 8 ? part.size() - at : 8));
        }
        return *this;
    }
    [[nodiscard]] TableKey finish() const {
        return {mixed(first_ ^ secret_.words[1], second_ ^ secret_.words[2]),
                mixed(second_ ^ secret_.words[0], first_ ^ secret_.words[3])};
    }

  private:
    static std::uint64_t word(const void* from, std::size_t size) {
        std::uint64_t value = 0;
        std::memcpy(&value, from, size);
        return value;
    }
    /// 64 x 64 bits multiplied and folded.
    static std::uint64_t mixed(std::uint64_t left, std::uint64_t right) {
        __extension__ using Wide = unsigned __int128;
        const Wide product = static_cast<Wide>(left) * right;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U) ^ left;
    }

    const TableSecret& secret_;
    std::uint64_t first_;
    std::uint64_t second_;
};

}  // namespace lihandover::ims
