#include "lihandover/intake/http/events_handler.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
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
#include "lihandover/base/task_group.hpp"
#include "lihandover/intake/http/event_parser.hpp"
#include "lihandover/intake/pipeline/pipeline.hpp"
#include "pipeline/wiped_buffer.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// Bodies up to this size are read at once; buffers up to twice this size are kept for the next request.
constexpr std::size_t small_body = BodyBudget::small_body;
constexpr std::size_t kept_buffers = 8;

// A request's body and the work on it. Lives until its answer has left, and longer if the store hangs.
struct Request {
    Request(BodyBudget& budget, std::string buffer)
        : share(budget), body(std::move(buffer)), ended(budget.executor()) {}
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request() { wipe(body); }

    BodyBudget::Share share;
    std::string body;
    std::optional<EventBatch> batch;
    asio::steady_timer ended;
    std::optional<http::Response> response;
    std::exception_ptr thrown;
};

}  // namespace

class EventsHandler::Impl {
  public:
    Impl(std::string source, const metrics::SourceMetrics& metrics, const Services& services)
        : metrics_(metrics),
          services_(services),
          pipeline_(std::move(source), {services.items, services.objects, services.snapshot, services.clock,
                                        services.workers, services.copier}),
          uploads_(services.snapshot, services.clock, services.budget.executor(), services.workers,
                   services.shared ? &services.objects : nullptr),
          objects_(metrics_, services_, uploads_),
          batch_parts_{pipeline_,
                       uploads_,
                       metrics_,
                       services.workers,
                       services.copier == nullptr ? services.workers : services.copier->examiners(),
                       services.copier == nullptr ? nullptr : &services.copier->root(),
                       parser_,
                       event_} {}

    void stop() {
        uploads_.close();
        working_.close();
    }

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
        const auto request = std::make_shared<Request>(services_.budget, take_buffer());
        auto response = co_await receive(exchange, format, request);
        if (response) {
            co_await wait_for_the_grid();
            co_await answer(exchange, std::move(*response));
        }
        if (request.use_count() > 1) {
            co_return;  // it is still being processed
        }
        // Only now: what it was about is released after the answer (promise 7).
        request->batch.reset();
        keep_buffer(std::exchange(request->body, {}));
        parser_.let_go();
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

    // Reads the body and the events in it. Nullopt if there is nobody left to answer.
    asio::awaitable<std::optional<http::Response>> receive(http::Exchange& exchange, BodyFormat format,
                                                           std::shared_ptr<Request> request) {
        const Limits limits = services_.snapshot.get()->limits;
        const std::size_t max = format == BodyFormat::json ? std::min(limits.max_event_size, limits.max_request_size)
                                                           : limits.max_request_size;
        const auto read =
            co_await read_request_body(exchange, request->share, request->body, max, limits.answer_timeout);
        if (read.has_error()) {
            co_return unread_answer(read.error(), format);
        }
        if (!*read) {
            co_return unavailable_answer();
        }
        metrics_.received_bytes.add(request->body.size());
        request->batch.emplace(batch_parts_, request->body, format);
        if (request->batch->empty()) {
            co_return error_answer(400, "there is no event in the body");
        }
        if (!pipeline_.accepting()) {
            co_return unavailable_answer();
        }
        co_return co_await work_off(request, limits.answer_timeout);
    }

    // A separate coroutine works on the request, so that the answer leaves even if the store hangs.
    asio::awaitable<std::optional<http::Response>> work_off(std::shared_ptr<Request> request,
                                                            std::chrono::milliseconds limit) {
        request->ended.expires_after(limit);
        if (!working_.spawn(run(request))) {
            co_return unavailable_answer();
        }
        // It may have ended at once.
        if (!request->response && !request->thrown) {
            boost::system::error_code error;
            co_await request->ended.async_wait(asio::redirect_error(asio::use_awaitable, error));
        }
        if (request->thrown) {
            std::rethrow_exception(request->thrown);
        }
        if (!request->response) {
            request->batch->abandon();
            co_return unavailable_answer();
        }
        co_return std::move(request->response);
    }

    static asio::awaitable<void> run(std::shared_ptr<Request> request) {
        try {
            request->response = co_await request->batch->take_in();
        } catch (...) {
            request->thrown = std::current_exception();
        }
        request->ended.cancel();
    }

    // If answers leave only at certain moments, what was done before does not show in their time.
    asio::awaitable<void> wait_for_the_grid() const {
        const auto interval = services_.snapshot.get()->limits.answer_interval;
        if (interval.count() == 0) {
            co_return;
        }
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        asio::steady_timer timer(services_.budget.executor(), interval - now % interval);
        co_await timer.async_wait(asio::use_awaitable);
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
        wipe(buffer);
        if (buffers_.size() < kept_buffers && buffer.capacity() <= 2 * small_body) {
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
    base::TaskGroup working_{services_.budget.executor()};
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
