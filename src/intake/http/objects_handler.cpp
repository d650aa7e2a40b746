#include "http/objects_handler.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "http/answers.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/base/hex.hpp"
#include "pipeline/wiped_buffer.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

constexpr std::size_t longest_id = 256;
constexpr std::size_t buffer_size = std::size_t{256} * 1024;

http::Response too_large_answer() {
    return error_answer(413, "the object is larger than intake.max_object_size");
}

// An object on its way. What is not finished goes with its file, which is not for the I/O thread to wait for.
class Writing {
  public:
    Writing(asio::any_io_executor workers, std::unique_ptr<store::ObjectWriter> writer)
        : workers_(std::move(workers)), writer_(std::move(writer)) {}
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ~Writing() {
        asio::post(workers_, [writer = std::move(writer_)] {});
    }
    store::ObjectWriter* operator->() const { return writer_.get(); }

  private:
    asio::any_io_executor workers_;
    std::unique_ptr<store::ObjectWriter> writer_;
};

// Fills the buffer as far as the body goes.
asio::awaitable<http::BodyResult<std::size_t>> fill(http::Exchange& exchange, std::span<char> buffer) {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
        const auto got = co_await exchange.read_some(buffer.subspan(filled));
        if (got.has_error()) {
            co_return got.error();
        }
        if (*got == 0) {
            break;
        }
        filled += *got;
    }
    co_return filled;
}

}  // namespace

std::optional<std::string> object_id_of(std::string_view path) {
    path.remove_prefix(std::min(objects_path.size(), path.size()));
    std::string id;
    while (!path.empty()) {
        char c = path.front();
        std::size_t used = 1;
        if (c == '/') {
            return std::nullopt;
        }
        if (c == '%') {
            const int byte = base::hex_byte(path.substr(1));
            if (byte < 0) {
                return std::nullopt;
            }
            c = static_cast<char>(byte);
            used = 3;
        }
        if (c <= ' ' || c > '~' || id.size() == longest_id) {
            return std::nullopt;
        }
        id += c;
        path.remove_prefix(used);
    }
    return id.empty() ? std::nullopt : std::optional(std::move(id));
}

asio::awaitable<void> ObjectsHandler::handle(http::Exchange& exchange) {
    auto id = object_id_of(exchange.path());
    auto response = refuse_unread(exchange, id);
    if (!response) {
        response = co_await receive(exchange, std::move(*id));
    }
    if (response) {
        metrics_.answered(static_cast<int>(response->status));
        co_await exchange.respond(std::move(*response));
    }
}

std::optional<http::Response> ObjectsHandler::refuse_unread(const http::Exchange& exchange,
                                                            const std::optional<std::string>& id) {
    if (exchange.method() != "PUT") {
        auto response = error_answer(405, "objects are sent by PUT");
        response.fields.emplace_back("Allow", "PUT");
        return response;
    }
    if (!id) {
        return error_answer(400, "an object's id has 1 to 256 bytes of visible ASCII, percent-encoded where needed");
    }
    const auto encoding = exchange.header("Content-Encoding");
    if (encoding && *encoding != "identity") {
        auto response = error_answer(415, "objects are taken as they are, without a Content-Encoding");
        response.fields.emplace_back("Accept-Encoding", "identity");
        return response;
    }
    if (exchange.header("Content-Range")) {
        return error_answer(400, "objects are taken whole, without a Content-Range");
    }
    if (exchange.content_length().value_or(0) > services_.snapshot.get()->limits.max_object_size) {
        return too_large_answer();
    }
    if (!services_.items.accepting() || !uploads_.has_room(*id)) {
        return unavailable_answer();
    }
    return std::nullopt;
}

asio::awaitable<std::optional<http::Response>> ObjectsHandler::receive(http::Exchange& exchange, std::string id) {
    const std::uint64_t max = services_.snapshot.get()->limits.max_object_size;
    store::BinaryObjects& objects = services_.objects;
    const auto size = static_cast<std::size_t>(
        std::clamp<std::uint64_t>(exchange.content_length().value_or(buffer_size), 1, buffer_size));
    BodyBudget::Share share(services_.budget);
    co_await share.take(size);
    WipedBuffer buffer(size);

    auto opened = co_await base::run_on(services_.workers, [&objects] { return objects.writer(); });
    if (!opened) {
        co_return unavailable_answer();
    }
    const Writing writing(services_.workers, std::move(*opened));
    std::uint64_t total = 0;
    for (;;) {
        const auto got = co_await fill(exchange, buffer.bytes());
        if (got.has_error()) {
            // Not finished: the earlier object of that id stays.
            co_return got.error() == http::BodyFailure::timeout
                ? std::optional(error_answer(408, "the object did not arrive in time"))
                : std::nullopt;
        }
        total += *got;
        if (total > max) {
            co_return too_large_answer();
        }
        const std::span<const char> bytes = buffer.bytes().first(*got);
        if (!bytes.empty()) {
            const auto written = co_await base::run_on(services_.workers, [&] { return writing->write(bytes); });
            if (!written) {
                co_return unavailable_answer();
            }
        }
        if (*got < buffer.size()) {
            break;
        }
    }
    auto sealed = co_await base::run_on(services_.workers, [&] { return writing->finish(); });
    if (!sealed) {
        co_return unavailable_answer();
    }
    const auto put = uploads_.put(std::move(id), std::move(*sealed));
    if (put == PendingUploads::Put::full) {
        co_return unavailable_answer();
    }
    metrics_.objects.add();
    metrics_.object_bytes.add(total);
    http::Response response;
    response.status = put == PendingUploads::Put::added ? 201 : 204;
    co_return response;
}

}  // namespace lihandover::intake
