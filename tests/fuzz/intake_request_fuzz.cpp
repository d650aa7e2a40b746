// Requests to intake, events with their attachments and uploaded objects alike: answered once, with a right count, and
// alike whether or not anything in them is under a warrant (promise 7).
//   input   a byte of flags, then requests: a line `METHOD TARGET`, fields, an empty line, bytes of the body up to a
//           line of three dashes

#include <simdjson.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../intake/support.hpp"
#include "fuzz.hpp"
#include "lihandover/intake/http/events_handler.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::intake;
using fuzz::must;
namespace asio = boost::asio;

constexpr std::size_t max_event = 4096;
constexpr std::size_t max_request = 16384;
constexpr std::size_t max_object = 2048;

struct Request {
    std::string method;
    std::string target;
    std::map<std::string, std::string, std::less<>> fields;  ///< names in lower case
    std::string body;
    bool chunked = false;
};

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return out;
}

/// A request in memory.
class Exchange final : public http::Exchange {
  public:
    explicit Exchange(const Request& request) : request_(request), rest_(request.body) {}

    [[nodiscard]] std::string_view method() const override { return request_.method; }
    [[nodiscard]] std::string_view target() const override { return request_.target; }
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const override {
        const auto found = request_.fields.find(lower(name));
        return found == request_.fields.end() ? std::nullopt : std::optional<std::string_view>(found->second);
    }
    [[nodiscard]] std::optional<std::uint64_t> content_length() const override {
        return request_.chunked ? std::nullopt : std::optional<std::uint64_t>(request_.body.size());
    }
    [[nodiscard]] const http::Peer& peer() const override { return peer_; }
    asio::awaitable<http::BodyResult<void>> read_body(std::string& body, std::size_t max) override {
        if (request_.body.size() > max) {
            co_return http::BodyFailure::too_large;
        }
        body = std::exchange(rest_, {});
        body.reserve(body.size() + body_slack);
        co_return http::BodyResult<void>{};
    }
    asio::awaitable<http::BodyResult<std::size_t>> read_some(std::span<char> buffer) override {
        const std::size_t count = std::min({buffer.size(), rest_.size(), std::size_t{1000}});
        std::copy_n(rest_.begin(), count, buffer.begin());
        rest_.remove_prefix(count);
        co_return count;
    }
    [[nodiscard]] bool expects_continue() const override { return request_.fields.contains("expect"); }
    void withhold_continue() override {}
    asio::awaitable<bool> respond(http::Response response) override {
        must(!answer, "a request is answered once");
        answer = std::move(response);
        co_return true;
    }
    asio::awaitable<bool> respond(http::Response /*response*/, http::BodySource& /*source*/) override {
        must(false, "answers of intake are short");
        co_return false;
    }
    void abort() override {}

    std::optional<http::Response> answer;

  private:
    const Request& request_;
    std::string_view rest_;
    http::Peer peer_;
};

std::vector<Request> read_requests(fuzz::Input& input, bool chunked) {
    std::vector<Request> requests;
    while (!input.done() && requests.size() < 4) {
        Request request;
        request.chunked = chunked;
        const std::string first(input.line());
        const auto space = std::min(first.find(' '), first.size());
        request.method = first.substr(0, space);
        request.target = first.substr(std::min(space + 1, first.size()));
        for (std::string_view line = input.line(); !line.empty(); line = input.line()) {
            const auto colon = std::min(line.find(": "), line.size());
            request.fields.emplace(lower(line.substr(0, colon)), line.substr(std::min(colon + 2, line.size())));
        }
        bool begun = false;
        for (std::string_view line = input.line(); line != "---"; line = input.line()) {
            request.body += (begun ? "\n" : "") + std::string(line);
            begun = true;
            if (input.done()) {
                break;
            }
        }
        requests.push_back(std::move(request));
    }
    return requests;
}

/// Lines that are not blank.
std::size_t count_events(std::string_view body, bool ndjson) {
    if (body.starts_with("\xEF\xBB\xBF")) {
        body.remove_prefix(3);
    }
    if (!ndjson) {
        return body.find_first_not_of(" \t\r\n") == std::string_view::npos ? 0 : 1;
    }
    std::size_t count = 0;
    while (!body.empty()) {
        const auto end = std::min(body.find('\n'), body.size());
        count += body.substr(0, end).find_first_not_of(" \t\r") == std::string_view::npos ? 0 : 1;
        body.remove_prefix(std::min(end + 1, body.size()));
    }
    return count;
}

