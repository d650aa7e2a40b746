#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::admin {

/// Of the files of one set, together.
inline constexpr std::size_t max_set_files = 100'000;
inline constexpr std::size_t max_set_bytes = std::size_t{32} << 20U;

/// The body of a request for a set; without who asks. The error is for the operator.
///   operator_name  the name that was given beside the user
[[nodiscard]] model::Result<WarrantSetRequest> parse_warrant_set(std::string_view body, std::string& operator_name);

/// POST /v1/apply-warrants and /v1/compare-warrants. On the server's thread; what takes long runs on `worker`. Takes
/// one set at a time, since it may be large.
class WarrantSetResource {
  public:
    WarrantSetResource(const Parts& parts, boost::asio::any_io_executor worker)
        : control_(parts.control), worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> take(http::Exchange& exchange, bool apply) const;

  private:
    [[nodiscard]] boost::asio::awaitable<Answer> take_alone(http::Exchange& exchange, bool apply) const;

    Control& control_;
    boost::asio::any_io_executor worker_;
    mutable bool busy_ = false;
};

}  // namespace lihandover::admin
