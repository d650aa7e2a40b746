#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/pending_uploads.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/events_handler.hpp"

namespace lihandover::intake {

inline constexpr std::string_view objects_path = "/v1/objects/";

/// The id in a path below objects_path: percent-decoded, 1 to 256 bytes of visible ASCII (0x21 to 0x7E). nullopt for
/// anything else.
[[nodiscard]] std::optional<std::string> object_id_of(std::string_view path);

/// `PUT /v1/objects/{id}`: takes an object that a later event of its source may name. Each one is written, sealed,
/// hashed and synced alike: nobody knows yet whether an event under a warrant will name it.
class ObjectsHandler {
  public:
    ObjectsHandler(const metrics::SourceMetrics& metrics, const Services& services, PendingUploads& uploads);

    [[nodiscard]] boost::asio::awaitable<void> handle(http::Exchange& exchange);

  private:
    [[nodiscard]] std::optional<http::Response> refuse_unread(const http::Exchange& exchange,
                                                              const std::optional<std::string>& id);
    /// If an object of so many bytes is never taken.
    [[nodiscard]] std::optional<http::Response> refuse_size(std::uint64_t bytes) const;
    /// Nullopt if there is nobody left to answer.
    [[nodiscard]] boost::asio::awaitable<std::optional<http::Response>> receive(http::Exchange& exchange,
                                                                                std::string id);

    const metrics::SourceMetrics& metrics_;
    const Services& services_;
    PendingUploads& uploads_;
    /// Of large buffers, separate from the budget of bodies: an upload may be as slow as it likes, and never waits.
    BodyBudget buffers_;
};

}  // namespace lihandover::intake
