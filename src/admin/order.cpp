#include "order.hpp"

#include <simdjson.h>

#include <algorithm>
#include <set>
#include <utility>

namespace lihandover::admin {

namespace {

namespace dom = simdjson::dom;

model::Status take_text(dom::element value, std::string_view name, std::size_t maximum, std::string& out) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS || text.size() > maximum || !is_plain_text(text)) {
        return model::Error{std::string(name) + ": a text of 1 to " + std::to_string(maximum) +
                            " bytes without control characters"};
    }
    out = text;
    return {};
}

model::Status take_ids(dom::element value, std::vector<model::Uuid>& out) {
    bool good = false;
    dom::array array;
    std::set<model::Uuid> seen;
    if (value.get(array) == simdjson::SUCCESS && array.size() != 0 && array.size() <= Order::max_ids) {
        good = true;
        for (const auto element : array) {
            std::string_view text;
            const bool is_text = element.get(text) == simdjson::SUCCESS;
            const auto id = is_text ? model::Uuid::parse(text) : std::nullopt;
            good = good && id.has_value();
            if (id && seen.insert(*id).second) {
                out.push_back(*id);
            }
        }
    }
    if (good) {
        return {};
    }
    return model::Error{"ids: a list of 1 to " + std::to_string(Order::max_ids) + " ObjectIdentifiers"};
}

model::Status take_member(std::string_view name, dom::element value, Order& order) {
    if (name == "ids") {
        return take_ids(value, order.ids);
    }
    if (name == "destination") {
        return take_text(value, name, Order::max_destination, order.destination);
    }
    if (name == "liid") {
        return take_text(value, name, Order::max_liid, order.liid);
    }
    if (name == "digest") {
        return take_text(value, name, Order::max_digest, order.digest);
    }
    if (name == "reason") {
        return take_text(value, name, Order::max_reason, order.reason);
    }
    if (name == "head") {
        return take_text(value, name, Order::max_head, order.head);
    }
    if (name == "form") {
        return take_text(value, name, Order::max_form, order.form);
    }
    if (name == "queued") {
        return take_text(value, name, Order::max_queued, order.queued);
    }
    if (name == "operator") {
        return take_text(value, name, Order::max_operator, order.operator_name);
    }
    if (name == "confirm_ended") {
        if (value.get(order.confirm_ended) != simdjson::SUCCESS) {
            return model::Error{"confirm_ended: true or false"};
        }
        return {};
    }
    if (name == "code") {
        std::uint64_t code = 0;
        if (value.get(code) != simdjson::SUCCESS) {
            return model::Error{"code: a number, zero or more"};
        }
        order.code = code;
        return {};
    }
    return model::Error{
        "an unknown member; known are ids, destination, liid, digest, code, reason, confirm_ended, queued, form, "
        "head, operator"};
}

}  // namespace

bool is_plain_text(std::string_view text) {
    const bool control = std::ranges::any_of(text, [](char byte) {
        const auto value = static_cast<unsigned char>(byte);
        return value < 0x20 || value == 0x7F;
    });
    return !control && text.find_first_not_of(' ') != std::string_view::npos;
}

model::Result<Order> parse_order(std::string_view body) {
    Order order;
    if (body.empty()) {
        return order;
    }
    dom::parser parser;
    dom::object object;
    if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) {
        return model::Error{"the body is no JSON object"};
    }
    std::set<std::string_view> seen;
    for (const auto [name, value] : object) {
        if (!seen.insert(name).second) {
            return model::Error{"a member comes twice"};
        }
        if (const model::Status taken = take_member(name, value, order); !taken) {
            return taken.error();
        }
    }
    return order;
}

boost::asio::awaitable<ReadOrder> read_order(http::Exchange& exchange) {
    ReadOrder result;
    std::string body;
    const auto read = co_await exchange.read_body(body, Order::max_body);
    if (!read) {
        result.bad = {read.error() == http::BodyFailure::too_large ? 413U : 408U, "the body cannot be read"};
        co_return result;
    }
    auto parsed = parse_order(body);
    if (!parsed) {
        result.bad = {400, parsed.error().message};
        co_return result;
    }
    result.order = std::move(*parsed);
    co_return result;
}

std::string name_of_peer(const http::Peer& peer, std::string_view operator_name) {
    auto user = peer.process ? http::user_name(peer.process->uid) : std::string("unknown");
    if (operator_name.empty()) {
        return user;
    }
    return std::string(operator_name) + " (uid " + user + ")";
}

store::Reviewer reviewer_of_peer(const http::Peer& peer, std::string_view operator_name) {
    return {peer.process ? "uid:" + std::to_string(peer.process->uid) : "", name_of_peer(peer, operator_name)};
}

}  // namespace lihandover::admin
