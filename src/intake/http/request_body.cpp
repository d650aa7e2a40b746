#include "http/request_body.hpp"

#include <algorithm>
#include <span>

#include "pipeline/wiped_buffer.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

constexpr std::size_t read_step = std::size_t{64} * 1024;

}  // namespace

asio::awaitable<http::BodyResult<bool>> read_request_body(http::Exchange& exchange, BodyBudget::Share& share,
                                                          std::string& body, std::size_t max,
                                                          std::chrono::milliseconds limit) {
    const auto length = exchange.content_length();
    if (length && (*length <= BodyBudget::small_body || *length > max)) {
        // Small, or refused unread.
        const bool taken = co_await share.take(std::min<std::size_t>(*length, BodyBudget::small_body), limit);
        if (!taken) {
            co_return false;
        }
        const auto read = co_await exchange.read_body(body, max);
        co_return read.has_error() ? http::BodyResult<bool>(read.error()) : http::BodyResult<bool>(true);
    }
    std::size_t filled = 0;
    body.clear();
    for (;;) {
        if (body.size() - filled < read_step) {
            const std::size_t wanted = filled + 2 * read_step;
            if (share.held() < wanted) {
                const bool taken = co_await share.take(wanted - share.held(), limit);
                if (!taken) {
                    co_return false;
                }
            }
            resize_wiping(body, wanted);
        }
        const auto got = co_await exchange.read_some(std::span(body).subspan(filled));
        if (got.has_error()) {
            co_return got.error();
        }
        filled += *got;
        if (filled > max) {
            co_return http::BodyFailure::too_large;
        }
        if (*got == 0) {
            body.resize(filled);
            co_return true;
        }
    }
}

}  // namespace lihandover::intake
