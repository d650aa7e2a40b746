#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <memory>
#include <optional>
#include <string>

#include "body_reader.hpp"
#include "lihandover/http/server.hpp"
#include "parser.hpp"
#include "receive_buffer.hpp"
#include "transport.hpp"

namespace lihandover::http {

/// What the sessions of one server share.
struct ServerState {
    ServerOptions options;
    Handler* handler = nullptr;
    ServerStats stats;
    bool stopping = false;
};

/// One connection of a server. It reads request after request and has each answered by the handler. It is itself the
/// Exchange, so a request costs no allocation here once the buffers have grown.
class Session final : public Exchange, private Inflow {
  public:
    Session(const Executor& executor, std::shared_ptr<ServerState> state);

    Transport& transport() { return transport_; }
    void set_peer(Peer peer) { peer_ = std::move(peer); }
    void set_tls(std::shared_ptr<const tls::ServerContext> context) { tls_ = std::move(context); }

    /// Serves until the connection ends; `self` keeps the session alive meanwhile.
    static boost::asio::awaitable<void> run(std::shared_ptr<Session> self);

    /// A handler works on a request.
    [[nodiscard]] bool busy() const { return busy_; }
    /// Since when the session waits for its peer; nullopt while it does not.
    [[nodiscard]] std::optional<Transport::Clock::time_point> stalled_since() const {
        return transport_.waiting_since();
    }
    /// Whether `context` would accept the peer too. A peer that has not proved its identity yet is checked when it has.
    [[nodiscard]] bool is_acceptable_to(const tls::ServerContext& context) const;
    /// Ends the connection at once, and cancels what its handler waits for.
    void cut();
    boost::asio::cancellation_slot slot() { return cancel_.slot(); }

    [[nodiscard]] std::string_view method() const override { return head_.method; }
    [[nodiscard]] std::string_view target() const override { return head_.target; }
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const override;
    [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return body_.declared(); }
    [[nodiscard]] const Peer& peer() const override { return peer_; }
    boost::asio::awaitable<BodyResult<void>> read_body(std::string& body, std::size_t max) override;
    boost::asio::awaitable<BodyResult<std::size_t>> read_some(std::span<char> buffer) override;
    [[nodiscard]] bool expects_continue() const override { return expects_continue_; }
    void withhold_continue() override { withhold_ = true; }
    boost::asio::awaitable<bool> respond(Response response) override;
    boost::asio::awaitable<bool> respond(Response response, BodySource& source) override;
    boost::asio::awaitable<bool> confirmed() override;
    [[nodiscard]] bool gone() override { return transport_.gone(); }
    void abort() override;

  private:
    boost::asio::awaitable<bool> secure();
    boost::asio::awaitable<void> serve();
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
    boost::asio::awaitable<void> linger();

    boost::asio::awaitable<Io> send_continue();
    boost::asio::awaitable<ReadOutcome> receive(char* out, std::size_t room) override;
    BodyFailure fail_body(const BodyReader::Outcome& outcome);
    void start_answer(const Response& response, std::optional<std::uint64_t> length, bool chunked);
    boost::asio::awaitable<bool> send_source(BodySource& source, std::optional<std::uint64_t> size, bool chunked);

    std::shared_ptr<ServerState> state_;
    Transport transport_;
    std::shared_ptr<const tls::ServerContext> tls_;
    Peer peer_;
    boost::asio::cancellation_signal cancel_;
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
