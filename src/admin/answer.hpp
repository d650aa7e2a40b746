#pragma once

#include <string>
#include <string_view>

#include "json_writer.hpp"

namespace lihandover::admin {

/// What the control API answers: a JSON document, or one in each line.
struct Answer {
    unsigned status = 200;
    std::string body;
    std::string_view content_type = "application/json";
    bool content = false;  ///< somebody's content is in it, which is wiped once it has been written
};

/// `sentence` is for the operator.
[[nodiscard]] inline Answer refuse(unsigned status, std::string_view sentence) {
    return {status, error_body(sentence), "application/json"};
}

}  // namespace lihandover::admin
