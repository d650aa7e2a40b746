#include "http/objects_handler.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "http/answers.hpp"
#include "http/run_within.hpp"
#include "lihandover/base/hex.hpp"
#include "pipeline/wiped_buffer.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

constexpr std::size_t longest_id = 256;
constexpr std::size_t buffer_size = std::size_t{256} * 1024;
// Of uploads beyond those that have large ones.
constexpr std::size_t small_buffer = std::size_t{16} * 1024;
constexpr std::size_t buffers_size = 64 * buffer_size;

// An object on its way; the works that use it own it, since one may hang. What is not finished goes with its file,
// which is for the workers to wait for.
class Upload {
  public:
    Upload(asio::any_io_executor workers, std::size_t size) : workers_(std::move(workers)), buffer_(size) {}
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;
    ~Upload() {
        if (writer_) {
            asio::post(workers_, [writer = std::move(writer_)] {});
        }
    }

    [[nodiscard]] std::span<char> buffer() { return buffer_.bytes(); }

    // On the workers; false, or null, where the store takes nothing.
    [[nodiscard]] bool open(store::ObjectIntake& objects) {
        auto opened = objects.writer();
        if (opened) {
            writer_ = std::move(*opened);
        }
        return opened.has_value();
    }
    [[nodiscard]] bool write(std::size_t bytes) { return writer_->write(buffer().first(bytes)).has_value(); }
    [[nodiscard]] PendingUploads::Sealed finish() {
        auto sealed = writer_->finish();
        return sealed ? std::move(*sealed) : nullptr;
    }

  private:
    asio::any_io_executor workers_;
    WipedBuffer buffer_;
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
    if (auto refusal = refuse_size(exchange.content_length().value_or(0))) {
        return refusal;
    }
    if (!services_.items.accepting() || !uploads_.has_room(*id)) {
        return unavailable_answer();
    }
    return std::nullopt;
}

std::optional<http::Response> ObjectsHandler::refuse_size(std::uint64_t bytes) const {
    if (bytes > services_.snapshot.get()->limits.max_object_size) {
        return error_answer(413, "the object is larger than intake.max_object_size");
    }
    const std::uint64_t most = services_.objects.largest();
    if (bytes > most) {
        return error_answer(413, "the object is larger than store.max_bytes allows");
    }
    // PendingUploads never has room for it.
    if (services_.shared && bytes > most / 2) {
        return error_answer(413, "the object is larger than one source may have uploaded beside others");
    }
    return std::nullopt;
}

ObjectsHandler::ObjectsHandler(const metrics::SourceMetrics& metrics, const Services& services, PendingUploads& uploads)
    : metrics_(metrics),
      services_(services),
      uploads_(uploads),
      buffers_(services.budget.executor(), buffers_size, 0) {}

asio::awaitable<std::optional<http::Response>> ObjectsHandler::receive(http::Exchange& exchange, std::string id) {
    const Limits limits = services_.snapshot.get()->limits;
    const auto deadline = [&limits] { return std::chrono::steady_clock::now() + limits.answer_timeout; };
    const auto wanted = static_cast<std::size_t>(
        std::clamp<std::uint64_t>(exchange.content_length().value_or(buffer_size), 1, buffer_size));
    BodyBudget::Share share(buffers_);
    const auto upload =
        std::make_shared<Upload>(services_.workers, share.try_take(wanted) ? wanted : std::min(wanted, small_buffer));

    const bool known = exchange.content_length().has_value();
    PendingUploads::Arriving arriving(uploads_);
    if (!arriving.take(exchange.content_length().value_or(0))) {
        co_return unavailable_answer();
    }
    auto open = [upload, &objects = services_.objects] { return upload->open(objects); };
    const auto opened = co_await run_within(services_.workers, deadline(), std::move(open));
    if (!opened.value_or(false)) {
        co_return unavailable_answer();
    }
    std::uint64_t total = 0;
    auto until = deadline();
    for (bool more = true; more;) {
        const auto got = co_await fill(exchange, upload->buffer());
        if (got.has_error()) {
            // Not finished: the earlier object of that id stays.
            co_return got.error() == http::BodyFailure::timeout
                ? std::optional(error_answer(408, "the object did not arrive in time"))
                : std::nullopt;
        }
        total += *got;
        if (auto refusal = refuse_size(total)) {
            co_return refusal;
        }
        if (!known && !arriving.take(*got)) {
            co_return unavailable_answer();
        }
        more = *got == upload->buffer().size();
        until = deadline();
        if (*got > 0) {
            auto write = [upload, bytes = *got] { return upload->write(bytes); };
            const auto written = co_await run_within(services_.workers, until, std::move(write));
            if (!written.value_or(false)) {
                co_return unavailable_answer();
            }
        }
    }
    auto finish = [upload] { return upload->finish(); };
    auto sealed = co_await run_within(services_.workers, until, std::move(finish));
    if (!sealed || !*sealed) {
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
