#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/http/connection.hpp"

namespace lihandover::http {

/// What the head of a request says besides the request itself.
struct RequestFrame {
    std::string_view authority;           ///< for the Host field
    std::string_view fixed_fields;        ///< sent with every request: whole lines
    std::optional<std::uint64_t> length;  ///< of the body; nullopt means chunked
    bool expect_continue = false;
};

/// Writes the head of `request` to `out`, replacing its contents. A space, a line end or a control character where HTTP
/// does not allow it is a programming mistake: std::logic_error.
void write_request_head(std::string& out, const Request& request, const RequestFrame& frame);

}  // namespace lihandover::http
