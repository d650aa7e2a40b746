// What an operator's program asks of the control socket.

#include <string>

#include "control_api.hpp"
#include "fuzz.hpp"

namespace {

using namespace lihandover;

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        out += c == '"' || c == '\\' ? "\\" : "";
        out += c;
    }
    return out + '"';
}

// The same decision in other words.
std::string written(const admin::Decision& decision) {
    std::string out = "{";
    const auto member = [&out](std::string_view name, const std::string& value) {
        out += (out.size() > 1 ? "," : "") + in_quotes(name) + ':' + value;
    };
    if (!decision.ids.empty()) {
        std::string ids = "[";
        for (const auto& id : decision.ids) {
            ids += (ids.size() > 1 ? "," : "") + in_quotes(id.to_string());
        }
        member("ids", ids + "]");
    }
    if (!decision.destination.empty()) {
        member("destination", in_quotes(decision.destination));
    }
    if (decision.code) {
        member("code", std::to_string(*decision.code));
    }
    if (!decision.reason.empty()) {
        member("reason", in_quotes(decision.reason));
    }
    if (!decision.operator_name.empty()) {
        member("operator", in_quotes(decision.operator_name));
    }
    return out + "}";
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact body({reinterpret_cast<const char*>(data), size});
    const auto decision = admin::parse_decision(body.view());
    if (!decision) {
        must(!decision.error().message.empty(), "a refusal has its reason");
        return;
    }
    must(decision->ids.size() <= admin::ControlApi::max_ids, "a decision is about so many");
    must(decision->reason.size() <= admin::ControlApi::max_reason, "a reason has its bound");
    must(decision->operator_name.size() <= admin::ControlApi::max_operator, "a name has its bound");
    for (const std::string* text : {&decision->destination, &decision->reason, &decision->operator_name}) {
        must(std::ranges::none_of(*text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
             "no control characters");
    }
    const auto again = admin::parse_decision(written(*decision));
    must(again.has_value(), "in other words it is one too");
    must(again->ids == decision->ids && again->destination == decision->destination && again->code == decision->code &&
             again->reason == decision->reason && again->operator_name == decision->operator_name,
         "and the same");
}
