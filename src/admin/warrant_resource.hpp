#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"

namespace lihandover::admin {

/// GET /v1/warrants. On the server's thread; writes long lists on `worker`.
class WarrantResource {
  public:
    WarrantResource(const Parts& parts, boost::asio::any_io_executor worker)
        : control_(parts.control), clock_(parts.clock), worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> list(std::string_view query) const;

  private:
    Control& control_;
    const model::Clock& clock_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
