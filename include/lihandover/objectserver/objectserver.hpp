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
#include "lihandover/store/downloads.hpp"
#include "lihandover/store/register.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::objectserver {

/// What the object server works with. All of it outlives the ObjectServer and the last handler of its io_context. The
/// metrics and the io_context outlive the store's stop(), which completes the entries that were submitted.
struct Parts {
    store::ObjectDownloads& objects;
    const store::Register& lanes;
    metrics::Metrics& metrics;
    const model::Clock& clock;
    /// Where the disk is read: a thread pool. One of its threads is busy for as long as reading 256 KiB takes.
    boost::asio::any_io_executor workers;
    /// Whether the store can commit: what store::OutboxListener::on_health said last, true before it said anything.
    /// While it is false, nothing is handed over (promise 11). This is not ItemIntake::accepting(), which is also false
    /// when the store is merely full, and fetching frees space then. Called on the server's thread for each granted
    /// request; must be quick and not throw. Empty: always.
    std::function<bool()> can_commit = {};  // NOLINT(readability-redundant-member-init): for GCC
};

/// Fixed at the start.
struct Options {
    /// `192.0.2.1:8444`, `[::1]:8444`; port 0 takes any free one.
    std::string listen;
    /// Beyond this, the connection that has waited longest for its client makes room.
    std::size_t max_connections = 4096;
    /// How many bodies of more than 64 KiB are sent at a time, each with up to 0.85 MB of buffers, in equal shares for
    /// the destinations, at least one each. Further ones wait in the order in which they came. At least 1.
    std::size_t max_bodies = 128;
    /// For how long a large download waits until its "begun" entry is on disk; then it gets 503.
    std::chrono::milliseconds record_wait{10'000};
};

/// What it is doing.
struct Load {
    std::size_t bodies = 0;   ///< of those that Options::max_bodies bounds, being sent
    std::size_t waiting = 0;  ///< granted requests that wait for their turn
};

/// Limits for clients. A reload may change them.
struct Bounds {
    std::uint32_t requests_per_second = 0;  ///< of one certificate or key; beyond: 429. 0: no limit
    std::uint64_t min_rate = 0;             ///< bytes per second, on average, or the download is ended; 0: any
    std::chrono::milliseconds min_rate_after{60'000};  ///< for that long it may be slower
    std::uint64_t store_bytes = 0;            ///< store.max_bytes, of which entries may take a tenth; 0: no limit
    std::chrono::seconds record_retention{};  ///< store.record_retention; 0: for ever
};

/// What a reload may change.
struct Settings {
    std::shared_ptr<const tls::ServerContext> tls;
    /// Which clients may talk to this listener at all (config::ServerTls::clients); empty: all with a certificate of
    /// its CA.
    std::vector<std::string> clients;
    /// By destination, who may fetch its objects: SHA-256 of the certificate, 64 lower-case hex digits, or of its
    /// public key after `spki:` (config::Binary::client_certificates), or of the identity of a pre-shared key after
    /// `psk:`. A destination that is missing has none.
    std::map<std::string, std::vector<std::string>, std::less<>> certificates;
    Bounds bounds;
};

/// Serves binary objects to the LEAs that their items were delivered to: Model A of TS 103 707 annex C
/// (docs/objectserver.md). GET and HEAD over mutual TLS, ranges, conditions.
///
/// An object is available at the path (and query) of the URL that its document names, even if the configuration has
/// changed since, from the first attempt to deliver its item until its expiry, to the certificates of that item's
/// destination. Everything else gets one and the same 404, at a time that depends only on the clock: an unknown
/// or malformed URL, another method, another's object, an object not offered yet or no longer, a store that cannot be
/// read (which is logged). The HTTP server refuses what is not proper HTTP/1.1 before any of that.
///
/// While Parts::can_commit is false, whatever would be granted gets 503 with Retry-After, is counted as failed and is
/// not put on record, since nothing went out and the record could only wait in memory. Answers that are under way go
/// on.
///
/// A client that asks too often gets 429 with Retry-After, before its request is looked at. A download that is too slow
/// is ended. One LEA's downloads take no slots from another's.
///
/// Every other request is put on record when its answer is done, however it ended, as one store::Fetch, however many
/// ranges it asks for. A fetch of the whole object is complete once our own system has taken every byte, or, if the
/// object is to be removed then, once the peer's system has confirmed every byte.
///
/// One that asks for more than 1 MiB of an object is also put on record when it starts, as not complete, and no
/// byte leaves before that is committed: so the record knows of it even if the daemon is killed meanwhile. If the store
/// does not take that entry, or not within Options::record_wait, the answer is 503 as above.
///
/// Entries take at most a tenth of the store, spread over the time for which they are kept. Requests beyond are served,
/// counted as unrecorded, and their number is in the destination's next entry.
///
/// Lives on the one thread that runs `executor`'s io_context (the executor must be an io_context's own), and reads the
/// disk on the workers. Members are called on that thread, or while it does not run, unless said otherwise.
class ObjectServer {
  public:
    /// Binds the listener; connections queue in the kernel until start(). Errors: an address that cannot be bound, a
    /// missing TLS context, an invalid certificate fingerprint, a store that cannot be read.
    [[nodiscard]] static model::Result<std::unique_ptr<ObjectServer>> create(
        const boost::asio::any_io_executor& executor, const Parts& parts, const Options& options,
        const Settings& settings);
    ObjectServer(const ObjectServer&) = delete;
    ObjectServer& operator=(const ObjectServer&) = delete;
    /// Only once stop() has completed, or if start() was never called.
    ~ObjectServer();

    void start();
    /// Accepts no new connection, lets running answers finish for at most `grace`, cuts the rest. Completes when all
    /// entries are submitted to the store, whose stop() commits them. May be called twice.
    [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

    /// Applies new settings: certificates for the next request, TLS for the next connection. Errors as for create(),
    /// and then nothing has changed. Thread-safe; calls take effect in their order.
    [[nodiscard]] model::Status reconfigure(const Settings& settings);

    /// The address it listens on, with the real port.
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
