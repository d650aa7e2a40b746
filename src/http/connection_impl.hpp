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

#include "addresses.hpp"
#include "answer_head.hpp"
#include "body_reader.hpp"
#include "lihandover/http/connection.hpp"
#include "peer_habits.hpp"
#include "receive_buffer.hpp"
#include "transport.hpp"

namespace lihandover::http {

/// What a connection knows of its server.
struct Origin {
    std::string authority;     ///< for the Host field
    std::string fixed_fields;  ///< sent with every request: whole lines
    std::string target;        ///< of the URL
};

/// A client's connection as its exchanges see it; they keep it alive while they run.
class ConnectionImpl final : public std::enable_shared_from_this<ConnectionImpl>, private Inflow {
  public:
    using Clock = Transport::Clock;

    /// `transport` is connected, with its TLS handshake done.
    ///   ends_at  no exchange starts after this time
    ///   habits   of the server; shared with its other connections
    ConnectionImpl(std::shared_ptr<Transport> transport, std::shared_ptr<const Origin> origin, Endpoint address,
                   const ConnectionOptions& options, Clock::time_point ends_at, std::shared_ptr<PeerHabits> habits);

    [[nodiscard]] bool is_open() const { return open_ && (in_use_ || !is_spent()); }
    [[nodiscard]] std::uint64_t exchanges() const { return exchanges_; }
    [[nodiscard]] const Origin& origin() const { return *origin_; }
    [[nodiscard]] const Endpoint& address() const { return address_; }
    [[nodiscard]] std::optional<tls::PeerIdentity> peer() const;
    void close();

    static boost::asio::awaitable<ClientResult<Answer>> exchange(std::shared_ptr<ConnectionImpl> self, Request request);
    static boost::asio::awaitable<ClientResult<ExpectOutcome>> exchange_expect(
        std::shared_ptr<ConnectionImpl> self, Request request, BodySource* source,
        std::chrono::milliseconds continue_timeout);

  private:
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
    /// Marks the connection as in use; closes it when the exchange is left by an exception or with a failure.
    class Use;

    boost::asio::awaitable<ReadOutcome> receive(char* out, std::size_t room) override;

    /// Nothing more is sent on it.
    [[nodiscard]] bool is_spent() const { return exchanges_ > 0 && habits_->expects_strays(Clock::now()); }
    /// Prepares everything for a request; returns why it cannot be sent on this connection.
    std::optional<Failure> begin(const Request& request);
    /// What lies here, in OpenSSL or in the kernel, before anything was asked.
    std::optional<Failure> look_for_strays();
    /// Another one, where `answer` was none to the request.
    boost::asio::awaitable<ClientResult<Answer>> answer_behind(Answer answer, const Request& request);
    boost::asio::awaitable<SendOutcome> send(std::span<const std::string_view> parts);
    boost::asio::awaitable<SendOutcome> send_source(BodySource& source);
    /// Looks for an answer while a request is being sent. nullopt: none has arrived yet.
    std::optional<SendOutcome> look_for_answer();

    boost::asio::awaitable<ClientResult<void>> read_head(Phase phase, bool stop_at_continue);
    boost::asio::awaitable<ClientResult<Answer>> read_answer();
    boost::asio::awaitable<std::optional<Failure>> read_body(Answer& answer);
    void start_body(unsigned status);
    void take_head(Answer& answer) const;
    boost::asio::awaitable<ClientResult<Answer>> answer_after(SendOutcome outcome);

    Failure failure(Phase phase, FailureKind kind, std::string message) const;
    Failure failure(Phase phase, Io io) const;
    Failure unacceptable_head(Phase phase, AnswerHead::State state) const;

    std::shared_ptr<Transport> transport_;
    std::shared_ptr<const Origin> origin_;
    Endpoint address_;
    ConnectionOptions options_;
    Clock::time_point ends_at_;
    std::shared_ptr<PeerHabits> habits_;
    bool open_ = true;
    bool in_use_ = false;
    std::uint64_t exchanges_ = 0;

    // Of the current exchange.
    std::string out_;
    std::vector<std::string_view> parts_;
    bool sent_all_ = false;
    bool head_request_ = false;
    std::chrono::milliseconds answer_timeout_{};

    ReceiveBuffer buffer_;
    AnswerHead answer_head_;
    BodyReader body_{buffer_, *this};
};

}  // namespace lihandover::http
