#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// What operators see and decide. Thread-safe. Calls that return values block on the disk.
class OperatorView {
  public:
    virtual ~OperatorView() = default;

    /// A page of items after `after` ({}: from the start), at most `limit`, of one state, or of all that wait when
    /// nullopt. ItemView::place of the last one is the next page's `after`. `delivered` and `rejected` come from the
    /// records, which do not know what was an emergency.
    [[nodiscard]] virtual model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, ListPlace after,
                                                                     std::size_t limit) = 0;
    /// One item, or one binary object that waits by itself, by its id; nullopt when unknown.
    [[nodiscard]] virtual model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) = 0;
    /// Several of these, each named once, by one look, which takes about `patience` at most. What is held, refused or
    /// set aside is always found; what is queued is looked for among all that is, and what has ended in the records,
    /// newest first.
    [[nodiscard]] virtual model::Result<Found> find_all(std::span<const model::Uuid> object_ids,
                                                        std::chrono::milliseconds patience) = 0;
    /// Records after `after`, oldest first.
    [[nodiscard]] virtual model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) = 0;
    /// By destination, of which something is queued. The first call looks at all that is queued, later ones at what
    /// changed.
    [[nodiscard]] virtual model::Result<std::map<std::string, OldestQueued, std::less<>>> oldest() = 0;

    /// When queued items were received, in the order of `rows`; nullopt of one that waits there no longer.
    [[nodiscard]] virtual model::Result<std::vector<std::optional<model::Instant>>> received(
        std::span<const RowId> rows) = 0;

    /// Items that are held since before `time`: at most 1,000 emergencies and 1,000 others are counted.
    [[nodiscard]] virtual model::Result<HeldLong> held_before(model::Instant time) = 0;
    /// A waiting item with its content; nullopt when none of this id waits. Whoever shows it to somebody calls shown()
    /// first.
    [[nodiscard]] virtual model::Result<std::optional<StoredItem>> content(const model::Uuid& object_id) = 0;
    /// Somebody is to see a waiting item's content: on record, durably, before he does. 0 items: it waits no longer,
    /// and there is no entry.
    ///   row   of what content() returned
    ///   what  of it, in words: the entry's why
    virtual void shown(RowId row, const model::Uuid& object_id, std::string who, std::string what, DoneCount done) = 0;

    /// An approval of held items. One that needed no more is queued now: it gets its correlation numbers, its place
    /// behind all that is queued, and its schema if that is due. Items that are not held are left out. An empty
    /// identity decides nothing. Where two people have to agree, the first one's word waits for the second's, and goes
    /// when somebody says the opposite, whose word is the first one then.
    virtual void approve(std::vector<model::Uuid> object_ids, Reviewer reviewer, DoneDecided done) = 0;
    /// Refused and set aside items go back to their place in the queue; binary objects in these states (by their own
    /// id, or that of their item) are pushed again. `who` and `why` of all decisions go into the records.
    virtual void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) = 0;
    /// The same for all of a destination, of one code where given.
    virtual void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                           DoneCount done) = 0;
    /// Ends waiting items, or binary objects that wait by themselves, without delivery; content goes at once. Held ones
    /// that need two people go by the second one's word, as with approve(). What became something else than what
    /// somebody saw and decided about (Meant::as) stays; so do the binary objects of an item that was delivered since.
    virtual void reject(std::vector<Meant> items, Reviewer reviewer, std::string why, DoneDecided done) = 0;
    /// Rejects that wait for a look at all that is queued, which may take minutes, fail soon, and further ones at once:
    /// for a stop. Does not block.
    virtual void end_searches() = 0;

    /// Pauses a destination until resume() (Register::pauses). One that is paused already stays as it is, and no entry
    /// is made.
    virtual void pause(std::string destination, std::string who, Done done) = 0;
    /// Ends pause(). One that is not paused stays as it is.
    virtual void resume(std::string destination, std::string who, Done done) = 0;
    /// An operator says that the wall clock is right (promise 13): on record, durably, before it counts. Blocks on a
    /// commit.
    [[nodiscard]] virtual model::Status clock_accepted(const std::string& who, const std::string& why) = 0;

    /// An operator knows what Statistics::restored says: on record, and said no longer. Blocks on a commit. The error
    /// says why it could not be done; where nothing is said, nothing is done.
    [[nodiscard]] virtual model::Status accept_restore(const std::string& who, const std::string& why) = 0;

    /// Exact as of the last commit.
    [[nodiscard]] virtual Statistics statistics() const = 0;
};

}  // namespace lihandover::store
