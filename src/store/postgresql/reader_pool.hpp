#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
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

/// Connections that read beside the writer. Thread-safe; a call waits while all are in use.
class ReaderPool {
  public:
    struct Setup {
        Connection::Settings settings;
        std::shared_ptr<const Catalogue> catalogue;
        const Keyring* keyring = nullptr;
        std::shared_ptr<ObjectFiles> files;
        const model::Clock* clock = nullptr;
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

    [[nodiscard]] Connection take();
    void give_back(Connection connection);

    Setup setup_;
    std::mutex mutex_;
    std::condition_variable free_;
    // Guarded by mutex_.
    std::vector<Connection> idle_;
    std::size_t in_use_ = 0;
};

}  // namespace lihandover::store::postgresql
