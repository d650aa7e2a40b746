#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "lihandover/http/server.hpp"

namespace lihandover::objectserver {

/// How many large bodies are sent at a time. The slots are divided among the destinations, so that the downloads of one
/// LEA, however many and slow, take nothing from another's. Within a destination, requests get theirs in the order in
/// which they came. On one thread.
class DownloadSlots {
  public:
    /// How often a waiting request checks whether its client is still there.
    static constexpr std::chrono::milliseconds look_interval{500};

    explicit DownloadSlots(std::size_t all);

    /// Each of so many destinations gets the same share, at least one slot. Those that have more keep them until they
    /// are done.
    void divide(std::size_t destinations);

    class Slot;

    [[nodiscard]] std::size_t taken() const;
    [[nodiscard]] std::size_t waiting() const;

  private:
    struct Share {
        std::size_t taken = 0;
        std::list<Slot*> queue;
    };
    /// Shared, so that coroutines that are destroyed late can still use it.
    struct State {
        std::size_t all = 0;
        std::size_t share = 0;
        std::map<std::string, Share, std::less<>> destinations;

        void grant(Share& share_of) const;
    };

    std::shared_ptr<State> state_;
};

/// One slot, or a place in the queue for it. Released, or left, when it is destroyed.
class DownloadSlots::Slot {
  public:
    Slot(const boost::asio::any_io_executor& executor, const DownloadSlots& slots, std::string destination)
        : timer_(executor), state_(slots.state_), destination_(std::move(destination)) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot();

    /// Waits until it has the slot; false if the client went away first. Call it once. Cancellable through Asio (throws
    /// operation_aborted).
    [[nodiscard]] boost::asio::awaitable<bool> take(http::Exchange& exchange);

  private:
    friend struct State;

    boost::asio::steady_timer timer_;
    std::shared_ptr<State> state_;
    std::string destination_;
    bool waits_ = false;
    bool has_ = false;
};

}  // namespace lihandover::objectserver
