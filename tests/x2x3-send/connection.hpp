#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace lihandover::x2x3_send {

using SteadyTime = std::chrono::steady_clock::time_point;

struct TlsOptions {
    std::string host;
    std::uint16_t port = 0;
    std::string server_name;  ///< that the certificate has to have; empty: `host`
    std::string certificate;  ///< PEM files
    std::string private_key;
    std::string ca;
    std::chrono::milliseconds patience{30'000};  ///< for a connection and its handshake
};

/// The TLS settings of all connections.
class Tls {
  public:
    [[nodiscard]] static model::Result<Tls> load(const TlsOptions& options);
    [[nodiscard]] ssl_ctx_st* native() const { return context_.get(); }

  private:
    explicit Tls(ssl_ctx_st* context);
    std::shared_ptr<ssl_ctx_st> context_;
};

/// Where what is written is cut: each piece is a TLS record and a TCP segment of its own.
struct Cuts {
    std::vector<std::uint64_t> at;      ///< offsets in the stream, growing
    std::uint64_t every = 0;            ///< 0: not
    std::optional<std::uint64_t> seed;  ///< at random, pieces from 1 byte to 16 KiB
    std::chrono::microseconds pause{0};
};

/// One connection of a point of interception. Nothing blocks but its opening.
class Connection {
  public:
    enum class State : std::uint8_t { open, lost, killed };

    /// Connects and shakes hands.
    [[nodiscard]] static model::Result<std::unique_ptr<Connection>> open(const TlsOptions& options, const Tls& tls,
                                                                         const Cuts& cuts);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    void add(std::string_view bytes) { waiting_ += bytes; }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size() - begin_; }
    [[nodiscard]] std::uint64_t written() const { return written_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const std::string& why() const { return why_; }
    [[nodiscard]] int descriptor() const { return socket_; }
    /// Whether it waits for the socket to take more.
    [[nodiscard]] bool wants_to_write(SteadyTime now) const { return waiting() > 0 && now >= not_before_; }
    [[nodiscard]] std::optional<SteadyTime> due() const;

    /// After so many bytes of the stream the connection is reset.
    void kill_after(std::uint64_t bytes) { kill_at_ = bytes; }
    void write(SteadyTime now);
    /// Appends what came.
    void read(std::string& out);
    /// Ends it in order: close_notify, and waits until the peer has ended it too.
    void close(std::chrono::milliseconds patience);
    /// RST, whatever was under way.
    void reset();

  private:
    Connection(int socket, ssl_st* ssl, const Cuts& cuts);
    [[nodiscard]] std::size_t next_piece();
    void lose(std::string why);

    int socket_;
    ssl_st* ssl_;
    const Cuts& cuts_;
    std::mt19937_64 random_;
    State state_ = State::open;
    std::string why_;
    std::string waiting_;
    std::size_t begin_ = 0;
    std::size_t piece_ = 0;  ///< under way; 0: none
    std::uint64_t written_ = 0;
    std::size_t next_cut_ = 0;
    std::optional<std::uint64_t> kill_at_;
    SteadyTime not_before_{};
};

}  // namespace lihandover::x2x3_send
