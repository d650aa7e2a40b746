#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "access.hpp"
#include "download.hpp"
#include "download_slots.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "lookup.hpp"
#include "record_quota.hpp"
#include "request_rate.hpp"

namespace lihandover::objectserver {

/// Answers the requests: decides who may have what. On the server's thread.
class Service final : public http::Handler {
  public:
    /// Denials leave this long after their request came, or a multiple of it. What is looked up meanwhile takes well
    /// under one, so the time of an answer says nothing about it.
    static constexpr std::chrono::milliseconds denial_step{20};

    Service(const boost::asio::any_io_executor& executor, const Parts& parts, const Options& options);

    void use(std::shared_ptr<const AccessList> access, const Bounds& bounds);

    [[nodiscard]] Load load() const { return {slots_.taken(), slots_.waiting()}; }

    [[nodiscard]] boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

  private:
    [[nodiscard]] bool too_many(const http::Exchange& exchange);
    boost::asio::awaitable<std::optional<Granted>> look_up(const http::Exchange& exchange);
    [[nodiscard]] bool may_fetch(const http::Exchange& exchange, std::string_view origin,
                                 const store::StoredObject* object, std::string& destination) const;
    boost::asio::awaitable<void> deny(http::Exchange& exchange, std::chrono::steady_clock::time_point came);
    boost::asio::awaitable<void> put_off(http::Exchange& exchange, const Granted& granted);
    boost::asio::awaitable<void> serve(http::Exchange& exchange, const Granted& granted);
    [[nodiscard]] bool can_commit();
    void note_lookup(bool worked, const std::string& problem);
    void note_unreadable();

    boost::asio::any_io_executor executor_;
    Parts parts_;
    std::chrono::milliseconds record_wait_;
    LeastRate least_rate_;
    DownloadSlots slots_;
    RequestRate rate_;
    RecordQuota quota_;
    Lookup lookup_;
    std::shared_ptr<const AccessList> access_;
    bool lookups_fail_ = false;
    std::optional<std::chrono::steady_clock::time_point> told_unreadable_;
    bool commits_fail_ = false;
};

}  // namespace lihandover::objectserver
