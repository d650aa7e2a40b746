#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/catalogue.hpp"
#include "common/keyring.hpp"
#include "common/object_files.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "pq.hpp"

namespace lihandover::store::postgresql {

/// What a read works with: a connection in a transaction that sees one state and changes nothing.
struct Reader {
    Connection& connection;
    const Catalogue& catalogue;
    const Keyring& keyring;
    ObjectFiles& files;
    const model::Clock& clock;
};

/// Connections that read beside the writer, from the server that it writes. Thread-safe; a call waits while all are in
/// use, as long as for an answer.
class ReaderPool {
  public:
    struct Setup {
        Connection::Settings settings;
        std::shared_ptr<const Catalogue> catalogue;
        const Keyring* keyring = nullptr;
        std::shared_ptr<ObjectFiles> files;
        const model::Clock* clock = nullptr;
        /// Of the writer, so far. What was made before its last one may lead to a server that is no longer written.
        const std::atomic<std::uint64_t>* connections = nullptr;
    };
    explicit ReaderPool(Setup setup) : setup_(std::move(setup)) {}

    /// Runs `work`, which may throw PgFailure, and once more on a new connection where one was lost: what it gathers
    /// has to begin empty each time.
    [[nodiscard]] model::Status run(const std::function<void(Reader&)>& work);
    /// The same for work that gives something.
    template <typename Work>
    [[nodiscard]] auto read(const Work& work) -> model::Result<decltype(work(std::declval<Reader&>()))> {
        using Gives = decltype(work(std::declval<Reader&>()));
        Gives result{};
        const model::Status status = run([&](Reader& reader) { result = work(reader); });
        return status ? model::Result<Gives>(std::move(result)) : model::Result<Gives>(status.error());
    }

  private:
    static constexpr std::size_t most = 3;

    struct Kept {
        Connection connection;
        std::uint64_t made_at = 0;  ///< the count of the writer's connections before
    };
    /// nullopt: all are in use, and stay so. One that is not connected is to be.
    [[nodiscard]] std::optional<Kept> take();
    void give_back(Kept kept);
    void read_with(Kept& kept, const std::function<void(Reader&)>& work);

    Setup setup_;
    std::mutex mutex_;
    std::condition_variable free_;
    // Guarded by mutex_.
    std::vector<Kept> idle_;
    std::size_t in_use_ = 0;
};

}  // namespace lihandover::store::postgresql