void check_counts(const Request& request, const http::Response& answer) {
    static simdjson::dom::parser parser;
    simdjson::dom::object object;
    must(parser.parse(answer.body).get(object) == simdjson::SUCCESS, "an answer is JSON");
    std::uint64_t accepted = 0;
    if (object["accepted"].get(accepted) != simdjson::SUCCESS) {
        std::string_view error;
        must(object["error"].get(error) == simdjson::SUCCESS && !error.empty(), "a refusal says why");
        return;
    }
    std::uint64_t refused = 0;
    simdjson::dom::array listed;
    if (object["rejected"].get(listed) == simdjson::SUCCESS) {
        std::uint64_t last = 0;
        for (const auto one : listed) {
            std::uint64_t line = 0;
            must(one["line"].get(line) == simdjson::SUCCESS && line > last, "lines are named in order");
            must(one["reason"].is_string() && one["field"].is_string(), "with field and reason");
            last = line;
            ++refused;
        }
        must(last <= static_cast<std::uint64_t>(std::ranges::count(request.body, '\n')) + 1, "a line there is");
    }
    std::uint64_t unlisted = 0;
    refused += object["unlisted"].get(unlisted) == simdjson::SUCCESS ? unlisted : 0;
    const bool ndjson = lower(request.fields.at("content-type")).find("ndjson") != std::string::npos;
    must(accepted + refused == count_events(request.body, ndjson), "every event is counted once");
    must((answer.status == 202) == (refused == 0), "202 where all were taken");
}

struct Result {
    std::vector<http::Response> answers;
    std::size_t groups = 0;
    std::size_t items = 0;
};

Result run(const std::vector<Request>& requests, std::shared_ptr<const Snapshot> first) {
    static metrics::Metrics metrics;
    static asio::io_context io{1};
    const lihandover::test::ManualClock clock{intake::testing::noon};
    intake::testing::TestStore store;
    const CurrentSnapshot snapshot(std::move(first));
    BodyBudget budget(io.get_executor(), std::size_t{1} << 20U);
    EventsHandler handler(
        "local", metrics.source("local"),
        {store.item_intake(), store.object_intake(), snapshot, budget, clock, io.get_executor(), nullptr});
    Result result;
    for (const Request& request : requests) {
        Exchange exchange(request);
        bool done = false;
        asio::co_spawn(io, handler.handle(exchange), [&](const std::exception_ptr& failure) {
            must(failure == nullptr, "nothing is thrown");
            done = true;
        });
        while (!done) {
            io.restart();
            if (io.poll() > 0 || done) {
                continue;
            }
            store.settle();
            io.restart();
            must(io.poll() > 0 || done, "a handler does not wait for nothing");
        }
        must(exchange.answer.has_value(), "a request is answered");
        must(budget.held() == 0, "and its memory given back");
        result.answers.push_back(std::move(*exchange.answer));
    }
    handler.stop();
    io.restart();
    io.poll();
    for (const auto& group : store.groups()) {
        ++result.groups;
        for (const auto& item : group) {
            model::Share share;
            must(model::decode_share(item.share, share).has_value(), "an item can be read");
            ++result.items;
        }
    }
    return result;
}

std::shared_ptr<Snapshot> limited(const std::vector<warrants::Warrant>& all) {
    auto made = intake::testing::snapshot(all);
    made->limits.max_event_size = max_event;
    made->limits.max_request_size = max_request;
    made->limits.max_object_size = max_object;
    made->metadata_parameters = {"status"};
    return made;
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    static const auto nobody = limited({});
    static const auto everybody = [] {
        auto one = intake::testing::warrant("LIID-1", "u-1");
        auto two = intake::testing::warrant("LIID-2", "u-1");
        auto three = intake::testing::warrant("LIID-3", "u-2");
        two.deliver = {.metadata = true, .content = true, .binary = true, .location = true};
        three.deliver = {.metadata = false, .content = false, .binary = true, .location = false};
        return limited({one, two, three});
    }();
    fuzz::Input input(data, size);
    const bool chunked = (input.byte() & 1U) != 0;
    const auto requests = read_requests(input, chunked);
    const Result without = run(requests, nobody);
    const Result with = run(requests, everybody);
    must(without.items == 0, "no warrant, no item");
    must(with.groups == without.groups, "as many commits with warrants as without");
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto& answer = without.answers[i];
        must(answer.status == with.answers[i].status && answer.body == with.answers[i].body &&
                 answer.fields == with.answers[i].fields,
             "an answer says nothing of warrants");
        must(answer.body.size() < 1'000'000, "an answer is bounded");
        if (requests[i].target == "/v1/events" && (answer.status == 202 || answer.status == 422)) {
            check_counts(requests[i], answer);
        } else {
            static simdjson::dom::parser parser;
            must(answer.body.empty() || parser.parse(answer.body).is_object(), "an answer is JSON");
        }
    }
}
