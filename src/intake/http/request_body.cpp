#include "http/request_body.hpp"

#include <algorithm>
#include <span>

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

constexpr std::size_t read_step = std::size_t{64} * 1024;

}  // namespace

asio::awaitable<http::BodyResult<void>> read_request_body(http::Exchange& exchange, BodyBudget::Share& share,
                                                          std::string& body, std::size_t max) {
    const auto length = exchange.content_length();
    if (length && (*length <= BodyBudget::small_body || *length > max)) {
        // Small, or refused unread.
        co_await share.take(std::min<std::size_t>(*length, BodyBudget::small_body));
        co_return co_await exchange.read_body(body, max);
    }
    std::size_t filled = 0;
    body.clear();
    for (;;) {
        if (body.size() - filled < read_step) {
            const std::size_t wanted = filled + 2 * read_step;
            if (share.held() < wanted) {
                co_await share.take(wanted - share.held());
            }
            body.resize(wanted);
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
            co_return http::BodyResult<void>{};
        }
    }
}

}  // namespace lihandover::intake
