#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/http/server.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::admin {

/// An operator's order: the body of a POST. The resource checks which members belong to which request.
struct Order {
    std::vector<model::Uuid> ids;  ///< each once, in the order given
    std::string destination;
    std::string liid;
    std::string digest;
    std::optional<std::uint64_t> code;
    std::string reason;
    bool confirm_ended = false;
    std::string queued;         ///< what becomes of what is queued, at a revocation: deliver or hold; empty: deliver
    std::string form;           ///< of content that is asked for; empty: document
    std::string head;           ///< of another daemon's chain (audit::words_of_head)
    std::string operator_name;  ///< empty: the peer's user alone

    static constexpr std::size_t max_body = std::size_t{128} << 10;
    static constexpr std::size_t max_ids = 1000;
    static constexpr std::size_t max_destination = 64;  ///< bytes
    static constexpr std::size_t max_liid = 50;         ///< bytes
    static constexpr std::size_t max_digest = 64;       ///< bytes
    static constexpr std::size_t max_reason = 1000;     ///< bytes
    static constexpr std::size_t max_head = 200;        ///< bytes
    static constexpr std::size_t max_form = 16;         ///< bytes
    static constexpr std::size_t max_queued = 16;       ///< bytes
    static constexpr std::size_t max_operator = 64;     ///< bytes
};

/// Text that an operator types and others read later: no control characters, not only blanks.
[[nodiscard]] bool is_plain_text(std::string_view text);

/// Reads a body, which may be empty. The error is for the operator.
[[nodiscard]] model::Result<Order> parse_order(std::string_view body);

/// The status to refuse with, and why.
struct BadOrder {
    unsigned status = 400;
    std::string sentence;
};

struct ReadOrder {
    std::optional<Order> order;
    BadOrder bad;  ///< where there is none
};

/// The order of a request.
[[nodiscard]] boost::asio::awaitable<ReadOrder> read_order(http::Exchange& exchange);

/// Who decides: the user that the kernel vouches for, and the given name beside it. Looks the user up, which may block.
[[nodiscard]] std::string name_of_peer(const http::Peer& peer, std::string_view operator_name);
/// The same for decisions that need two people: whoever has another name has the same identity.
[[nodiscard]] store::Reviewer reviewer_of_peer(const http::Peer& peer, std::string_view operator_name);

}  // namespace lihandover::admin
