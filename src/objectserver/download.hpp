#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "body.hpp"
#include "download_slots.hpp"
#include "least_rate.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "ranges.hpp"
#include "record_quota.hpp"

namespace lihandover::objectserver {

/// An object and who may fetch it.
struct Granted {
    store::StoredObject object;
    std::string destination;
    std::string who;  ///< tls::PeerIdentity::name()
};

/// What downloads share. Outlives them.
struct DownloadParts {
    boost::asio::any_io_executor executor;
    const Parts& parts;
    DownloadSlots& slots;
    RecordQuota& quota;
    std::chrono::milliseconds record_wait;
    LeastRate least_rate;
    /// Whether the store can commit, as far as is known now.
    std::function<bool()> can_commit;
};

/// An answer to those who should try again: 503.
[[nodiscard]] http::Response sorry();

/// The answer to one request that was granted. It is put on record when this object is destroyed, in whatever way, even
/// if the connection was cut and the coroutine with it.
class Download {
  public:
    Download(DownloadParts shared, const Granted& granted, http::Exchange& exchange);
    Download(const Download&) = delete;
    Download& operator=(const Download&) = delete;
    ~Download();

    [[nodiscard]] boost::asio::awaitable<void> serve();

  private:
    void plan();
    void plan_get();
    [[nodiscard]] http::Response head() const;
    [[nodiscard]] boost::asio::awaitable<void> send(http::Response response);
    [[nodiscard]] boost::asio::awaitable<void> send_body(http::Response response,
                                                         std::shared_ptr<store::ObjectReader> reader);
    void make_body(http::Response& response, std::shared_ptr<store::ObjectReader> reader);
    [[nodiscard]] boost::asio::awaitable<void> put_off();
    [[nodiscard]] boost::asio::awaitable<std::shared_ptr<store::ObjectReader>> open();
    [[nodiscard]] boost::asio::awaitable<bool> record_beginning();

    [[nodiscard]] std::uint64_t bytes_asked_for() const;
    [[nodiscard]] bool whole() const;
    [[nodiscard]] std::optional<store::Fetch> entry();
    void settle();
    [[nodiscard]] metrics::Download outcome() const;

    DownloadParts shared_;
    const Granted& granted_;
    http::Exchange& exchange_;

    // The plan.
    unsigned status_ = 200;
    std::vector<ByteRange> ranges_;  ///< what is to be sent of the object; none: HEAD, 304, 412, 416
    std::string tag_;
    std::string type_;

    DownloadSlots::Slot slot_;  ///< released after the body's buffers are gone
    std::optional<ObjectBody> body_;

    // How it went.
    bool complete_ = false;
    bool failed_ = false;
    bool too_slow_ = false;
    bool recorded_ = true;  ///< false: nothing went out, and the store would not take the entry
};

}  // namespace lihandover::objectserver
