#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <string>

#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/body_budget.hpp"

namespace lihandover::intake {

/// Reads the body of a request into `body`, taking its bytes from the share as they arrive. Bodies of at most
/// BodyBudget::small_body are read at once. False if there was no room for it within `limit`.
[[nodiscard]] boost::asio::awaitable<http::BodyResult<bool>> read_request_body(http::Exchange& exchange,
                                                                               BodyBudget::Share& share,
                                                                               std::string& body, std::size_t max,
                                                                               std::chrono::milliseconds limit);

}  // namespace lihandover::intake
