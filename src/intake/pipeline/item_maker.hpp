#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/warrants/index.hpp"

namespace lihandover::intake {

/// Whether what is ordered finds anything in the event. Who orders metadata always gets an item. Who orders only other
/// parts gets one when the event has something of them: a warrant for location alone is told nothing of a text message,
/// not even that there was one.
///   metadata_parameters  names below `parameters` that count as metadata
[[nodiscard]] bool leaves_something(const model::Event& event, const model::Deliver& deliver,
                                    std::span<const std::string> metadata_parameters);

/// Where the bytes of an attachment are: one of the two, or neither where nobody takes them.
struct ObjectSource {
    std::shared_ptr<const store::SealedObject> sealed;
    std::shared_ptr<const store::SourceFile> file;
};

/// Turns an event and the warrants it falls under into items for the store. Not thread-safe.
class ItemMaker {
  public:
    /// `source` is what event ids are unique within. The store outlives the maker.
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

    /// What append() does for one warrant, for an event under none: it takes the time, and nothing comes of it
    /// (promise 7). Gives the bytes of the share that there would have been.
    [[nodiscard]] std::size_t imitate(const model::Event& event, const Snapshot& snapshot, model::Instant received_at);

  private:
    /// Of all that the event says, but for when it came: a repeat has the same. SipHash: it is made of every event,
    /// whole, and BLAKE2b would take longer over it than the parser.
    [[nodiscard]] std::uint64_t digest_of(const model::Event& event);
    void let_go_of_scratch();

    std::string source_;
    const store::ItemIntake& store_;
    store::Hash128 digest_key_;  ///< the same as long as the store lives
    std::string scratch_;
    std::vector<std::uint64_t> targeted_;
};

}  // namespace lihandover::intake
