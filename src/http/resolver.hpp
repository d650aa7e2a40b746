#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/http/connector.hpp"
#include "message.hpp"

namespace lihandover::http {

/// Looks up one server's name. A lookup cannot be interrupted, so each runs on a separate thread that is abandoned if
/// it hangs: it delays neither another server's name nor a stop, and touches nothing of ours when it ends at last. Used
/// on the thread of `executor`; concurrent calls of resolve() share a lookup.
class Resolver : public std::enable_shared_from_this<Resolver> {
  public:
    using Clock = std::chrono::steady_clock;

    enum class Status : std::uint8_t { found, no_address, timeout, cancelled };
    struct Outcome {
        Status status = Status::no_address;
        std::vector<boost::asio::ip::address> addresses;  ///< of `found`
    };

    /// Lookups of a name that begin whatever hangs; further ones begin at distances, and only while there are not so
    /// many in all, those of other names included.
    static constexpr std::size_t max_at_once = 4;
    static constexpr std::size_t max_in_all = 64;

    /// The system's lookup when `lookup` is empty.
    ///   again  the distance between further ones
    Resolver(const Executor& executor, std::string name, NameLookup lookup, Clock::duration again);
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver();

    /// While the name service gives no answer, its last answer stays valid for up to a day (RFC 8767).
    boost::asio::awaitable<Outcome> resolve(Clock::duration timeout);
    /// Ends every running resolve().
    void cancel();

  private:
    struct Lookup;
    using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
    /// One resolve() that waits.
    struct Waiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
        explicit Waiter(const Executor& executor) : timer(executor) {}
        Timer timer;
        bool woken = false;  ///< a lookup ended
        bool cancelled = false;
    };

    static boost::asio::awaitable<Outcome> wait(std::shared_ptr<Resolver> self, Clock::duration timeout);
    std::shared_ptr<Lookup> join(Clock::duration timeout);
    [[nodiscard]] bool may_start(Clock::time_point now) const;
    std::shared_ptr<Lookup> start();
    void finished(Lookup& lookup, std::optional<std::vector<std::string>> found);
    [[nodiscard]] bool knows_addresses() const;
    Outcome outcome_of(const Lookup* lookup) const;

    Executor executor_;
    std::string name_;
    NameLookup lookup_;
    Clock::duration again_;
    std::vector<std::shared_ptr<Lookup>> running_;  ///< the newest last
    boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>> waiters_;
    std::vector<boost::asio::ip::address> known_;  ///< what the last good lookup found
    Clock::time_point known_since_;
};

}  // namespace lihandover::http
