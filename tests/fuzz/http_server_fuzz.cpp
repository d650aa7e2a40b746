// Our HTTP server against whatever a client sends: it ends, it answers by its rules, and it sees the requests that a
// plain reading of RFC 9112 finds, whatever pieces they came in. The first byte says in what pieces.

#include <boost/asio/co_spawn.hpp>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "loop.hpp"
#include "session.hpp"

namespace {

using namespace lihandover;
using fuzz::must;
namespace asio = boost::asio;

constexpr std::size_t max_body = 1000;
constexpr std::size_t max_header = 1024;

struct Seen {
    std::string method;
    std::string target;
    std::optional<std::string> body;  ///< where all of it was read
    friend bool operator==(const Seen&, const Seen&) = default;
};

/// Answers by path, and notes what it saw.
class Handler final : public http::Handler {
  public:
    asio::awaitable<void> handle(http::Exchange& exchange) override {
        Seen seen{std::string(exchange.method()), std::string(exchange.target()), {}};
        must(!seen.method.empty() && !seen.target.empty(), "a request has a method and a target");
        must(seen.target.size() <= 256, "a target has its bound");
        const auto path = exchange.path();
        const auto length = exchange.content_length();
        if (path == "/throw") {
            requests.push_back(seen);
            throw std::runtime_error("no");
        }
        unsigned status = 200;
        if (path == "/some") {
            std::string body;
            std::array<char, 7> some{};
            for (;;) {
                const auto got = co_await exchange.read_some(some);
                if (got.has_error()) {
                    break;
                }
                if (*got == 0) {
                    seen.body = body;
                    break;
                }
                body.append(some.data(), *got);
            }
        } else if (path == "/ignore") {
            ignored = ignored || length != 0;
        } else if (path != "/silent") {
            std::string body;
            const auto read = co_await exchange.read_body(body, max_body);
            if (read.has_error()) {
                status = read.error() == http::BodyFailure::too_large ? 413 : 400;
            } else {
                must(body.size() <= max_body, "a body has its bound");
                must(body.capacity() >= body.size() + http::Exchange::body_slack, "there is room behind a body");
                seen.body = body;
            }
        }
        if (seen.body && length) {
            must(seen.body->size() == *length, "a body is as long as it was said to be");
        }
        fuzz::touch(exchange.header("no-such-field-here").value_or(""));
        requests.push_back(seen);
        if (path == "/silent") {
            co_return;
        }
        http::Response response;
        response.status = path == "/204" ? 204 : status;
        response.body = response.status == 204 ? "" : "body";
        response.close = path == "/close";
        static_cast<void>(co_await exchange.respond(std::move(response)));
    }

    std::vector<Seen> requests;
    bool ignored = false;  ///< a body was left where it was: whether the connection goes on depends on what is there
};

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return out;
}

/// Takes a line without its end; false if there is none.
bool take_line(std::string_view& rest, std::string_view& line) {
    const auto end = rest.find("\r\n");
    if (end == std::string_view::npos) {
        return false;
    }
    line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return true;
}

using Fields = std::multimap<std::string, std::string>;

/// The request line without its body. False if it is invalid.
bool take_first_line(std::string_view& rest, Seen& out) {
    std::string_view line;
    if (!take_line(rest, line)) {
        return false;
    }
    const auto first = line.find(' ');
    const auto second = line.find(' ', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos || line.find(' ', second + 1) != std::string_view::npos) {
        return false;
    }
    out = {std::string(line.substr(0, first)), std::string(line.substr(first + 1, second - first - 1)), {}};
    const std::string_view version = line.substr(second + 1);
    return version == "HTTP/1.1" || version == "HTTP/1.0";
}

/// All fields up to the empty line. False if that does not come, or something else does.
bool take_fields(std::string_view& rest, Fields& fields) {
    std::string_view line;
    while (take_line(rest, line)) {
        if (line.empty()) {
            return true;
        }
        const auto colon = line.find(':');
        if (colon == 0 || colon == std::string_view::npos || is_blank(line.front()) || is_blank(line[colon - 1])) {
            return false;
        }
        fields.emplace(lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    }
    return false;
}

/// The body, if it is complete. False if `digits` is not a length.
bool take_sized_body(std::string_view& rest, const std::string& digits, Seen& out) {
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
        return false;
    }
    // More than there is, however many digits.
    const bool vast = digits.find_first_not_of('0') != std::string::npos && digits.size() > 30;
    std::size_t length = 0;
    for (const char c : digits) {
        length = std::min<std::size_t>(length * 10 + static_cast<std::size_t>(c - '0'), std::size_t{1} << 32U);
    }
    if (!vast && length <= rest.size()) {
        out.body = std::string(rest.substr(0, length));
        rest.remove_prefix(length);
    } else {
        rest = {};
    }
    return true;
}

