#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../support/manual_clock.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "test_store.hpp"
#include "tls/certificates.hpp"

struct ssl_st;

namespace lihandover::objectserver::test {

/// Nothing in these tests takes near so long; it keeps a broken one from hanging.
constexpr std::chrono::seconds guard{30};

/// An answer as it came over the wire.
struct Answer {
    std::string head;  ///< status line and fields, with the empty line
    std::string body;

    [[nodiscard]] unsigned status() const;
    /// Of the field, or empty.
    [[nodiscard]] std::string field(std::string_view name) const;
    /// Head and body without the Date, which is of no object's doing.
    [[nodiscard]] std::string without_date() const;
};

/// A client over mutual TLS that says exactly what it is told. Blocking.
class TlsClient {
  public:
    /// With one of the test certificates. `connected()` is false when the handshake failed.
    explicit TlsClient(std::uint16_t port, const std::string& certificate = "client", int receive_buffer = 0);
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;
    ~TlsClient();

    [[nodiscard]] bool connected() const { return connected_; }
    void send(std::string_view bytes);
    /// nullopt when the connection ended before the end of the answer.
    [[nodiscard]] std::optional<Answer> receive(bool without_body = false);
    [[nodiscard]] std::optional<std::string> read_head();
    /// As far as it comes.
    [[nodiscard]] std::string read(std::size_t size);
    /// `METHOD TARGET` with the fields (each with its line end), and its answer.
    [[nodiscard]] Answer ask(std::string_view method, std::string_view target, std::string_view fields = {});
    [[nodiscard]] Answer get(std::string_view target, std::string_view fields = {}) {
        return ask("GET", target, fields);
    }
    /// The server closes without another byte.
    [[nodiscard]] bool closes();
    /// With a reset.
    void reset();

  private:
    bool fill();

    int descriptor_ = -1;
    ssl_st* ssl_ = nullptr;
    bool connected_ = false;
    std::string buffer_;
};

/// SHA-256 of a test certificate, in hex.
[[nodiscard]] std::string fingerprint(const std::string& certificate);

/// An object server on a thread of its own, with a pool of two.
class TestServer {
  public:
    TestServer();
    explicit TestServer(const Settings& settings, Options options = {});
    explicit TestServer(Options options);
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;
    ~TestServer();

    /// lea-one: the certificate `client`; lea-two: `second`.
    [[nodiscard]] static Settings settings();
    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    [[nodiscard]] ObjectServer& server() { return *server_; }
    std::future<void> stop(std::chrono::milliseconds grace);
    void run(const std::function<void()>& work);
    /// Fetches on record once there are so many.
    [[nodiscard]] std::vector<store::Fetch> wait_fetches(std::size_t count) const;
    [[nodiscard]] bool wait_for(const std::function<bool()>& condition) const;
    /// The value of a series, by its name and labels as /metrics has it.
    [[nodiscard]] double metric(const std::string& series) const;

    lihandover::test::ManualClock clock{model::system_clock().wall()};
    TestStore store{clock};
    metrics::Metrics metrics;
    /// What Parts::can_commit says.
    std::atomic<bool> can_commit{true};

  private:
    boost::asio::io_context context_{1};
    boost::asio::thread_pool pool_{2};
    std::unique_ptr<ObjectServer> server_;
    std::thread thread_;
};

constexpr std::uint64_t mebibyte = 1'048'576;

/// The entity tag of every object of the fake store.
[[nodiscard]] std::string checksum_tag();
/// The series of downloads to that destination that ended so.
[[nodiscard]] std::string downloads(const std::string& destination, const std::string& outcome);
/// Puts an object of 1,000 bytes for lea-one into the server's store; the target to ask for.
[[nodiscard]] std::string put(TestServer& server, const std::function<void(store::StoredObject&)>& change);
[[nodiscard]] Load load_of(TestServer& server);
/// Sends a GET and does not wait for its answer.
void ask_for(TlsClient& client, const std::string& target);

}  // namespace lihandover::objectserver::test
