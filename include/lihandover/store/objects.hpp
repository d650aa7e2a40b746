#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

// Binary objects (TS 103 707 5.4.3 and annex C). Their bytes lie sealed in files beside the database, each file under
// a key of its own (docs/store.md "Sealed objects"). Until an item that names the object is committed, the key is in
// memory only: no match, or a restart, and the file is unreadable for ever.

/// A sealed file and its key. Files that no committed item names go when the last handle goes; the key is wiped then.
/// Immutable, thread-safe.
class SealedObject {
  public:
    virtual ~SealedObject() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;  ///< bytes of the object, unsealed
    [[nodiscard]] virtual const model::Sha256& sha256() const = 0;
};

/// Seals an object while it streams by, and hashes it. Blocks on the disk; one thread at a time. What was not finished
/// is removed with the writer.
class ObjectWriter {
  public:
    virtual ~ObjectWriter() = default;
    [[nodiscard]] virtual model::Status write(std::span<const char> bytes) = 0;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// On the disk, file and directory, when it returns.
    [[nodiscard]] virtual model::Result<std::shared_ptr<const SealedObject>> finish() = 0;
};

/// Reads a sealed object from any place. Blocks on the disk; one thread at a time; goes on working when the object is
/// removed meanwhile. Every byte given out was authenticated.
class ObjectReader {
  public:
    virtual ~ObjectReader() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// Fills `out` with what begins at byte `at`, as far as the object goes: less than asked for only at its end.
    [[nodiscard]] virtual model::Result<std::size_t> read(std::uint64_t at, std::span<char> out) = 0;
};

/// A file that a source named, to be copied after the answer. What is known of it when the event comes in decides
/// whether the copy is of the same bytes.
struct SourceFile {
    model::Uuid id;    ///< one per file and event: two warrants on one message share the copy
    std::string path;  ///< below intake.attachment_root, relative
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified_nanos = 0;  ///< since 1970
    std::int64_t changed_nanos = 0;
    std::optional<model::Sha256> sha256;  ///< what the source says it is
    model::Instant give_up_at;            ///< from then on the item goes without it (intake.attachment_grace)
};

/// One object of a NewItem, its id and URL fixed for good (promise 3).
struct NewObject {
    model::Uuid id;
    model::BinaryModel model{};
    std::string url;
    std::string content_type;            ///< as the source gave it, may be empty
    std::string original_filename;       ///< WTF-8, may be empty
    std::string csp_defined_identifier;  ///< WTF-8
    std::chrono::seconds lifetime{};     ///< binary.expiry
    bool remove_when_fetched = false;    ///< Model A: goes once it was fetched whole
    /// Exactly one of the two. Objects of several items may share one: the bytes are stored once and removed with the
    /// last object that has them.
    std::shared_ptr<const SealedObject> sealed;
    std::shared_ptr<const SourceFile> file;
};

/// Where an object is in its life. Those that ended have no row any more, only records. The numbers are on disk: never
/// change them, only add.
enum class ObjectState : std::uint8_t {
    attached = 0,   ///< its item was not accepted yet
    offered = 1,    ///< Model A: its item was accepted; can be fetched until it expires
    queued = 2,     ///< Model B: its item was accepted; to be pushed
    refused = 3,    ///< Model B: the LEA will not have it, or it expired; bytes kept until an operator decides
    set_aside = 4,  ///< Model B: fails where others succeed; passed by, tried again at growing distances
};
inline constexpr std::array<std::string_view, 5> object_state_names = {"attached", "offered", "queued", "refused",
                                                                       "set_aside"};
[[nodiscard]] constexpr std::string_view name_of(ObjectState state) {
    return object_state_names[static_cast<std::size_t>(state)];
}

/// An object as the store has it.
struct StoredObject {
    model::BinaryObject described;  ///< what the document says of it, `expiry` as stamped last
    RowId item = 0;
    LaneId lane = 0;
    model::Uuid item_id;  ///< the ObjectIdentifier of its item
    model::BinaryModel model{};
    ObjectState state{};
    bool emergency = false;
    bool remove_when_fetched = false;
    std::chrono::seconds lifetime{};
    /// Its bytes; null while they are being copied and when they were lost.
    std::shared_ptr<const SealedObject> sealed;
    std::optional<Refusal> refusal;  ///< while refused or set aside
};

/// An object to push, as delivery hears of it.
struct QueuedObject {
    model::Uuid id;
    LaneId lane = 0;
    bool emergency = false;
    std::uint64_t size = 0;
    model::Instant deadline;  ///< from then on it counts as expired: acceptance of its item and binary.expiry
};

/// One request for an object, for the record.
struct Fetch {
    model::Uuid object;
    std::string certificate_sha256;
    std::uint64_t begin = 0;  ///< of the bytes asked for; end 0: none (HEAD, 304, 416)
    std::uint64_t end = 0;
    enum class Extent : std::uint8_t {
        begun,       ///< its bytes are about to leave; what became of it is an entry of its own
        broken_off,  ///< not all that was asked for went out
        complete,    ///< all of it went out
        whole,       ///< and it was the whole object
    };
    Extent extent = Extent::begun;
    std::size_t ranges = 1;        ///< of several, begin and end are those of all of them together
    std::uint64_t unrecorded = 0;  ///< requests of this destination before it that left no entry (a quota)

    [[nodiscard]] bool complete() const { return extent >= Extent::complete; }
    [[nodiscard]] bool whole() const { return extent == Extent::whole; }
};

