#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/intake/pipeline/fault.hpp"
#include "lihandover/intake/pipeline/file_copier.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

// What every door of intake passes its events to: one event in, one outcome out. A door reads what its sources send,
// makes a model::Event of it and answers. Which warrants it falls under, which items are made of it and what is written
// for the others is decided here, and no door learns it (promise 7).
//
// How a door works:
//
//     Group group(pipeline);
//     for each event that there is:
//         const Moment now = pipeline.now();
//         group.take(event, size, now);                        // or co_await group.take(event, size, objects, now)
//         if (group.is_full())  co_await group.commit();
//     co_await group.commit();                                 // now all of them are on disk, and may be answered
//
// A door that answers each request makes a group per request. A door with long-lived connections, whose peers get no
// answers, makes one per connection and commits when it has read all that has arrived. While commit() waits for the
// store the door reads nothing more, which is the back-pressure.

// An event of an X2/X3 task belongs to the warrants that list the task, and its source gets no answer:
//
//     group.take(event, size, task, now);     // or co_await group.take(event, size, task, objects, now)
//     while (co_await group.commit(std::exchange(changes, {})) == Outcome::Kind::unavailable)  wait a little
//
// Since nobody can learn anything from answers that there are none of, promise 7 does not concern it: nothing is done
// for warrants that do not list the task. All other promises hold as for every door.

/// What pipelines work with; all of it outlives them.
struct PipelineParts {
    store::ItemIntake& items;
    store::ObjectIntake& objects;
    const CurrentSnapshot& snapshot;
    const model::Clock& clock;
    /// Where blocking calls run: sealing of binary objects. A thread pool.
    boost::asio::any_io_executor workers;
    /// Copies the files that events name; null if none can be named (intake.attachment_root is not set).
    FileCopier* copier = nullptr;
    /// For doors that keep copies; null for others.
    store::KeptCopies* kept = nullptr;
};

/// What the copy of an X2/X3 task says of the event that was made of it.
struct TaskMatch {
    model::Uuid xid;
    /// XIDs of the same copy of which the event was taken before: a warrant that lists one of them has its item.
    std::span<const model::Uuid> earlier = {};  // NOLINT(readability-redundant-member-init): as in store/types.hpp
    /// [n]: party n is the target; null where none is known to be.
    const std::vector<bool>* targeted = nullptr;
    /// What the event is to itself, the same in every copy of it: with another one its id was used again, for another
    /// event.
    std::string_view substance = {};  // NOLINT(readability-redundant-member-init)
};

/// What an event, or a few of them, are judged by: taken once for a stretch of work that does not suspend.
struct Moment {
    std::shared_ptr<const Snapshot> snapshot;    ///< never null
    const model::NumberPlan* numbers = nullptr;  ///< of the snapshot: how the source writes national numbers
    model::Instant received_at;
    model::Instant trusted_at;  ///< the same by the time that is trusted: whether it is too late for a warrant
    /// While our clock cannot be trusted, an event that seems too far ahead is not its source's mistake, and nobody
    /// knows when one without a time happened: both are unavailable, whoever they concern.
    bool clock_trusted = true;

    /// The latest time an event may have at this moment (intake.max_future).
    [[nodiscard]] model::Instant latest() const;
};

/// The bytes of one attachment, as a door has them: one of the three.
struct AttachedObject {
    enum class Encoding : std::uint8_t { raw, base64 };

    std::string_view bytes;  ///< in the event itself; valid as long as the event
    Encoding encoding = Encoding::raw;
    std::shared_ptr<const store::SealedObject> sealed;  ///< uploaded before
    NamedCopy copy;                                     ///< to be made after the commit

    [[nodiscard]] bool is_inline() const { return !sealed && !copy.file; }
};

/// The outcome of an event.
struct Outcome {
    enum class Kind : std::uint8_t {
        accepted,     ///< on disk, or under no warrant, as soon as its group is committed
        refused,      ///< because of what it is, whoever it concerns: `fault` is for its source
        too_large,    ///< the same, because an object of it is larger than the store could ever hold
        unavailable,  ///< nothing can be stored at present: the event can be sent again
        outdated,     ///< of a commit: other warrants count by now; what it was of can be taken again, anew
    };
    Kind kind = Kind::accepted;
    std::optional<Fault> fault;  ///< if it is refused or too large
};

/// Of one source, on one thread. Several of its groups may be open at the same time, also across suspensions.
class Pipeline {
  public:
    /// `source` is the scope in which event ids are unique: the name of a listener.
    Pipeline(std::string source, const PipelineParts& parts);
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;
    ~Pipeline();

