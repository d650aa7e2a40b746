#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "lihandover/http/read_ahead.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/objects.hpp"
#include "link_share.hpp"
#include "peer_pace.hpp"

namespace lihandover::delivery {

/// Hands out the turns that a LinkShare decides about, on the delivery thread. One grant per turn of the event loop,
/// so that messages and answers get in between.
class Pump : public std::enable_shared_from_this<Pump> {
  public:
    /// Taken off when it goes. Stays where it is in memory.
    class Member : public LinkShare::Member {
      public:
        Member(std::shared_ptr<Pump> pump, bool is_small, bool is_emergency);
        Member(const Member&) = delete;
        Member& operator=(const Member&) = delete;
        ~Member();

        /// Waits until some of `bytes` may be sent; 0 after cancel().
        boost::asio::awaitable<std::size_t> turn(std::uint64_t bytes);
        /// Ends turn(), also later ones.
        void cancel();

      private:
        friend class Pump;
        std::shared_ptr<Pump> pump_;
        boost::asio::steady_timer bell_;
        std::size_t granted_ = 0;
        bool cancelled_ = false;
    };

    Pump(const boost::asio::any_io_executor& executor, const model::Clock& clock);
    void limit(std::optional<std::uint64_t> bytes_per_second);

  private:
    void post_step();
    void step();

    boost::asio::any_io_executor executor_;
    const model::Clock& clock_;
    LinkShare share_;
    boost::asio::steady_timer timer_;  ///< of the limit
    bool posted_ = false;
};

/// The body of one upload: unsealed on the pool, sent as the pump lets it.
class UploadSource final : public http::BodySource {
  public:
    struct Parts {
        boost::asio::any_io_executor executor;
        boost::asio::any_io_executor pool;
        const model::Clock& clock;
        const store::ObjectLookup& objects;
        std::shared_ptr<const store::SealedObject> object;
        std::shared_ptr<Pump> pump;
        bool small = false;
        bool emergency = false;
        metrics::Counter sent;
        /// Called when the first bytes are asked for: the peer wants the body.
        std::function<void()> wanted;
    };
    explicit UploadSource(Parts parts);

    [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override;

    /// Ends what it waits for.
    void cancel();
    /// Bytes given to the connection.
    [[nodiscard]] std::uint64_t given() const { return given_; }
    [[nodiscard]] bool given_whole() const { return given_ == size_; }
    /// The peer takes less of it than PeerPace demands in `time` of waiting for it.
    [[nodiscard]] bool is_too_slow(std::chrono::milliseconds time) { return pace_.too_slow(clock_.steady(), time); }

  private:
    const model::Clock& clock_;
    std::uint64_t size_;
    std::uint64_t given_ = 0;
    PeerPace pace_;
    std::size_t credit_ = 0;
    metrics::Counter sent_;
    std::function<void()> wanted_;
    Pump::Member member_;
    http::ReadAhead ahead_;
};

}  // namespace lihandover::delivery
