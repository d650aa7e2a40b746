#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <list>

namespace lihandover::intake {

/// Bounds the bytes of one source's request bodies that are in memory at one time. A body that wants more than is left
/// waits, and its connection is not read meanwhile.
///
/// Each body takes its bytes as they arrive, so that a declared length costs nothing. The first `exempt` bytes of a
/// body never wait: small requests get through however many large ones are stuck (they are bounded by the number of
/// connections). Of the waiting bodies, the one that came first may exceed the budget. So at least one of them ends,
/// and no number of half-read bodies can block one another for good.
///
/// Used on one thread, that of `executor`'s io_context.
class BodyBudget {
  public:
    /// What a request may hold without waiting: a batch of a few hundred events.
    static constexpr std::size_t small_body = std::size_t{128} * 1024;

    BodyBudget(boost::asio::any_io_executor executor, std::size_t bytes, std::size_t exempt = small_body);
    BodyBudget(const BodyBudget&) = delete;
    BodyBudget& operator=(const BodyBudget&) = delete;

    /// What one body holds; released at its end.
    class Share {
      public:
        explicit Share(BodyBudget& budget);
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        ~Share();

        /// Completes with true once `bytes` more may be held, or with false after `limit`. Throws only when cancelled
        /// (boost::system::system_error).
        [[nodiscard]] boost::asio::awaitable<bool> take(std::size_t bytes, std::chrono::milliseconds limit);
        /// Takes them if that needs no waiting.
        [[nodiscard]] bool try_take(std::size_t bytes);
        [[nodiscard]] std::size_t held() const { return held_; }

      private:
        BodyBudget& budget_;
        std::size_t held_ = 0;
    };

    /// That of the thread it is used on.
    [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }
    /// Bytes held now, exempt ones included.
    [[nodiscard]] std::size_t held() const { return held_; }
    /// Bodies that wait.
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  private:
    struct Waiter;
    void wake();

    boost::asio::any_io_executor executor_;
    std::size_t bytes_;
    std::size_t exempt_;
    std::size_t held_ = 0;
    std::list<Waiter*> waiting_;
    const Share* privileged_ = nullptr;
};

}  // namespace lihandover::intake
