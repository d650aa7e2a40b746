#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lihandover/http/server.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/register.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::objectserver {

/// What the object server works with. All of it outlives the ObjectServer and the last handler of its io_context. The
/// metrics and the io_context outlive the store's stop(), which answers what was given to be recorded.
struct Parts {
    store::BinaryObjects& objects;
    const store::Register& lanes;
    metrics::Metrics& metrics;
    const model::Clock& clock;
    /// Where the disk is read: a thread pool's. A thread of it is taken for as long as reading 256 KiB takes.
    boost::asio::any_io_executor workers;
    /// Whether the store can commit: what store::OutboxListener::on_health said last, true before it said anything.
    /// While it says no, nothing is handed over (promise 11). Not ItemIntake::accepting(), which is false as well when
    /// the store is merely full, and fetching makes room then. Asked on the server's thread for each granted request;
    /// must be quick and not throw. Empty: always.
    std::function<bool()> can_commit = {};  // NOLINT(readability-redundant-member-init): for GCC
};

/// Settled at the start.
struct Options {
    /// `192.0.2.1:8444`, `[::1]:8444`; port 0 takes any free one.
    std::string listen;
    /// Beyond, the connection that has waited longest for its client makes room.
    std::size_t max_connections = 4096;
    /// Bodies of more than 64 KiB that are sent at a time, each with up to 0.85 MB of buffers, in equal shares for the
    /// destinations, of one at least; further ones wait for their turn, in the order in which they came. At least 1.
    std::size_t max_bodies = 128;
    /// For how long a large download waits until its beginning is on the disk's record; then it gets 503.
    std::chrono::milliseconds record_wait{10'000};
};

/// What it is at.
struct Load {
    std::size_t bodies = 0;   ///< of those that Options::max_bodies bounds, under way
    std::size_t waiting = 0;  ///< granted requests that wait for their turn
};

/// What clients may take. A reload may change it.
struct Bounds {
    std::uint32_t requests_per_second = 0;  ///< of one certificate; beyond: 429. 0: no limit
    std::uint64_t min_rate = 0;             ///< bytes per second, on average, or the download is ended; 0: any
    std::chrono::milliseconds min_rate_after{60'000};  ///< that long it may be slower
    std::uint64_t store_bytes = 0;            ///< store.max_bytes, a tenth of which entries may take; 0: no limit
    std::chrono::seconds record_retention{};  ///< store.record_retention; 0: for ever
};

/// What a reload may change.
struct Settings {
    std::shared_ptr<const tls::ServerContext> tls;
    /// Which clients may talk to this listener at all (config::ServerTls::clients); empty: all with a certificate of
    /// its CA.
    std::vector<std::string> clients;
    /// By destination, the certificates that may fetch its objects (config::Binary::client_certificates): SHA-256 of
    /// the certificate, 64 lower-case hex digits, or of its public key after `spki:`. A destination that is missing has
    /// none.
    std::map<std::string, std::vector<std::string>, std::less<>> certificates;
    Bounds bounds;
};

/// Serves binary objects to the LEAs that their items were delivered to: Model A of TS 103 707 annex C (SPEC section 3;
/// docs/objectserver.md). GET and HEAD over mutual TLS, ranges, conditions.
///
/// An object answers at the path (and query) of the URL that its document names, whatever the configuration says by
/// now, from the first attempt to deliver its item until its expiry, to the certificates of the destination of that
/// very item. Everything else gets one and the same 404, at a time that depends on nothing but the clock: an unknown
/// or malformed URL, another method, another's object, an object not offered yet or no longer, a store that cannot be
/// read (which is logged). Answers of the HTTP server to what is no proper HTTP/1.1 request come before any of that.
///
/// While Parts::can_commit says no, whatever would be granted gets 503 with Retry-After, is counted as failed and is
/// not put on record, since nothing went out and the record could only wait in memory. Answers that are under way go
/// on.
///
/// A client that asks too often gets 429 with Retry-After, before anything is looked at. A download that is too slow is
/// ended. One LEA's downloads take no slots from another's.
///
/// Every other request is put on record when its answer is done, however that ended, as one store::Fetch, however many
/// ranges it asks for. A fetch of the whole object counts as complete once the peer's system has confirmed every byte
/// where the object is to be removed then, else once our own system has taken every byte.
///
/// One that asks for more than 1 MiB of an object is put on record when it begins as well, as not complete, and no
/// byte leaves before that is committed: the record knows of it also when we are killed meanwhile. Where the store
/// does not take that, or not in Options::record_wait, the answer is 503 as above.
///
/// Entries take a tenth of the store at most, spread over the time for which they are kept. Requests beyond are served,
/// counted as unrecorded, and their number stands in the destination's next entry.
///
/// Lives on the one thread that runs `executor`'s io_context (the executor must be an io_context's own), and reads the
/// disk on the workers. Members are called on that thread, or while it does not run, unless said otherwise.
class ObjectServer {
  public:
    /// Binds the listener; connections queue in the kernel until start(). Errors: an address that cannot be had, a
    /// missing TLS context, what is no certificate's fingerprint, a store that cannot be read.
    [[nodiscard]] static model::Result<std::unique_ptr<ObjectServer>> create(
        const boost::asio::any_io_executor& executor, const Parts& parts, const Options& options,
        const Settings& settings);
    ObjectServer(const ObjectServer&) = delete;
    ObjectServer& operator=(const ObjectServer&) = delete;
    /// Only when stop() has completed or start() was never called.
    ~ObjectServer();

    void start();
    /// Takes no new connection, lets running answers finish for at most `grace`, cuts the rest; completes when all are
    /// recorded with the store, whose stop() commits them. May be called twice.
    [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

    /// Takes over new settings: certificates for the next request, TLS for the next connection. Errors as create(), and
    /// then nothing changed. Thread-safe; takes effect in the order of the calls.
    [[nodiscard]] model::Status reconfigure(const Settings& settings);

    /// What it listens on, with the real port.
    [[nodiscard]] const std::string& address() const;
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] http::ServerStats stats() const;
    [[nodiscard]] Load load() const;

  private:
    class Impl;
    explicit ObjectServer(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lihandover::objectserver
