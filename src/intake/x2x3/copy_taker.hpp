#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lihandover/ims/tracker.hpp"
#include "lihandover/intake/x2x3/pdu.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "x2x3/inbox.hpp"

namespace lihandover::intake {

/// An event that copies made.
struct TaskEvent {
    ims::MadeEvent made;
    /// Other tasks of the same PDU of which the event was taken before.
    std::vector<model::Uuid> earlier;
    std::size_t bytes = 0;  ///< of the PDU
};

/// What a stretch of copies came to: all of it belongs into one commit.
struct TakenCopies {
    std::vector<TaskEvent> events;
    store::KeptChanges changes;
    std::array<std::uint64_t, metrics::pdu_outcome_names.size()> pdus{};
    std::vector<std::string_view> remarks;  ///< each once
    std::size_t bytes = 0;                  ///< of the copies, one for each task; at a start of those with an event
    bool more = false;                      ///< it is enough for one commit: what is left is taken by another call
    /// Why a copy could not be taken; it and those after it are taken by another call.
    std::optional<std::string> problem;
};

/// Where a stretch of copies goes on.
struct CopyPlace {
    std::size_t piece = 0;
    std::size_t entry = 0;
    std::size_t xid = 0;               ///< of the entry's
    std::vector<model::Uuid> earlier;  ///< of the entry's, of which the event was taken
    bool made_event = false;           ///< one of them did
    bool repeated = false;             ///< one of them had come before
    bool malformed = false;
};

/// Passes copies of PDUs to the tracker, and says which copies are to be kept and let go. One thread at a time; blocks
/// on the disk.
class CopyTaker {
  public:
    using SteadyTime = ims::Tracker::SteadyTime;

    struct Options {
        ims::TrackerOptions tracker;
        /// Bytes of kept copies of messages. Beyond, what is unfinished goes out as it is, the message of which nothing
        /// has come for longest first.
        std::uint64_t most_kept = UINT64_MAX;
    };

    CopyTaker(Options options, ims::Spools& spools)
        : tracker_(std::move(options.tracker), spools), most_kept_(options.most_kept) {}

    /// Takes up a copy that was kept before the daemon last ended. All of them, in their order, before anything else.
    void take_kept(store::KeptCopy copy, SteadyTime now, TakenCopies& out);

    /// Takes the pieces' PDUs from `place` on, and moves it to their end; or to the one that could not be taken
    /// (TakenCopies::problem), or that belongs into another commit (TakenCopies::more).
    void take(const Inbox::Pieces& pieces, SteadyTime now, CopyPlace& place, TakenCopies& out);

    /// Forgets tasks, of which copies have come. They were under a warrant then; what comes of a task whose last
    /// warrant went in the meantime is new, should it be under one again.
    ///   is_meant   which
    void forget(const std::function<bool(const model::Uuid&)>& is_meant, SteadyTime now, TakenCopies& out);

    /// Messages that stayed incomplete, and sessions that were idle.
    void expire(SteadyTime now, TakenCopies& out);
    /// When to call it.
    [[nodiscard]] std::optional<SteadyTime> due() const { return tracker_.due(); }

    void set_options(Options options) {
        tracker_.set_options(std::move(options.tracker));
        most_kept_ = options.most_kept;
    }
    [[nodiscard]] std::size_t sessions() const { return tracker_.sessions(); }
    [[nodiscard]] std::uint64_t unfinished_bytes() const { return tracker_.unfinished_bytes(); }

  private:
    struct Changes;
    /// A copy that a session or a message needs.
    struct KeptPart {
        std::uint64_t id = 0;
        std::size_t bytes = 0;  ///< counted where a message needs it
    };

    bool take_pdu(const Pdu& pdu, const Piece& piece, const Piece::Entry& entry, SteadyTime now, CopyPlace& place,
                  TakenCopies& out, Changes& changes);
    void keep_copy(const ims::Copy& copy, Changes& changes);
    ///   counted   bytes of it that giving out messages can free
    void keep(std::uint64_t owner, std::string bytes, std::size_t counted, Changes& changes);
    /// Notes who needs a copy of so many bytes that was kept before. Returns how many do.
    std::size_t take_over(std::uint64_t id, std::size_t bytes);
    void let_go(Changes& changes);
    void give_out(SteadyTime now, TakenCopies& out, Changes& changes);
    static void note_remarks(const ims::Made& made, TakenCopies& out);

    ims::Tracker tracker_;
    ims::Made made_;
    ims::Tasks tasks_;  ///< that copies came of, and that were not forgotten
    /// Kept copies by what needs them.
    std::unordered_map<std::uint64_t, std::vector<KeptPart>> kept_;
    /// Of kept copies that several need: how many still do.
    std::unordered_map<std::uint64_t, std::size_t> shared_;
    std::uint64_t kept_bytes_ = 0;  ///< of messages
    std::uint64_t most_kept_;
    std::uint64_t next_id_ = 1;
};

}  // namespace lihandover::intake
