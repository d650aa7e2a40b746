#include "lihandover/intake/http/events_handler.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "http/answers.hpp"
#include "http/body_format.hpp"
#include "http/event_batch.hpp"
#include "http/objects_handler.hpp"
#include "http/pending_uploads.hpp"
#include "http/request_body.hpp"
#include "lihandover/intake/http/event_parser.hpp"
#include "lihandover/intake/pipeline/pipeline.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// Bodies up to this are read in one go, buffers up to twice of it are kept for the next request.
constexpr std::size_t small_body = BodyBudget::small_body;
constexpr std::size_t kept_buffers = 8;

}  // namespace

class EventsHandler::Impl {
  public:
    Impl(std::string source, const metrics::SourceMetrics& metrics, const Services& services)
        : metrics_(metrics),
          services_(services),
          pipeline_(std::move(source), {services.items, services.objects, services.snapshot, services.clock,
                                        services.workers, services.copier}),
          uploads_(services.snapshot, services.clock, services.budget.executor(), services.workers),
          objects_(metrics_, services_, uploads_),
          batch_parts_{pipeline_,
                       uploads_,
                       metrics_,
                       services.workers,
                       services.copier == nullptr ? nullptr : &services.copier->root(),
                       parser_,
                       event_} {}

    void stop() { uploads_.clear(); }

    asio::awaitable<void> handle(http::Exchange& exchange) {
        if (exchange.path().starts_with(objects_path)) {
            co_await objects_.handle(exchange);
            co_return;
        }
        BodyFormat format{};
        auto refusal = refuse_unread(exchange, format);
        if (refusal) {
            co_await answer(exchange, std::move(*refusal));
            co_return;
        }
        // The share covers the body as long as it is in memory.
        BodyBudget::Share share(services_.budget);
        std::string body = take_buffer();
        auto response = co_await receive(exchange, format, share, body);
        keep_buffer(std::move(body));
        parser_.shrink();
        if (response) {
            co_await answer(exchange, std::move(*response));
        }
    }

  private:
    asio::awaitable<void> answer(http::Exchange& exchange, http::Response response) {
        metrics_.answered(static_cast<int>(response.status));
        co_await exchange.respond(std::move(response));
    }

    // What is wrong before a body is looked at.
    std::optional<http::Response> refuse_unread(const http::Exchange& exchange, BodyFormat& format) const {
        if (exchange.path() != "/v1/events") {
            return error_answer(404, "there are only /v1/events and /v1/objects/{id} here");
        }
        if (exchange.method() != "POST") {
            auto response = error_answer(405, "events are sent by POST");
            response.fields.emplace_back("Allow", "POST");
            return response;
        }
        const auto encoding = exchange.header("Content-Encoding");
        if (encoding && *encoding != "identity") {
            auto response = error_answer(415, "bodies are taken as they are, without a Content-Encoding");
            response.fields.emplace_back("Accept-Encoding", "identity");
            return response;
        }
        const auto found = body_format(exchange.header("Content-Type").value_or(std::string_view{}));
        if (!found) {
            auto response =
                error_answer(415, "Content-Type must be application/json or application/x-ndjson, in UTF-8");
            response.fields.emplace_back("Accept-Post", "application/json, application/x-ndjson");
            return response;
        }
        format = *found;
        // A body that is on its way is read all the same, so that the connection can be kept.
        const bool large = exchange.content_length().value_or(SIZE_MAX) > small_body;
        if ((large || exchange.expects_continue()) && !pipeline_.accepting()) {
            return unavailable_answer();
        }
        return std::nullopt;
    }

    // Reads the body and the events in it. Nullopt when there is nobody left to answer.
    asio::awaitable<std::optional<http::Response>> receive(http::Exchange& exchange, BodyFormat format,
                                                           BodyBudget::Share& share, std::string& body) {
        const Limits limits = services_.snapshot.get()->limits;
        const std::size_t max = format == BodyFormat::json ? std::min(limits.max_event_size, limits.max_request_size)
                                                           : limits.max_request_size;
        const auto read = co_await read_request_body(exchange, share, body, max);
        if (read.has_error()) {
            co_return unread_answer(read.error(), format);
        }
        metrics_.received_bytes.add(body.size());
        EventBatch batch(batch_parts_, body, format);
        if (batch.empty()) {
            co_return error_answer(400, "there is no event in the body");
        }
        if (!pipeline_.accepting()) {
            co_return unavailable_answer();
        }
        co_return co_await batch.take_in();
    }

    std::optional<http::Response> unread_answer(http::BodyFailure failure, BodyFormat format) const {
        switch (failure) {
            case http::BodyFailure::too_large:
                if (format == BodyFormat::json) {
                    metrics_.received.add();
                    metrics_.rejected(metrics::Rejection::too_large).add();
                    return error_answer(413, "the event is larger than intake.max_event_size");
                }
                return error_answer(413, "the body is larger than intake.max_request_size");
            case http::BodyFailure::timeout:
                return error_answer(408, "the body did not arrive in time");
            case http::BodyFailure::broken:
                break;
        }
        return std::nullopt;
    }

    std::string take_buffer() {
        if (buffers_.empty()) {
            return {};
        }
        std::string buffer = std::move(buffers_.back());
        buffers_.pop_back();
        return buffer;
    }
    void keep_buffer(std::string buffer) {
        if (buffers_.size() < kept_buffers && buffer.capacity() <= 2 * small_body) {
            buffer.clear();
            buffers_.push_back(std::move(buffer));
        }
    }

    const metrics::SourceMetrics& metrics_;
    Services services_;
    Pipeline pipeline_;
    EventParser parser_;
    model::Event event_;
    std::vector<std::string> buffers_;
    PendingUploads uploads_;
    ObjectsHandler objects_;
    BatchParts batch_parts_;
};

EventsHandler::EventsHandler(std::string source, const metrics::SourceMetrics& metrics, const Services& services)
    : impl_(std::make_unique<Impl>(std::move(source), metrics, services)) {}

EventsHandler::~EventsHandler() = default;

asio::awaitable<void> EventsHandler::handle(http::Exchange& exchange) {
    return impl_->handle(exchange);
}

void EventsHandler::stop() {
    impl_->stop();
}

}  // namespace lihandover::intake