/// The body, if it is complete.
void take_chunked_body(std::string_view& rest, Seen& out) {
    std::string body;
    std::string_view line;
    for (;;) {
        if (!take_line(rest, line)) {
            return;
        }
        const std::string_view digits = trimmed(line.substr(0, line.find(';')));
        if (digits.empty() || digits.size() > 16 ||
            digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
            return;
        }
        const std::size_t size = std::stoull(std::string(digits), nullptr, 16);
        if (size == 0) {
            break;
        }
        if (rest.size() < 2 || size > rest.size() - 2 || rest.substr(size, 2) != "\r\n") {
            return;
        }
        body += rest.substr(0, size);
        rest.remove_prefix(size + 2);
    }
    while (take_line(rest, line)) {  // trailer
        if (line.empty()) {
            out.body = body;
            return;
        }
    }
}

/// The next request by a plain reading. False if there is none; without a body if that is not complete.
bool take_request(std::string_view& rest, Seen& out) {
    while (rest.starts_with("\r\n")) {
        rest.remove_prefix(2);
    }
    Fields fields;
    if (!take_first_line(rest, out) || !take_fields(rest, fields)) {
        return false;
    }
    const auto lengths = fields.count("content-length");
    const auto codings = fields.count("transfer-encoding");
    if (lengths + codings > 1) {
        return false;
    }
    if (lengths == 1) {
        return take_sized_body(rest, fields.find("content-length")->second, out);
    }
    if (codings == 0) {
        out.body = "";
        return true;
    }
    if (lower(fields.find("transfer-encoding")->second) != "chunked") {
        return false;
    }
    take_chunked_body(rest, out);
    return true;
}

void check_seen(const std::vector<Seen>& requests, std::string_view bytes) {
    for (const Seen& seen : requests) {
        Seen plain;
        must(take_request(bytes, plain), "what the handler saw is a request");
        must(plain.method == seen.method && plain.target == seen.target, "the handler saw this request");
        must(!seen.body || seen.body == plain.body, "and this body");
    }
}

/// Statuses of the final answers, in order.
std::vector<int> check_answers(std::string_view bytes, const Handler& handler) {
    std::vector<int> statuses;
    bool closes = false;
    std::size_t interim = 0;
    while (!bytes.empty()) {
        must(!closes, "nothing follows the last answer");
        must(bytes.starts_with("HTTP/1.1 "), "an answer begins like one");
        const auto end = bytes.find("\r\n\r\n");
        must(end != std::string_view::npos, "a head ends");
        const std::string head(bytes.substr(0, end + 2));
        bytes.remove_prefix(end + 4);
        const int status = std::stoi(head.substr(9, 3));
        if (status == 100) {
            must(head == "HTTP/1.1 100 Continue\r\n", "an interim answer says no more");
            ++interim;
            continue;
        }
        must(status >= 200 && status <= 599, "an answer has a status");
        closes = head.find("\r\nConnection: close\r\n") != std::string::npos;
        const auto at = head.find("\r\nContent-Length: ");
        must((at != std::string::npos) == (status != 204), "an answer has a length, or no body");
        const std::size_t answer = statuses.size();
        const bool head_only = answer < handler.requests.size() && handler.requests[answer].method == "HEAD";
        std::size_t length = at == std::string::npos ? 0 : std::stoul(head.substr(at + 18));
        length = head_only ? 0 : length;
        must(length <= bytes.size(), "an answer is whole");
        bytes.remove_prefix(length);
        statuses.push_back(status);
    }
    must(statuses.size() <= handler.requests.size() + 1, "one answer for each request, and one to what is none");
    must(interim <= statuses.size() + 1, "one interim answer for each request");
    return statuses;
}

struct Outcome {
    std::vector<Seen> requests;
    std::vector<int> statuses;
    bool ignored = false;
};

Outcome serve(std::string_view bytes, std::size_t piece) {
    static asio::io_context context{1};
    std::array<int, 2> pair{};
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) == 0, "sockets can be had");
    fuzz::FarEnd client(pair[1]);
    Handler handler;
    auto state = std::make_shared<http::ServerState>();
    state->options.limits = {.max_header = max_header, .max_fields = 8, .max_target = 256, .max_connections = 1};
    state->handler = &handler;
    auto session = std::make_shared<http::Session>(context.get_executor(), state);
    must(session->transport().adopt(pair[0], AF_UNIX), "a socket can be taken over");
    bool done = false;
    asio::co_spawn(context, http::Session::run(session), [&](const std::exception_ptr& failure) {
        must(failure == nullptr, "nothing is thrown");
        done = true;
    });
    client.serve(context, bytes, piece, [&] { return done; });
    session.reset();
    context.restart();
    context.poll();
    check_seen(handler.requests, bytes);
    return {handler.requests, check_answers(client.taken(), handler), handler.ignored};
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    if (size > 32768) {
        return;
    }
    fuzz::Input input(data, size);
    const std::size_t piece = input.byte();
    auto whole = serve(input.rest(), 0);
    if (piece != 0) {
        auto pieces = serve(input.rest(), piece);
        if (!whole.ignored && !pieces.ignored) {
            must(whole.requests == pieces.requests, "what is seen does not depend on the pieces");
            // What is not a request and ends in the middle may be refused, or not, since it could have become one.
            for (auto* outcome : {&whole, &pieces}) {
                outcome->statuses.resize(std::min(outcome->statuses.size(), outcome->requests.size()));
            }
            must(whole.statuses == pieces.statuses, "nor what is answered");
        }
    }
}
