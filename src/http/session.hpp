#pragma once

#include <memory>
#include <optional>
#include <string>

#include "body_reader.hpp"
#include "lihandover/http/server.hpp"
#include "parser.hpp"
#include "receive_buffer.hpp"
#include "server_connection.hpp"

namespace lihandover::http {

/// What the sessions of one server share.
struct ServerState : ListenerState {
    ServerOptions options;
    Handler* handler = nullptr;
    ServerStats stats;  ///< but for what the listener counts
};

/// One connection of a server. It reads request after request and has each answered by the handler. It is itself the
/// Exchange, so a request costs no allocation here once the buffers have grown.
class Session final : public ServerConnection, public Exchange, private Inflow {
  public:
    Session(const Executor& executor, std::shared_ptr<ServerState> state);

    void end() override;

    [[nodiscard]] std::string_view method() const override { return head_.method; }
    [[nodiscard]] std::string_view target() const override { return head_.target; }
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const override;
    [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return body_.declared(); }
    [[nodiscard]] const Peer& peer() const override { return known_peer(); }
    boost::asio::awaitable<BodyResult<void>> read_body(std::string& body, std::size_t max) override;
    boost::asio::awaitable<BodyResult<std::size_t>> read_some(std::span<char> buffer) override;
    [[nodiscard]] bool expects_continue() const override { return expects_continue_; }
    void withhold_continue() override { withhold_ = true; }
    boost::asio::awaitable<bool> respond(Response response) override;
    boost::asio::awaitable<bool> respond(Response response, BodySource& source) override;
    boost::asio::awaitable<bool> confirmed() override;
    [[nodiscard]] bool gone() override { return transport().gone(); }
    void abort() override;

  private:
    boost::asio::awaitable<void> serve() override;
    boost::asio::awaitable<bool> read_head();
    /// Parses what is buffered. Returns the status to refuse the request with, or 0.
    unsigned parse_head();
    /// Waits for the next request without the buffers of the last one.
    boost::asio::awaitable<Io> sleep_until(Transport::Clock::time_point end);
    /// The status to refuse the request with before a handler sees it; 0: none.
    unsigned check_head();
    [[nodiscard]] unsigned oversize_status() const;
    void start_request();
    /// Made at the first byte: many connections never send one.
    void ensure_buffer();
    boost::asio::awaitable<void> refuse(unsigned status);
    boost::asio::awaitable<void> call_handler();

    boost::asio::awaitable<Io> send_continue();
    boost::asio::awaitable<ReadOutcome> receive(char* out, std::size_t room) override;
    BodyFailure fail_body(const BodyReader::Outcome& outcome);
    void start_answer(const Response& response, std::optional<std::uint64_t> length, bool chunked);
    boost::asio::awaitable<bool> send_source(BodySource& source, std::optional<std::uint64_t> size, bool chunked);

    std::shared_ptr<ServerState> state_;
    /// A handler works on a request.
    bool busy_ = false;

    ReceiveBuffer buffer_;
    Head head_;
    std::optional<RequestParser> parser_;

    BodyReader body_{buffer_, *this};
    std::optional<BodyFailure> body_failure_;
    std::uint64_t body_received_ = 0;
    Transport::Clock::duration body_waited_{};
    bool expects_continue_ = false;
    bool withhold_ = false;

    bool responded_ = false;
    bool answered_ = false;  // in full
    bool aborted_ = false;
    bool keep_alive_ = false;
    std::string out_;
};

}  // namespace lihandover::http
