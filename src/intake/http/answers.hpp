#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/event_parser.hpp"

namespace lihandover::intake {

/// The outcome of a request's events.
struct Tally {
    struct Refused {
        std::uint64_t line = 0;
        Fault fault;
    };
    /// How many refused events an answer names; the others are only counted.
    static constexpr std::size_t max_listed = 1000;

    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::vector<Refused> listed;

    void refuse(std::uint64_t line, Fault fault);
};

// Answers say nothing about warrants: they are made only from the request, its faults and the store's health.

/// 202, or `status_if_refused` (422, 400) with the list of refused events.
[[nodiscard]] http::Response tally_answer(const Tally& tally, unsigned status_if_refused);

/// `{"error":"…"}`.
[[nodiscard]] http::Response error_answer(unsigned status, std::string_view error);

/// 503 with Retry-After.
[[nodiscard]] http::Response unavailable_answer();

}  // namespace lihandover::intake
