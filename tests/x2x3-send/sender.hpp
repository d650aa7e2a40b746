#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "pdus.hpp"

namespace lihandover::x2x3_send {

struct SendOptions {
    TlsOptions tls;
    std::size_t connections = 1;
    /// Which connection a PDU takes: that of its session, the next in turn, or every one of them.
    enum class Deal : std::uint8_t { session, turn, copy } deal = Deal::session;
    std::uint64_t repetitions = 1;  ///< 0: until `duration` is over
    std::optional<std::chrono::nanoseconds> duration;
    double rate = 0;   ///< PDUs per second over all connections; 0: as fast as the receiver reads
    double speed = 0;  ///< times of the flow are kept, so many times as fast; 0: not
    /// Of PDUs: a time for the flow's beginning, the time of sending, or that of the capture.
    enum class Time : std::uint8_t { now, captured, fixed } time = Time::now;
    model::Instant begin;  ///< for `fixed`
    Cuts cuts;
    std::chrono::milliseconds keepalive_interval{60'000};  ///< 0: none but the last
    std::chrono::milliseconds keepalive_timeout{180'000};
    bool keepalive_numbers = true;
    /// Keepalives in a row at the end, whose acknowledgements say that all before them was read.
    std::uint64_t last_keepalives = 1;
    std::optional<std::uint64_t> kill_after;  ///< bytes of each connection
    /// How often, after a connection ended too soon, everything is sent again from the beginning.
    std::uint64_t reconnects = 0;
    std::chrono::milliseconds reconnect_pause{100};
};

struct Sent {
    /// Lost: the receiver ended a connection. Killed: we did, as asked for.
    enum class Outcome : std::uint8_t { done, lost, killed, unacknowledged } outcome = Outcome::done;
    std::string why;
    std::uint64_t pdus = 0;   ///< handed to a connection whole, in the last try
    std::uint64_t bytes = 0;  ///< written, in the last try
    std::uint64_t keepalives = 0;
    std::uint64_t acknowledged = 0;
    std::chrono::nanoseconds slowest_acknowledgement{};
    std::chrono::nanoseconds took{};  ///< of the last try, the last acknowledgement included
    std::uint64_t tries = 1;
};

/// Sends PDUs as a point of interception does. Blocks until all is done. An error is one of opening a connection.
[[nodiscard]] model::Result<Sent> send(PduSequence& pdus, const SendOptions& options);

}  // namespace lihandover::x2x3_send
