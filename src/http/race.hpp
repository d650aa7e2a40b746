#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "addresses.hpp"
#include "dial.hpp"

namespace lihandover::http {

/// Tries addresses in parallel until one of them is connected completely (RFC 8305 5): each gets a head start before
/// the next, which starts at once when one fails.
class Race : public std::enable_shared_from_this<Race>,
             public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    using Clock = std::chrono::steady_clock;

    struct Outcome {
        std::shared_ptr<Transport> winner;  ///< null: see `failure`
        std::optional<Endpoint> address;    ///< of the winner
        std::vector<Endpoint> failed;
        std::vector<Endpoint> overtaken;  ///< had not ended when a later one was connected completely
        Failure failure;                  ///< of the attempt that got furthest
    };

    Race(const Executor& executor, std::shared_ptr<const Route> route, std::vector<Endpoint> addresses,
         Clock::duration head_start);
    Race(const Race&) = delete;
    Race& operator=(const Race&) = delete;
    ~Race() { stop(); }

    /// Call it once. Asio cancellation surfaces as boost::system::system_error(operation_aborted).
    static boost::asio::awaitable<Outcome> run(std::shared_ptr<Race> self);
    void cancel();

  private:
    using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
    struct Attempt {
        Endpoint address;
        std::shared_ptr<Transport> transport;
    };

    [[nodiscard]] bool is_over() const;
    void start_next();
    void ended(const std::shared_ptr<Transport>& transport, std::optional<Failure> failure);
    void stop();
    Outcome outcome();

    Executor executor_;
    std::shared_ptr<const Route> route_;
    std::vector<Endpoint> addresses_;
    Clock::duration head_start_;
    Timer wake_;
    std::size_t next_ = 0;  ///< of `addresses_`
    Clock::time_point next_at_;
    std::vector<Attempt> running_;
    std::optional<Attempt> winner_;
    std::vector<Endpoint> failed_;
    std::vector<Endpoint> overtaken_;
    std::optional<Failure> failure_;
    std::uint64_t news_ = 0;  ///< attempts ended
    bool cancelled_ = false;
};

}  // namespace lihandover::http
