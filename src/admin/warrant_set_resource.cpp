#include "warrant_set_resource.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "lihandover/base/background.hpp"
#include "lihandover/warrants/loader.hpp"
#include "order.hpp"

namespace lihandover::admin {

namespace {

namespace dom = simdjson::dom;
using Outcome = WarrantSetAnswer::Outcome;

/// As JSON a text takes more: each line's end two bytes.
constexpr std::size_t max_body = max_set_bytes * 2 + (std::size_t{8} << 20U);
constexpr std::size_t max_place = 4096;
constexpr std::size_t max_name = 255;

constexpr std::array<std::string_view, 4> kind_names = {"added", "changed", "ended", "waits"};

/// As the daemon takes it from a directory, and no path.
bool is_file_name(std::string_view name) {
    return name.size() <= max_name && name.ends_with(".yaml") && !name.starts_with('.') &&
           name.find('/') == std::string_view::npos && is_plain_text(name);
}

model::Status take_file(dom::element value, std::size_t& bytes, std::vector<WarrantSetRequest::File>& out) {
    dom::object object;
    std::string_view name;
    std::string_view text;
    if (value.get(object) != simdjson::SUCCESS || object.size() != 2 || object["name"].get(name) != simdjson::SUCCESS ||
        object["text"].get(text) != simdjson::SUCCESS) {
        return model::Error{"files: each has a name and a text"};
    }
    if (!is_file_name(name)) {
        return model::Error{"files: a name ends in .yaml, does not begin with a dot, and is no path"};
    }
    bytes += text.size();
    if (text.size() > warrants::max_warrant_file_size || bytes > max_set_bytes || out.size() == max_set_files) {
        return model::Error{"files: at most 100000, of 1 MiB each and of 32 MiB together"};
    }
    out.push_back({std::string(name), std::string(text)});
    return {};
}

model::Status take_files(dom::element value, std::vector<WarrantSetRequest::File>& out) {
    dom::array array;
    if (value.get(array) != simdjson::SUCCESS) {
        return model::Error{"files: a list"};
    }
    std::size_t bytes = 0;
    for (const dom::element element : array) {
        if (const model::Status taken = take_file(element, bytes, out); !taken) {
            return taken;
        }
    }
    std::ranges::sort(out, {}, &WarrantSetRequest::File::name);
    if (std::ranges::adjacent_find(out, {}, &WarrantSetRequest::File::name) != out.end()) {
        return model::Error{"files: a name comes twice"};
    }
    return {};
}

model::Status take_line(dom::element value, std::string_view name, std::size_t maximum, std::string& out) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS || text.size() > maximum || !is_plain_text(text)) {
        return model::Error{std::string(name) + ": a text without control characters"};
    }
    out = text;
    return {};
}

/// What the HTTP status says of it.
std::pair<unsigned, std::string_view> refusal_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::done:
        case Outcome::bad:
        case Outcome::unconfirmed:
            break;
        case Outcome::elsewhere:
            return {409,
                    "this daemon takes its warrants from warrants_dir: put the files there and reload, or leave "
                    "warrants_dir out of the configuration, with store.engine postgresql, and restart"};
        case Outcome::outdated:
            return {409, "another set was applied meanwhile, and nothing was changed: compare, and apply again"};
        case Outcome::failed:
            return {503,
                    "the set could not be committed now: it counts only if it turns out to be in the database; look "
                    "with `lihandoverctl warrants`, and into the log"};
        case Outcome::not_tried:
            return {503, "nothing was tried, and nothing changes: see the log, and ask again"};
    }
    return {200, {}};
}

std::string_view word_of_outcome(Outcome outcome) {
    return outcome == Outcome::done ? "done" : outcome == Outcome::bad ? "bad" : "unconfirmed";
}

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
    json.key(name).open_array();
    for (const std::string& text : texts) {
        json.text(text);
    }
    json.close_array();
}

