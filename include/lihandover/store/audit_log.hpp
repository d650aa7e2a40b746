#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lihandover/audit/chain.hpp"
#include "lihandover/audit/signature.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// The chain of audit entries, to be exported. Thread-safe. Calls that return results block on the disk.
class AuditLog {
  public:
    virtual ~AuditLog() = default;

    struct Settings {
        std::uint64_t checkpoint_entries = 10'000;  ///< about so many between two checkpoints
        std::chrono::seconds checkpoint_interval{600};
        std::string node;                              ///< this daemon's name
        std::shared_ptr<const audit::SigningKey> key;  ///< null: checkpoints are not signed
    };
    /// For checkpoints from now on.
    virtual void configure(Settings settings) = 0;

    /// The newest entry, as of the last commit.
    [[nodiscard]] virtual audit::Head head() const = 0;

    /// Where reading goes on: behind this entry.
    struct Place {
        std::uint64_t number = 0;
        audit::Hash hash{};
        RowId row = 0;
        std::uint64_t checkpoint = 0;  ///< the number of the last one up to here
    };
    struct Range {
        audit::Hash chain{};
        std::string node;
        Place from;
        audit::Head to;
        audit::Head head;  ///< of the whole chain
        /// What stands for all before the first entry; nullopt at the chain's beginning.
        std::optional<audit::Checkpoint> before;
    };
    /// Which entries there are; of a time, those between two checkpoints, so that what is read is proved at both ends:
    /// the last made before `since` and the first made at `until` or later, or as much farther apart as it takes to
    /// have every entry of the time between them, wherever steps of the clock have put it.
    [[nodiscard]] virtual model::Result<Range> range(std::optional<model::Instant> since,
                                                     std::optional<model::Instant> until) = 0;

    /// Hears what is read, in order; while the database is being read, so it must be quick.
    class Visitor {
      public:
        virtual ~Visitor() = default;
        /// False: that is enough for now.
        [[nodiscard]] virtual bool entry(const audit::Recorded& recorded) = 0;
        virtual void checkpoint(const audit::Checkpoint& checkpoint) = 0;
    };
    struct Read {
        Place place;
        bool ended = false;  ///< there is nothing more up to `to`
    };
    /// Reads about `limit` entries from a place on, up to number `to`. Hashes are computed from what the rows say; a
    /// checkpoint is told with the hash that is stored, and what follows it goes on from there: so rows that somebody
    /// changed are found by verification, between two checkpoints. Fails where retention has removed entries behind
    /// `from` meanwhile.
    [[nodiscard]] virtual model::Result<Read> read(const Place& from, std::uint64_t to, std::size_t limit,
                                                   Visitor& visitor) = 0;

    /// Records that another daemon's chain has this head: an entry, so that each is witness for the other. Blocks on a
    /// commit.
    [[nodiscard]] virtual model::Status record_head(const audit::Hash& chain, const audit::Head& head,
                                                    const std::string& who) = 0;
};

}  // namespace lihandover::store
