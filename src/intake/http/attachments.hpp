#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "http/pending_uploads.hpp"
#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/model/event.hpp"

namespace lihandover::intake {

/// Finds out where the bytes of one event's attachments are, and whether they match what the event says. The same for
/// every event, before anything is matched (promise 7). `event`, `moment` and `root` outlive it.
class Attachments {
  public:
    /// Where what blocks runs.
    struct Workers {
        boost::asio::any_io_executor usual;
        boost::asio::any_io_executor examiners;  ///< of an event that names files
    };
    ///   root   directory below which files may be named; null: they may not
    Attachments(const model::Event& event, const Moment& moment, const std::string* root, Workers workers);

    /// Examines the named files, and checks that the bytes in the event match what the event says.
    [[nodiscard]] boost::asio::awaitable<std::optional<Fault>> check();

    /// After check(): whether all uploaded objects are there and match what the event says. If so, all of them are
    /// claimed.
    [[nodiscard]] std::optional<Fault> claim(PendingUploads::Claims& claims);

    /// In the order of the event's attachments; complete after claim().
    [[nodiscard]] std::span<AttachedObject> objects() { return objects_; }

  private:
    [[nodiscard]] bool has(model::Attachment::Source source) const;
    [[nodiscard]] std::optional<Fault> check_all();
    [[nodiscard]] std::optional<Fault> check_file(std::size_t at);
    [[nodiscard]] std::optional<Fault> check_data(std::size_t at);

    const model::Event& event_;
    const Moment& moment_;
    const std::string* root_;
    Workers workers_;
    std::vector<AttachedObject> objects_;
};

}  // namespace lihandover::intake
