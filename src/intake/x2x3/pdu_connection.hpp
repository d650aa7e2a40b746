#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/http/stream_server.hpp"
#include "lihandover/intake/http/body_budget.hpp"
#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/intake/x2x3/door.hpp"
#include "lihandover/intake/x2x3/pdu.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "x2x3/inbox.hpp"
#include "x2x3/receive_memory.hpp"
#include "x2x3/sequence.hpp"
#include "x2x3/source_log.hpp"

namespace lihandover::intake {

/// What the connections of a source share.
struct ConnectionParts {
    Pipeline& pipeline;
    BodyBudget& reading;  ///< what is not cut into PDUs yet
    BodyBudget& waiting;  ///< what is not durable yet; nothing of it is exempt
    Inbox& inbox;
    SequenceCheck& sequences;
    SourceLog& log;
    const metrics::X2x3Metrics& metrics;
    const X2x3Settings& settings;
    /// Called with the number of gaps that were seen.
    std::function<void(std::size_t)> gaps;
};

/// One connection of a point of interception: cuts what comes into PDUs, acknowledges keepalives, and passes on what is
/// of known tasks.
class PduConnection {
  public:
    PduConnection(http::Stream& stream, const ConnectionParts& parts, SequenceCheck::Connection number)
        : stream_(stream), parts_(parts), number_(number), received_(parts.reading) {}
    PduConnection(const PduConnection&) = delete;
    PduConnection& operator=(const PduConnection&) = delete;

    /// Until the connection ends, or can no longer be understood.
    [[nodiscard]] boost::asio::awaitable<void> run();

  private:
    using Clock = http::Stream::Clock;
    enum class Cut : std::uint8_t {
        all,       ///< no whole PDU is left
        slice,     ///< it is another one's turn
        full,      ///< the next one has no room
        clock,     ///< nobody knows when the next one was sent
        warrants,  ///< nobody knows whether a warrant lists its tasks
        lost,      ///< what follows cannot be understood
    };

    [[nodiscard]] bool is_let_in() const;
    /// False at the end.
    [[nodiscard]] boost::asio::awaitable<bool> receive();
    [[nodiscard]] boost::asio::awaitable<http::StreamRead> read_first();
    [[nodiscard]] Clock::time_point deadline() const;
    [[nodiscard]] boost::asio::awaitable<bool> acknowledge();
    [[nodiscard]] boost::asio::awaitable<void> wait_for_room();
    [[nodiscard]] boost::asio::awaitable<void> wait_for_clock();
    [[nodiscard]] boost::asio::awaitable<void> wait_for_warrants();

    [[nodiscard]] Cut cut_slice();
    /// False where there is no room for it.
    [[nodiscard]] bool take(const Moment& moment);
    [[nodiscard]] bool pass_on(const Moment& moment);
    void find_known(const Moment& moment);
    void count(metrics::PduOutcome outcome) { ++counts_[static_cast<std::size_t>(outcome)]; }
    void report();

    http::Stream& stream_;
    const ConnectionParts& parts_;
    SequenceCheck::Connection number_;
    ReceiveMemory received_;
    std::size_t needed_ = 0;                  ///< bytes of the PDU that is not whole
    Clock::time_point begun_ = Clock::now();  ///< when its first bytes came, or the last PDU before it
    bool keeps_alive_ = false;                ///< its peer sends keepalives
    std::shared_ptr<std::size_t> beyond_ = std::make_shared<std::size_t>(0);  ///< bytes that wait beyond the budget
    /// What was read last. The inbox and the processing keep it: an idle connection holds none of the memory.
    std::weak_ptr<Piece> last_piece_;
    std::shared_ptr<Piece> granted_piece_;  ///< of the PDU that waits for room
    std::size_t granted_ = 0;               ///< bytes of its share; that PDU was judged when it came

    // Used within one slice.
    Pdu pdu_;
    std::vector<model::Uuid> known_;
    model::Instant received_at_;
    std::string acknowledgements_;
    std::array<std::uint64_t, metrics::pdu_outcome_names.size()> counts_{};
    std::size_t gaps_ = 0;
    std::size_t unknown_attributes_ = 0;
};

}  // namespace lihandover::intake