Answer answer_of(const WarrantSetAnswer& came) {
    if (const auto [status, sentence] = refusal_of(came.outcome); status != 200) {
        return refuse(status, sentence);
    }
    Answer result;
    JsonWriter json(result.body);
    json.open_object()
        .text("outcome", word_of_outcome(came.outcome))
        .number("version", came.version)
        .boolean("in_force", came.in_force);
    write_texts(json, "problems", came.problems);
    json.key("changes").open_array();
    for (const WarrantSetAnswer::Change& change : came.changes) {
        json.open_object()
            .text("change", kind_names.at(static_cast<std::size_t>(change.kind)))
            .text("destination", change.destination)
            .text("liid", change.liid)
            .text("file", change.file);
        write_texts(json, "difference", change.difference);
        json.close_object();
    }
    json.close_array();
    write_texts(json, "behind", came.behind);
    write_texts(json, "silent", came.silent);
    json.close_object();
    result.body += '\n';
    return result;
}

}  // namespace

model::Result<WarrantSetRequest> parse_warrant_set(std::string_view body, std::string& operator_name) {
    WarrantSetRequest request;
    dom::parser parser;
    dom::object object;
    if (parser.parse(body).get(object) != simdjson::SUCCESS) {
        return model::Error{"the body is no JSON object"};
    }
    std::set<std::string_view> seen;
    for (const auto [name, value] : object) {
        model::Status taken;
        if (!seen.insert(name).second) {
            return model::Error{"a member comes twice"};
        }
        if (name == "files") {
            taken = take_files(value, request.files);
        } else if (name == "place") {
            taken = take_line(value, name, max_place, request.place);
        } else if (name == "operator") {
            taken = take_line(value, name, Order::max_operator, operator_name);
        } else if (name != "confirm_ended" || value.get(request.confirm_ended) != simdjson::SUCCESS) {
            return model::Error{"known members are files, place, confirm_ended (true or false) and operator"};
        }
        if (!taken) {
            return taken.error();
        }
    }
    if (!seen.contains("files") || !seen.contains("place")) {
        return model::Error{"files and place are needed"};
    }
    return request;
}

boost::asio::awaitable<Answer> WarrantSetResource::take(http::Exchange& exchange, bool apply) const {
    if (std::exchange(busy_, true)) {
        co_return refuse(503, "another set of warrants is being looked at: ask again");
    }
    const auto free = [](bool* busy) { *busy = false; };
    const std::unique_ptr<bool, decltype(free)> until_the_end(&busy_, free);
    co_return co_await take_alone(exchange, apply);
}

boost::asio::awaitable<Answer> WarrantSetResource::take_alone(http::Exchange& exchange, bool apply) const {
    std::string body;
    const auto read = co_await exchange.read_body(body, max_body);
    if (!read) {
        co_return refuse(read.error() == http::BodyFailure::too_large ? 413U : 408U, "the body cannot be read");
    }
    std::optional<std::string> problem;
    WarrantSetRequest request;
    auto parse = [&] {
        std::string operator_name;
        auto parsed = parse_warrant_set(body, operator_name);
        if (!parsed) {
            problem = parsed.error().message;
            return;
        }
        request = std::move(*parsed);
        request.who = name_of_peer(exchange.peer(), operator_name);
    };
    co_await base::run_on(worker_, std::move(parse));
    if (problem) {
        co_return refuse(400, *problem);
    }
    body = {};
    request.uid = exchange.peer().process->uid;
    auto start = [&](auto done) {
        control_.take_warrant_set(std::move(request), apply,
                                  [done](WarrantSetAnswer answer) { done(std::move(answer)); });
    };
    const auto came = co_await base::await_callback<WarrantSetAnswer>(std::move(start));
    auto write = [&came] { return answer_of(came); };
    co_return co_await base::run_on(worker_, std::move(write));
}

}  // namespace lihandover::admin
