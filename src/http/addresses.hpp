#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

namespace lihandover::http {

using Endpoint = boost::asio::generic::stream_protocol::endpoint;

/// The order in which a server's addresses are tried: as the name service gave them with families alternating (RFC 8305
/// 4), then those that were overtaken time after time, and last those that failed recently.
class AddressOrder {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// A failure is forgotten after this time: what was down may be back.
    static constexpr std::chrono::minutes memory{5};

    void failed(const Endpoint& address, Time now) { failures_[address] = now; }
    /// Another address was faster, which says little. One that is overtaken so many times in a row is tried after the
    /// others.
    static constexpr unsigned times_to_be_slow = 3;
    void overtaken(const Endpoint& address, Time now);
    void worked(const Endpoint& address) {
        failures_.erase(address);
        overtaken_.erase(address);
    }
    /// Whether each of `addresses` failed; there is at least one.
    [[nodiscard]] bool all_failed(const std::vector<Endpoint>& addresses) const;
    /// `addresses` in the order to try them in. Forgets addresses that are no longer among them.
    [[nodiscard]] std::vector<Endpoint> sorted(const std::vector<Endpoint>& addresses, Time now);

  private:
    struct Overtaken {
        unsigned times = 0;
        Time last;
    };
    std::map<Endpoint, Time> failures_;
    std::map<Endpoint, Overtaken> overtaken_;
};

}  // namespace lihandover::http
