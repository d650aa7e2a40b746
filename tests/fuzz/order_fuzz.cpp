// Requests of an operator's program to the control socket.

#include <string>

#include "fuzz.hpp"
#include "order.hpp"

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

// The same order, written differently.
std::string written(const admin::Order& order) {
    std::string out = "{";
    const auto member = [&out](std::string_view name, const std::string& value) {
        out += (out.size() > 1 ? "," : "") + in_quotes(name) + ':' + value;
    };
    if (!order.ids.empty()) {
        std::string ids = "[";
        for (const auto& id : order.ids) {
            ids += (ids.size() > 1 ? "," : "") + in_quotes(id.to_string());
        }
        member("ids", ids + "]");
    }
    if (!order.destination.empty()) {
        member("destination", in_quotes(order.destination));
    }
    if (order.code) {
        member("code", std::to_string(*order.code));
    }
    if (order.confirm_ended) {
        member("confirm_ended", "true");
    }
    if (!order.reason.empty()) {
        member("reason", in_quotes(order.reason));
    }
    if (!order.operator_name.empty()) {
        member("operator", in_quotes(order.operator_name));
    }
    return out + "}";
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact body({reinterpret_cast<const char*>(data), size});
    const auto order = admin::parse_order(body.view());
    if (!order) {
        must(!order.error().message.empty(), "a refusal has its reason");
        return;
    }
    must(order->destination.size() <= admin::Order::max_destination, "a name of a destination has its bound");
    must(order->ids.size() <= admin::Order::max_ids, "an order is about so many");
    must(order->reason.size() <= admin::Order::max_reason, "a reason has its bound");
    must(order->operator_name.size() <= admin::Order::max_operator, "a name has its bound");
    for (const std::string* text : {&order->destination, &order->reason, &order->operator_name}) {
        must(std::ranges::none_of(*text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
             "no control characters");
    }
    const auto again = admin::parse_order(written(*order));
    must(again.has_value(), "in other words it is one too");
    must(again->ids == order->ids && again->destination == order->destination && again->code == order->code &&
             again->confirm_ended == order->confirm_ended && again->reason == order->reason &&
             again->operator_name == order->operator_name,
         "and the same");
}
