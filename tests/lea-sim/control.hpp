#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "lea.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::lea_sim {

/// Answers on the control port, through which a test changes what the LEA does:
///
///     POST /behaviour {"rules":[…]}   replaces the rules
///     GET /behaviour                  how often each rule saw a request and took effect
///     POST /release                   ends the delays that run now
///     GET /totals                     the counts so far
class ControlHandler final : public http::Handler {
  public:
    ControlHandler(Shared& shared, std::function<void()> release) : shared_(shared), release_(std::move(release)) {}

    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

  private:
    [[nodiscard]] std::string behaviour_json() const;
    Shared& shared_;
    std::function<void()> release_;
};

}  // namespace lihandover::lea_sim
