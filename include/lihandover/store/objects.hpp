#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
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
//
// Who does what with them: object_intake.hpp takes them in, uploads.hpp pushes them, downloads.hpp serves them.

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
    /// After a failure nothing more can be written.
    [[nodiscard]] virtual model::Status write(std::span<const char> bytes) = 0;
    /// Holds room for so many bytes more; they can be written without asking for any. Where there is none it changes
    /// nothing, and can be asked again.
    [[nodiscard]] virtual model::Status reserve(std::uint64_t bytes) = 0;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// Fills `out` with what was written from `at` on; all of it is there. Until it is finished, and also of what was
    /// written before a failure.
    [[nodiscard]] virtual model::Status read(std::uint64_t at, std::span<char> out) = 0;
    /// All of it is written. Optional, before finish(), which then has less to wait for: the disk begins with it. Of
    /// several objects, end all and then finish all.
    [[nodiscard]] virtual model::Status end() { return {}; }
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
    /// What it is cannot be read at present, and is not lost: to be asked for again a moment later.
    bool unreadable_now = false;
};

/// Finds binary objects and reads their bytes. Thread-safe; blocks on the disk.
class ObjectLookup {
  public:
    virtual ~ObjectLookup() = default;

    /// A binary object by the id in its URL; nullopt when unknown or ended, and while its item is held. Costs the same
    /// whatever the answer.
    [[nodiscard]] virtual model::Result<std::optional<StoredObject>> find_object(const model::Uuid& id) = 0;
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const = 0;
};

}  // namespace lihandover::store
