#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "lookup.hpp"
#include "ranges.hpp"
#include "turns.hpp"

namespace lihandover::objectserver {

/// Answers the requests. On the server's thread.
class Service final : public http::Handler {
  public:
    /// Denials leave this long after their request came, or a multiple of it: what was looked at meanwhile takes well
    /// under one, so the time of an answer says nothing of it.
    static constexpr std::chrono::milliseconds denial_step{20};

    Service(const boost::asio::any_io_executor& executor, const Parts& parts, const Options& options,
            std::unique_ptr<store::Reader> reader)
        : executor_(executor),
          parts_(parts),
          record_wait_(options.record_wait),
          turns_(options.max_bodies),
          lookup_(parts.workers, std::move(reader)) {}

    void use(std::shared_ptr<const AccessList> access) { access_ = std::move(access); }

    [[nodiscard]] Load load() const { return {turns_.taken(), turns_.waiting()}; }

    [[nodiscard]] boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

  private:
    /// An object and the destination that may fetch it.
    struct Granted {
        store::StoredObject object;
        std::string destination;
        std::string certificate_sha256;

        /// For the record: that the range was asked for, not complete.
        [[nodiscard]] store::Fetch entry(ByteRange range) const;
    };
    /// What to answer with.
    struct Plan;
    class Account;
    struct Beginning;

    boost::asio::awaitable<std::optional<Granted>> look_up(const http::Exchange& exchange);
    [[nodiscard]] bool may_fetch(const http::Exchange& exchange, std::string_view origin,
                                 const store::StoredObject* object, std::string& destination) const;
    boost::asio::awaitable<void> deny(http::Exchange& exchange, std::chrono::steady_clock::time_point came);
    boost::asio::awaitable<void> put_off(http::Exchange& exchange, const Granted& granted);
    [[nodiscard]] bool can_commit();
    boost::asio::awaitable<void> serve(http::Exchange& exchange, const Granted& granted);
    boost::asio::awaitable<void> send(http::Exchange& exchange, const Granted& granted, Plan plan);
    boost::asio::awaitable<std::shared_ptr<store::ObjectReader>> open(const Granted& granted);
    boost::asio::awaitable<bool> record_beginning(const Granted& granted, const std::vector<ByteRange>& ranges);
    void note_lookup(bool worked, const std::string& problem);

    boost::asio::any_io_executor executor_;
    Parts parts_;
    std::chrono::milliseconds record_wait_;
    Turns turns_;
    Lookup lookup_;
    std::shared_ptr<const AccessList> access_;
    bool lookups_fail_ = false;
    bool commits_fail_ = false;
};

}  // namespace lihandover::objectserver
