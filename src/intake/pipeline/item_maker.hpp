#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/warrants/index.hpp"

namespace lihandover::intake {

/// Whether the order finds anything in the event. A warrant that orders metadata always gets an item. One that orders
/// only other parts gets an item if the event has any of them: a warrant for location alone is told nothing about a
/// text message, not even that there was one.
///   metadata_parameters  names below `parameters` that count as metadata
[[nodiscard]] bool leaves_something(const model::Event& event, const model::Deliver& deliver,
                                    std::span<const std::string> metadata_parameters);

/// Where the bytes of an attachment are: one of the two, or neither if nobody takes them.
struct ObjectSource {
    std::shared_ptr<const store::SealedObject> sealed;
    std::shared_ptr<const store::SourceFile> file;
};

/// Makes items for the store from an event and the warrants it falls under. Not thread-safe.
class ItemMaker {
  public:
    /// `source` is the scope in which event ids are unique. The store outlives the maker.
    ItemMaker(std::string source, const store::ItemIntake& store);

    /// Whether one of the matches' items will have the event's binary objects.
    [[nodiscard]] static bool takes_objects(const model::Event& event, std::span<const warrants::Match> matches,
                                            const Snapshot& snapshot);

    /// Appends one item per match whose warrant's order leaves something to say.
    ///   matches   of snapshot.index, for this event
    ///   sources   of the event's attachments, in their order. The items of several warrants share them, under ids and
    ///             URLs of their own
    void append(const model::Event& event, std::span<const warrants::Match> matches, const Snapshot& snapshot,
                model::Instant received_at, std::vector<store::NewItem>& out,
                std::span<const ObjectSource> sources = {});

    /// The same for an event of an X2/X3 task: its repeats are known by its id and type alone, whatever time they carry
    /// and whichever source they came through, and `substance` in place of all that the event says tells whether the id
    /// was used again.
    void append_of_task(const model::Event& event, std::span<const warrants::Match> matches, const Snapshot& snapshot,
                        model::Instant received_at, std::string_view substance, std::vector<store::NewItem>& out,
                        std::span<const ObjectSource> sources = {});

    /// Does for an event under no warrant what append() does for one warrant: it takes the time, and has no result
    /// (promise 7). Returns how many bytes the share would have had.
    [[nodiscard]] std::size_t imitate(const model::Event& event, const Snapshot& snapshot, model::Instant received_at);

  private:
    /// An item of this match, without what tells repeats; null where the order leaves nothing to say.
    store::NewItem* add(const model::Event& event, const warrants::Match& match, const Snapshot& snapshot,
                        model::Instant received_at, std::vector<store::NewItem>& out,
                        std::span<const ObjectSource> sources);
    /// Of a conversation as the warrant that begins then has it. A warrant that begins at another time is another one:
    /// an LIID that is used again never goes on with the numbers of the one before.
    [[nodiscard]] store::Hash128 conversation_hash_of(std::string_view destination, std::string_view liid,
                                                      model::Instant begins, std::string_view conversation) const;
    [[nodiscard]] store::Hash128 repeat_hash_of(std::string_view scope, const model::Event& event,
                                                const warrants::Warrant& warrant) const;
    [[nodiscard]] std::uint64_t keyed_digest(std::string_view bytes) const;
    /// Of everything that the event says, except when it came: a repeat has the same digest, also where its objects
    /// were uploaded again under other ids. SipHash: every event is hashed as a whole, and BLAKE2b would take longer
    /// over it than the parser.
    [[nodiscard]] std::uint64_t digest_of(const model::Event& event, std::span<const ObjectSource> sources = {});
    void let_go_of_scratch();

    std::string source_;
    const store::ItemIntake& store_;
    store::Hash128 digest_key_;  ///< the same as long as the store lives
    std::string scratch_;
    std::vector<std::uint64_t> targeted_;
};

}  // namespace lihandover::intake
