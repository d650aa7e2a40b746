#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "lihandover/intake/x2x3/pdu.hpp"

namespace lihandover::intake {

/// Looks for gaps in the sequence numbers of a source's PDUs (TS 103 221-2 5.3.9). Each context (XID, domain, network
/// function, point of interception, correlation; X2 and X3 apart) counts from 0 by one, and after 2^32-1 comes 0.
///
/// Some points count over all their tasks instead. Then a number that is ahead in its context is the next one of its
/// point, and no gap. That is told from coincidence by what else the point sends.
///
/// A context that comes over several connections may come out of order: what is missing then is a gap only if it has
/// not come within `patience`. A number that was there before, or lower ones, are no gaps: PDUs come twice when a point
/// connects anew, and there is no sign of its restart.
///
/// Not thread-safe.
class SequenceCheck {
  public:
    using Time = std::chrono::steady_clock::time_point;
    using Connection = std::uint64_t;

    /// `most` contexts are remembered, the ones seen last.
    explicit SequenceCheck(std::size_t most = 200'000);

    /// Takes a PDU with a number. Returns the gaps that it shows.
    ///   known  whether a warrant lists its task: of other tasks nothing is remembered but the point's last number
    std::size_t take(const Pdu& pdu, bool known, Connection connection, Time now);
    /// Gaps whose patience is over. Call it now and then.
    std::size_t expire(Time now);

    static constexpr std::chrono::seconds patience{5};
    /// Holes that are waited for at a time; beyond, they count at once.
    static constexpr std::size_t max_waiting = 1024;

    [[nodiscard]] std::size_t contexts() const { return recent_.size() + older_.size(); }

  private:
    using Key = std::array<std::uint64_t, 2>;
    struct HashOfKey {
        std::size_t operator()(const Key& key) const { return key[0]; }
    };
    struct Context {
        std::uint32_t next = 0;
        Connection connection = 0;
    };
    /// A point of interception, over all its tasks.
    struct Point {
        std::uint32_t next = 0;
        bool begun = false;
        // What speaks for counting over all tasks, and for counting in contexts.
        std::uint8_t over_all = 0;
        std::uint8_t by_context = 0;
    };
    struct Hole {
        Key key{};
        std::uint32_t first = 0;
        std::uint32_t size = 0;
        Time since;
    };
    using Contexts = std::unordered_map<Key, Context, HashOfKey>;

    [[nodiscard]] Key key_of(const Pdu& pdu, bool of_point) const;
    /// Null for a new one.
    Context* find(const Key& key);
    void remember(const Key& key, std::uint32_t number, Connection connection);
    std::size_t open_hole(const Key& key, std::uint32_t first, std::uint32_t size, Time now);
    void fill(const Key& key, std::uint32_t number);
    Point& point_of(const Pdu& pdu);

    std::array<unsigned char, 16> secret_{};  ///< of the hashes, so that nobody can make keys collide
    std::size_t most_;
    // Two generations: when the recent one is full, it becomes the older one, and what that had is forgotten.
    Contexts recent_;
    Contexts older_;
    std::unordered_map<Key, Point, HashOfKey> points_;
    std::vector<Hole> holes_;
};

}  // namespace lihandover::intake
