#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "lihandover/http/stream_server.hpp"
#include "lihandover/ims/tracker.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/intake/x2x3/pdu.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

/// What doors work with; all of it outlives them.
struct X2x3Services {
    store::ItemIntake& items;
    store::ObjectIntake& objects;
    store::KeptCopies& kept;
    const CurrentSnapshot& snapshot;
    const model::Clock& clock;
    /// Where what blocks runs. A thread pool.
    boost::asio::any_io_executor workers;
    metrics::Counter objects_lost;
};

struct X2x3Settings {
    ims::TrackerOptions tracker;
    PduBounds bounds;
    std::chrono::milliseconds keepalive_timeout{std::chrono::minutes(3)};
    /// SHA-256 of certificates, or of public keys after `spki:`; empty: every peer that the server lets in.
    std::set<std::string> clients;
    /// Bytes of PDUs of known tasks that are read and not yet durable, and of those being read. Beyond, reading waits.
    /// As it was at the start.
    std::size_t memory = std::size_t{64} << 20;
    /// Bytes of kept copies of messages that are not complete. Beyond, they go out as they are, the message of which
    /// nothing has come for longest first.
    std::uint64_t most_kept = std::uint64_t{1} << 30;
};

/// Takes in what points of interception send to one listener (TS 103 221-2).
///
/// Each connection is read and cut into PDUs as it comes. Keepalives are acknowledged at once, and PDUs of tasks that
/// no warrant lists are dropped at once, whatever the store does; only where newer warrants than those in force here
/// may list them does reading wait (store::ItemIntake::is_current). What is left is worked off in the order in which it
/// came, a batch at a time: the tracker makes events of it (in the workers), their items and the copies that are still
/// needed are committed together, and only then the next batch is begun. While the store cannot commit, the batch is
/// tried again, with what becomes due meanwhile, since letting go of its copies may be what makes room; and reading
/// goes on only until the memory for it is used up. Nothing that was read is dropped.
///
/// On one thread, that of the executor, but for rebuild() and sequence_gaps().
class X2x3Door final : public http::StreamHandler {
  public:
    ///   source   the listener's name
    X2x3Door(const boost::asio::any_io_executor& executor, std::string source, const metrics::X2x3Metrics& metrics,
             const X2x3Services& services, X2x3Settings settings);
    X2x3Door(const X2x3Door&) = delete;
    X2x3Door& operator=(const X2x3Door&) = delete;
    /// Only after stop(), or without start().
    ~X2x3Door() override;

    /// Takes up the copies that were kept when the daemon last ended. Before start(), on any thread; blocks.
    [[nodiscard]] model::Status rebuild();
    void start();

    [[nodiscard]] boost::asio::awaitable<void> serve(http::Stream& stream) override;
    /// For what is open too.
    void reconfigure(X2x3Settings settings);

    /// After the server has stopped: works off what was read, for at most `grace`. What could not be made durable by
    /// then is lost, as if it had never arrived.
    [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);
    /// The same for a listener that is gone for good: messages that are not complete go out as they are. What could not
    /// be made durable stays kept.
    [[nodiscard]] boost::asio::awaitable<void> finish(std::chrono::milliseconds grace);

    /// Since the start, for an alarm. Thread-safe.
    [[nodiscard]] std::uint64_t sequence_gaps() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::intake
