#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

namespace lihandover::http {

using Endpoint = boost::asio::generic::stream_protocol::endpoint;

/// Which of a server's addresses is tried first: what the name service gave, families by turns (RFC 8305 4), those that
/// failed lately last.
class AddressOrder {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// A failure is forgotten after so long: what was out may be back.
    static constexpr std::chrono::minutes memory{5};

    void failed(const Endpoint& address, Time now) { failures_[address] = now; }
    void worked(const Endpoint& address) { failures_.erase(address); }
    /// Whether each of `addresses`, of which there is one at least, failed.
    [[nodiscard]] bool all_failed(const std::vector<Endpoint>& addresses) const;
    /// `addresses` in the order to try them in. Forgets what is not among them any more.
    [[nodiscard]] std::vector<Endpoint> sorted(const std::vector<Endpoint>& addresses, Time now);

  private:
    std::map<Endpoint, Time> failures_;
};

}  // namespace lihandover::http
