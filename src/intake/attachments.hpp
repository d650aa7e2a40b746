#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lihandover/intake/event_parser.hpp"
#include "lihandover/intake/item_maker.hpp"
#include "lihandover/intake/snapshot.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/store/objects.hpp"
#include "object_desk.hpp"

namespace lihandover::intake {

/// What happens to the attachments of one event. The same for every event but for seal(), which does to the disk what
/// it would have done in any case. `event`, `limits` and `root` outlive it.
class Attachments {
  public:
    ///   root   directory below which files may be named; null: they may not
    Attachments(const model::Event& event, const Limits& limits, const std::string* root, model::Instant now,
                store::Objects& objects, boost::asio::any_io_executor workers);

    /// Looks at the named files, and whether the bytes in the event are what the event says.
    [[nodiscard]] boost::asio::awaitable<std::optional<Fault>> check();

    /// Whether all uploaded objects are there and are what the event says; then, and only then, all of them are
    /// claimed.
    [[nodiscard]] std::optional<Fault> claim(ObjectDesk& desk, ObjectDesk::Claims& claims);

    /// After claim(): what is in the event goes to the disk, sealed where `wanted`, else as bytes that mean nothing.
    /// False where the store takes nothing.
    [[nodiscard]] boost::asio::awaitable<bool> seal(bool wanted);

    /// In the order of the event's attachments; whole after seal(true).
    [[nodiscard]] std::span<const ObjectSource> sources() const { return sources_; }
    /// Appends those of them that are to be copied.
    void append_files(std::vector<std::shared_ptr<const store::SourceFile>>& out) const;

  private:
    [[nodiscard]] bool has(model::Attachment::Source source) const;
    [[nodiscard]] std::optional<Fault> check_all();
    [[nodiscard]] std::optional<Fault> check_file(std::size_t at);
    [[nodiscard]] std::optional<Fault> check_data(std::size_t at) const;
    [[nodiscard]] bool seal_data(std::size_t at);
    [[nodiscard]] bool fill_data(std::size_t at);

    const model::Event& event_;
    const Limits& limits_;
    const std::string* root_;
    model::Instant now_;
    store::Objects& objects_;
    boost::asio::any_io_executor workers_;
    std::vector<ObjectSource> sources_;
};

}  // namespace lihandover::intake