    [[nodiscard]] Moment now() const;
    /// Whether the store takes new items, as far as it knows. A door that can refuse checks this before it reads much.
    [[nodiscard]] bool accepting() const;
    /// Whether what is matched at that moment counts, as far as the store knows. A door that drops what is under no
    /// warrant, and commits nothing for it, asks before it does. After Kind::outdated: whether it can be taken again.
    [[nodiscard]] bool is_current(const Moment& moment) const;
    /// Which of an event's objects is larger than the store could ever hold (Outcome::Kind::too_large), whoever it
    /// concerns. For doors that give something up once an event is accepted; take() also checks this itself.
    [[nodiscard]] std::optional<Fault> never_fits(std::span<const AttachedObject> objects) const;

  private:
    friend class Group;
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Events that are committed together. Its pipeline outlives it. What was not committed when it is destroyed is
/// dropped: none of it was made durable.
///
/// A door keeps it until the answers have left: what was written for objects that nobody ordered is removed with the
/// group, which takes time that an answer must not show (promise 7).
class Group {
  public:
    explicit Group(Pipeline& pipeline);
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    ~Group();

    /// Takes an event without attachments, which is always accepted. Nothing of the event is needed afterwards. Costs
    /// one index lookup if no warrant matches.
    ///   bytes   of the event as it came
    void take(const model::Event& event, std::size_t bytes, const Moment& moment);

    /// Takes an event with attachments, by the same steps whether or not a warrant wants them. `event`, `objects` and
    /// `moment` stay valid until it completes.
    ///   objects   of the event's attachments, in their order. Files are taken over
    [[nodiscard]] boost::asio::awaitable<Outcome> take(const model::Event& event, std::size_t bytes,
                                                       std::span<AttachedObject> objects, const Moment& moment);

    /// Takes an event of a task, without attachments: always accepted. An event with the id (and type) of one that came
    /// in within the memory of repeats makes no second item, whatever time it carries and whichever listener it came
    /// through.
    void take(const model::Event& event, std::size_t bytes, const TaskMatch& task, const Moment& moment);
    /// The same with attachments, whose bytes are raw or sealed already. Sealed objects that no warrant orders are left
    /// to their other handles. After `unavailable` and `too_large` nothing was taken: the first can be taken again
    /// later, the second without the objects.
    [[nodiscard]] boost::asio::awaitable<Outcome> take(const model::Event& event, std::size_t bytes,
                                                       const TaskMatch& task, std::span<AttachedObject> objects,
                                                       const Moment& moment);

    /// Whether so much has gathered that it should be committed before more is taken. Depends only on the bytes of the
    /// events, so that commits follow from what a source sent (promise 7).
    [[nodiscard]] bool is_full() const;

    /// Makes durable what was taken since the last commit, and waits for it. The same for no items as for many. After
    /// `unavailable` the events have to be sent again: none of them is known to be on disk (store::Outcome::failed).
    /// After `outdated` none of them is, and the door takes them again, once is_current() is true: under the warrants
    /// that count then. The group can be reused in any case.
    [[nodiscard]] boost::asio::awaitable<Outcome::Kind> commit();

    /// For a door that keeps copies (PipelineParts::kept): the same with the changes in the same transaction. After
    /// `unavailable` nothing is lost: all of it stays in the group, and the next call, whatever changes it adds, tries
    /// again. After `outdated` the changes stay, and the door takes the events again. Answers at once where there is
    /// nothing to commit.
    [[nodiscard]] boost::asio::awaitable<Outcome::Kind> commit(store::KeptChanges changes);
    /// Whether a commit of kept changes would have nothing to write, besides what it adds.
    [[nodiscard]] bool is_empty() const;

  private:
    void note(std::size_t bytes, std::size_t items_before, const model::Event& event, const Moment& moment);
    void note_of_task(std::size_t bytes, const model::Event& event);
    /// Keeps the snapshot until what was matched with it is committed: a revocation waits for that.
    void keep(const Moment& moment);
    /// Events of the group were matched with this state of the warrants.
    void note_state(std::optional<std::uint64_t> warrants);

    Pipeline& pipeline_;
    store::Arrival arrival_;
    std::vector<store::NewItem> items_;
    std::vector<std::shared_ptr<const Snapshot>> matched_with_;  ///< of items_
    std::vector<NamedCopy> copies_;
    store::KeptChanges changes_;
    /// Files in place of objects that nobody ordered.
    std::vector<std::shared_ptr<const store::SealedObject>> idle_;
};

}  // namespace lihandover::intake
