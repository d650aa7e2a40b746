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
#include "lihandover/store/objects.hpp"
#include "lihandover/store/register.hpp"
#include "tls/certificates.hpp"

struct ssl_st;

namespace lihandover::objectserver::test {

/// Nothing in these tests takes near so long; it keeps a broken one from hanging.
constexpr std::chrono::seconds guard{30};

/// Bytes at any place of an object of any size, without keeping them.
[[nodiscard]] char byte_at(std::uint64_t at);
[[nodiscard]] std::string bytes(std::uint64_t begin, std::uint64_t end);

/// An object of the fake store, whose bytes are byte_at.
class FakeSealed final : public store::SealedObject {
  public:
    explicit FakeSealed(std::uint64_t size) : size_(size) { sha256_.fill(0xAB); }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] const model::Sha256& sha256() const override { return sha256_; }

  private:
    std::uint64_t size_;
    model::Sha256 sha256_{};
};

/// What the object server uses of a store. Thread-safe.
class FakeStore final : public store::BinaryObjects, public store::Register {
  public:
    // -- What a test does

    /// Puts an object into the store, offered to the lane of `destination` for an hour; `change` changes that.
    model::Uuid put(const std::string& destination, std::uint64_t size,
                    const std::function<void(store::StoredObject&)>& change = {});
    void change(const model::Uuid& id, const std::function<void(store::StoredObject&)>& change);
    [[nodiscard]] std::string target_of(const model::Uuid& id) const;

    [[nodiscard]] std::vector<store::Fetch> fetches() const;
    /// Ids looked for, in order.
    [[nodiscard]] std::vector<model::Uuid> lookups() const;
    [[nodiscard]] std::size_t opened() const;
    void fail_lookups(bool fail);
    void throw_lookups(bool fail);
    void fail_opening(bool fail);
    /// Fetches are not taken: Outcome::failed.
    void fail_fetches(bool fail);
    /// Fetches wait to be committed until this says false.
    void hold_fetches(bool hold);
    [[nodiscard]] std::size_t held_fetches() const;
    /// Reading at or beyond this byte fails.
    void fail_reading_from(std::uint64_t byte);
    /// Reading at or beyond this byte waits until let_read().
    void hold_reading_from(std::uint64_t byte);
    void let_read();
    [[nodiscard]] bool holds() const;

    // -- store::BinaryObjects; what the object server does not use finds nothing.

    void set_listener(store::ObjectListener* /*listener*/) override {}
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> writer() override { return unused(); }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> copy_writer(std::uint64_t /*size*/) override {
        return unused();
    }
    [[nodiscard]] bool fits(std::uint64_t /*size*/) const override { return true; }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectReader>> open(
        const store::SealedObject& object) const override;
    [[nodiscard]] model::Status write_filler(std::uint64_t /*bytes*/) override { return unused(); }
    [[nodiscard]] model::Result<std::vector<std::shared_ptr<const store::SourceFile>>> pending_files() override {
        return unused();
    }
    void prepared(const model::Uuid& /*file*/, std::shared_ptr<const store::SealedObject> /*copy*/,
                  model::ObjectLoss /*loss*/, store::Done done) override {
        done(store::Outcome::failed);
    }
    [[nodiscard]] model::Result<std::optional<store::StoredObject>> find_object(const model::Uuid& id) override;
    void fetched(store::Fetch fetch, store::Done done) override;
    [[nodiscard]] model::Status for_each_upload(
        const std::function<void(const store::QueuedObject&)>& /*visit*/) override {
        return {};
    }
    [[nodiscard]] model::Status for_each_set_aside(
        const std::function<void(const store::QueuedObject&)>& /*visit*/) override {
        return {};
    }
    void pushed(const model::Uuid& /*object*/, store::Done done) override { done(store::Outcome::failed); }
    void refused(const model::Uuid& /*object*/, store::Refusal /*refusal*/, store::Done done) override {
        done(store::Outcome::failed);
    }
    void set_aside(const model::Uuid& /*object*/, store::Refusal /*refusal*/, store::Done done) override {
        done(store::Outcome::failed);
    }

    // -- store::Register

    [[nodiscard]] model::Result<std::vector<store::LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) override;
    [[nodiscard]] model::Result<store::ProfileId> profile(const model::Profile& /*profile*/) override {
        return unused();
    }
    [[nodiscard]] std::shared_ptr<const store::Lane> find_lane(store::LaneId id) const override;
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(store::ProfileId /*id*/) const override {
        return nullptr;
    }
    [[nodiscard]] model::Result<std::vector<store::StoredWarrant>> warrants() override { return unused(); }
    [[nodiscard]] model::Status change_warrants(const store::WarrantChanges& /*changes*/) override { return unused(); }
    [[nodiscard]] model::Result<std::vector<store::StoredPause>> pauses() override { return unused(); }

  private:
    class FakeObjectReader;

    static model::Error unused() { return model::Error{"not here"}; }
    void commit(store::Fetch fetch, const store::Done& done);
    model::Result<std::size_t> read(std::uint64_t size, std::uint64_t at, std::span<char> out);

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::map<model::Uuid, store::StoredObject> stored_;
    std::map<store::LaneId, std::shared_ptr<const store::Lane>> lanes_;
    std::vector<store::Fetch> fetches_;
    std::vector<model::Uuid> lookups_;
    mutable std::size_t opened_ = 0;
    bool fail_lookups_ = false;
    bool throw_lookups_ = false;
    bool fail_opening_ = false;
    bool fail_fetches_ = false;
    bool hold_fetches_ = false;
    std::vector<std::pair<store::Fetch, store::Done>> held_;
    std::optional<std::uint64_t> fail_from_;
    std::optional<std::uint64_t> hold_from_;
    bool holds_ = false;
};

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

    FakeStore store;
    metrics::Metrics metrics;
    lihandover::test::ManualClock clock{model::system_clock().wall()};
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
