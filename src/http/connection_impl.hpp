#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/http/connection.hpp"
#include "parser.hpp"
#include "transport.hpp"

namespace lihandover::http {

/// How sending went.
enum class Sent : std::uint8_t {
    all,
    early,   ///< bytes of an answer came in before everything was sent
    failed,  ///< see `io`
    source,  ///< the body source failed
};

struct SendOutcome {
    Sent sent = Sent::all;
    Io io = Io::ok;
};

/// Where reading an answer has got to.
enum class HeadState : std::uint8_t { partial, interim, final, malformed, too_large };

/// A connection of a client as its exchanges see it; they keep it alive while they run.
class ConnectionImpl : public std::enable_shared_from_this<ConnectionImpl> {
  public:
    /// `transport` is connected, and through with its TLS handshake. `authority` is for the Host field.
    ConnectionImpl(std::shared_ptr<Transport> transport, std::string authority, const ConnectionOptions& options);

    [[nodiscard]] bool is_open() const { return open_; }
    [[nodiscard]] std::uint64_t exchanges() const { return exchanges_; }

    [[nodiscard]] std::optional<tls::PeerIdentity> peer() const {
        return is_open() && transport_->ssl() != nullptr ? tls::peer_identity(transport_->ssl()) : std::nullopt;
    }

    void close() {
        open_ = false;
        transport_->close();
    }

    static boost::asio::awaitable<ClientResult<Answer>> exchange(std::shared_ptr<ConnectionImpl> self, Request request);
    static boost::asio::awaitable<ClientResult<ExpectOutcome>> exchange_expect(
        std::shared_ptr<ConnectionImpl> self, Request request, BodySource* source,
        std::chrono::milliseconds continue_timeout);

  private:
    /// Marks the connection as in use; closes it when the exchange is left by an exception or with a failure.
    class Use;

    void start_request(const Request& request, std::optional<std::uint64_t> length, bool expect);
    /// The peer has closed, or sent what nobody asked for, while the connection lay idle.
    [[nodiscard]] bool is_stale();
    boost::asio::awaitable<SendOutcome> send(Transport& transport, std::span<const std::string_view> parts);
    boost::asio::awaitable<SendOutcome> send_source(Transport& transport, BodySource& source);

    void start_answer(const Request& request);
    /// Parses what is buffered, up to the end of a head.
    HeadState parse_head();
    HeadState parse_more();
    /// Looks for an answer without waiting.
    HeadState poll_head(Transport& transport, Io& io);
    void make_room();
    boost::asio::awaitable<ClientResult<void>> read_head(Transport& transport, Phase phase, bool stop_at_continue);
    boost::asio::awaitable<ClientResult<Answer>> read_answer(Transport& transport);
    boost::asio::awaitable<ClientResult<void>> read_body(Transport& transport, Answer& answer);
    boost::asio::awaitable<ClientResult<void>> read_chunked(Transport& transport, std::string& body);
    void take_head(Answer& answer);
    boost::asio::awaitable<ClientResult<Answer>> answer_after(Transport& transport, SendOutcome outcome);

    Failure failure(Phase phase, FailureKind kind, std::string message) const;
    Failure failure(Transport& transport, Phase phase, Io io) const;
    /// An answer that came but is not acceptable.
    Failure refusal(FailureKind kind, std::string message) const;

    std::shared_ptr<Transport> transport_;
    std::string authority_;
    ConnectionOptions options_;
    bool open_ = true;
    bool in_use_ = false;
    std::uint64_t exchanges_ = 0;
    Transport::Clock::time_point last_used_;

    std::string out_;
    std::vector<std::string_view> parts_;
    bool sent_all_ = false;
    std::chrono::milliseconds answer_timeout_{};

    std::vector<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t head_size_ = 0;
    Head head_;
    std::optional<AnswerParser> parser_;
    bool answer_begun_ = false;
    bool got_continue_ = false;
    std::optional<HeadState> refused_;
    unsigned interim_ = 0;
    bool head_request_ = false;
};

}  // namespace lihandover::http