/// Hears what became durable, as OutboxListener does.
class ObjectListener {
  public:
    virtual ~ObjectListener() = default;
    /// All objects of these queued items are there now, or given up.
    virtual void on_prepared(std::span<const QueuedItem> items) noexcept = 0;
    /// To be pushed: their items were accepted, or an operator retried them.
    virtual void on_uploads(std::span<const QueuedObject> objects) noexcept = 0;
    /// An operator ended these while they may wait in memory.
    virtual void on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept = 0;
};

/// The store's side for binary objects. Thread-safe. Calls that return values may block on the disk.
class BinaryObjects {
  public:
    virtual ~BinaryObjects() = default;

    /// Set before the first submission; outlives the store, or is taken off with nullptr after Store::stop().
    virtual void set_listener(ObjectListener* listener) = 0;

    /// A file of its own. Fails where the store takes nothing (promise 11).
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectWriter>> writer() = 0;
    /// For a copy of a named file whose item is committed: with it the item can go, and what goes makes room, so it is
    /// taken where new items are not. Needs only that the store can commit, and that `size` bytes fit below max_bytes
    /// and on the disk beside what deliveries need; they are held for it until it is finished or gone. More than that
    /// is admitted as for any other object. Fails where that is so now; see fits().
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) = 0;
    /// False where an object of so many bytes is larger than max_bytes allows even in an empty store: waiting for room
    /// is of no use. A reload may change the answer.
    [[nodiscard]] virtual bool fits(std::uint64_t size) const = 0;
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const = 0;
    /// Does to the disk what writing an object of so many bytes does, and leaves nothing: an answer's time must not
    /// tell whether the event was under a warrant (promise 7).
    [[nodiscard]] virtual model::Status write_filler(std::uint64_t bytes) = 0;

    /// Files named by committed items and not copied yet; for a start.
    [[nodiscard]] virtual model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() = 0;
    /// The copy was made, or given up for `loss`. Kept over failed commits, as acceptances are.
    virtual void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                          Done done) = 0;

    /// A binary object by the id in its URL; nullopt when unknown or ended. Costs the same whatever the answer.
    [[nodiscard]] virtual model::Result<std::optional<StoredObject>> find_object(const model::Uuid& id) = 0;
    /// Model A, for the record; the object goes where it was fetched whole and is to be removed then. Kept over failed
    /// commits.
    virtual void fetched(Fetch fetch, Done done) = 0;

    /// Calls `visit` for every object that is to be pushed; how delivery begins.
    [[nodiscard]] virtual model::Status for_each_upload(const std::function<void(const QueuedObject&)>& visit) = 0;
    /// The same for every object that is set aside.
    [[nodiscard]] virtual model::Status for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) = 0;
    /// Model B: the LEA has it. It goes, its bytes too once no other object has them. Kept over failed commits.
    virtual void pushed(const model::Uuid& object, Done done) = 0;
    /// The LEA will not have it, or it expired. From `queued` and `set_aside`.
    virtual void refused(const model::Uuid& object, Refusal refusal, Done done) = 0;
    /// It fails where others succeed; as Outbox::set_aside.
    virtual void set_aside(const model::Uuid& object, Refusal refusal, Done done) = 0;
};

/// What BinaryObjects replaces; goes when nobody uses it.
class Objects {
  public:
    using Done = std::function<void(Outcome)>;

    virtual ~Objects() = default;

    /// Set before the first submission; outlives the store or is taken off with nullptr after stop().
    virtual void set_listener(ObjectListener* listener) = 0;

    /// A file of its own. Fails where the store takes nothing (promise 11).
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectWriter>> writer() = 0;
    /// For a copy of a named file whose item is committed: with it the item can go, and what goes makes room, so it is
    /// taken where new items are not. Needs only that the store can commit, and that `size` bytes fit below max_bytes
    /// and on the disk beside what deliveries need; they are held for it until it is finished or gone. More than that
    /// is admitted as for any other object. Fails where that is so now; see fits().
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) = 0;
    /// False where an object of so many bytes is larger than max_bytes allows even in an empty store: waiting for room
    /// is of no use. A reload may change the answer.
    [[nodiscard]] virtual bool fits(std::uint64_t size) const = 0;
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const = 0;
    /// Does to the disk what writing an object of so many bytes does, and leaves nothing: an answer's time must not
    /// tell whether the event was under a warrant (promise 7). Blocks.
    [[nodiscard]] virtual model::Status write_filler(std::uint64_t bytes) = 0;

    /// Files named by committed items and not copied yet; for a start.
    [[nodiscard]] virtual model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() = 0;
    /// The copy was made, or given up for `loss`. Kept over failed commits, as acceptances are.
    virtual void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                          Done done) = 0;

    /// Sets the expiry of all objects of a queued item, before its attempt.
    virtual void stamp(RowId item, model::Instant expiry, Done done) = 0;

    /// Model B: the LEA has it. Its row goes, its bytes too once no other object has them. Kept over failed commits.
    virtual void pushed(const model::Uuid& object, Done done) = 0;
    virtual void refused(const model::Uuid& object, Refusal refusal, Done done) = 0;
    // NOLINTNEXTLINE(performance-unnecessary-value-param): those that override it take them over
    virtual void set_aside(const model::Uuid& /*object*/, Refusal /*refusal*/, Done done) { done(Outcome::failed); }
    /// Model A: for the record; the object goes where it was fetched whole and is to be removed then. Kept over failed
    /// commits.
    virtual void fetched(Fetch fetch, Done done) = 0;
};

}  // namespace lihandover::store
