#include "http/answers.hpp"

#include <utility>

#include "http/json_text.hpp"

namespace lihandover::intake {

namespace {

constexpr std::string_view json_type = "application/json";

}  // namespace

void Tally::refuse(std::uint64_t line, Fault fault) {
    ++refused;
    if (listed.size() < max_listed) {
        listed.push_back({line, std::move(fault)});
    }
}

http::Response tally_answer(const Tally& tally, unsigned status_if_refused) {
    http::Response response;
    response.status = tally.refused == 0 ? 202 : status_if_refused;
    response.content_type = json_type;
    std::string& body = response.body;
    body = R"({"accepted":)" + std::to_string(tally.accepted);
    if (tally.refused > 0) {
        body += R"(,"rejected":[)";
        for (const Tally::Refused& refused : tally.listed) {
            body += &refused == tally.listed.data() ? R"({"line":)" : R"(,{"line":)";
            body += std::to_string(refused.line);
            body += R"(,"field":)";
            append_json_string(body, refused.fault.field);
            body += R"(,"reason":)";
            append_json_string(body, refused.fault.reason);
            body += '}';
        }
        body += ']';
        if (tally.refused > tally.listed.size()) {
            body += R"(,"unlisted":)" + std::to_string(tally.refused - tally.listed.size());
        }
    }
    body += '}';
    return response;
}

http::Response error_answer(unsigned status, std::string_view error) {
    http::Response response;
    response.status = status;
    response.content_type = json_type;
    response.body = R"({"error":)";
    append_json_string(response.body, error);
    response.body += '}';
    return response;
}

http::Response unavailable_answer() {
    auto response = error_answer(503, "nothing can be stored at present; send the request again later");
    response.fields.emplace_back("Retry-After", "5");
    return response;
}

}  // namespace lihandover::intake
