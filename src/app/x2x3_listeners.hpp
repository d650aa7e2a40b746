#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "assembly.hpp"
#include "lihandover/base/task_group.hpp"
#include "lihandover/http/stream_server.hpp"
#include "lihandover/intake/x2x3/door.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/result.hpp"
#include "stop_list.hpp"

namespace lihandover::app {

/// The listeners below intake.x2x3, which come and go with reloads. Used on the intake thread, but for what says
/// otherwise.
class X2x3Listeners {
  public:
    /// All of it outlives the listeners.
    X2x3Listeners(boost::asio::any_io_executor executor, intake::X2x3Services services, metrics::Metrics& metrics);
    X2x3Listeners(const X2x3Listeners&) = delete;
    X2x3Listeners& operator=(const X2x3Listeners&) = delete;
    ~X2x3Listeners();

    /// What a reload brings: bound addresses and new doors, none of them at work.
    class Prepared;

    /// Binds the addresses of `next` that are new. Nothing changes before apply().
    ///   most   connections of one listener, as far as there are descriptors
    [[nodiscard]] model::Result<std::shared_ptr<Prepared>> prepare(const Assembly& next, std::size_t most);
    /// Takes up what was kept for the new listeners, and, at a start, for those that are not there any more. Blocks; on
    /// any thread.
    [[nodiscard]] static model::Status rebuild(Prepared& prepared);
    /// Brings it into force: new listeners begin, changed ones follow their options, those that are gone finish what
    /// they have open.
    void apply(std::shared_ptr<Prepared> prepared);
    /// The TLS files of the listener of this name have changed, and nothing else; nothing happens if there is none.
    void renew_tls(const std::string& name, const std::shared_ptr<const tls::ServerContext>& tls);
    /// At a start, for prepare(): of a listener that an earlier configuration had, what it left unfinished goes out.
    void adopt(Prepared& prepared, const std::vector<std::string>& kept_sources);

    [[nodiscard]] boost::asio::awaitable<void> stop(StopTime time);

    /// Gaps in sequence numbers since the start, of the sources that have any. Thread-safe.
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> sequence_gaps() const;

  private:
    struct Listener;

    [[nodiscard]] std::shared_ptr<Listener> make(const std::string& name, intake::X2x3Settings settings) const;
    [[nodiscard]] boost::asio::awaitable<void> retire(std::shared_ptr<Listener> listener);
    [[nodiscard]] static boost::asio::awaitable<void> stop_one(std::shared_ptr<Listener> listener, StopTime time);
    [[nodiscard]] static boost::asio::awaitable<void> close(std::unique_ptr<http::StreamServer> server,
                                                            std::shared_ptr<Listener> of);

    boost::asio::any_io_executor executor_;
    intake::X2x3Services services_;
    metrics::Metrics& metrics_;
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Listener>> listeners_;  ///< changed under mutex_
    std::vector<std::shared_ptr<Listener>> gone_;       ///< they finish what they have open
    base::TaskGroup background_;
};

}  // namespace lihandover::app
