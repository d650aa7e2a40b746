#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "catalogue.hpp"
#include "item_table.hpp"
#include "key_slots.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"
#include "object_files.hpp"

namespace lihandover::store::sqlite {

class DatabaseReader;

/// Reads the database beside the writer, for any thread: each call takes a connection that is free, or opens another.
class ReaderPool {
  public:
    struct Setup {
        std::filesystem::path database;
        std::shared_ptr<const Catalogue> catalogue;
        std::shared_ptr<ObjectFiles> files;
        std::shared_ptr<KeySlots> keys;
        const model::Clock* clock = nullptr;  ///< outlives it
    };
    explicit ReaderPool(Setup setup);
    ~ReaderPool();
    ReaderPool(const ReaderPool&) = delete;
    ReaderPool& operator=(const ReaderPool&) = delete;
    ReaderPool(ReaderPool&&) = delete;
    ReaderPool& operator=(ReaderPool&&) = delete;

    /// One that forwards each call to the pool.
    [[nodiscard]] static std::unique_ptr<Reader> reader(std::shared_ptr<ReaderPool> pool);
    /// Whether the database can be read at all.
    [[nodiscard]] model::Status try_out();

    /// The queued items with these ids; one that is not queued is left out. Looks at all that wait.
    [[nodiscard]] model::Result<std::vector<Located>> locate(const std::vector<model::Uuid>& object_ids);

    /// Waits until nobody reads, closes all connections, and lets nobody read until `work` is done.
    void without_readers(const std::function<void()>& work);

    /// Runs `work` on a reader.
    template <typename Work>
    auto read(const Work& work) {
        const std::shared_lock reading(gate_);
        std::unique_ptr<DatabaseReader> reader = take();
        auto answer = work(*reader);
        give_back(std::move(reader));
        return answer;
    }

  private:
    [[nodiscard]] std::unique_ptr<DatabaseReader> take();
    void give_back(std::unique_ptr<DatabaseReader> reader);

    Setup setup_;
    std::shared_mutex gate_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<DatabaseReader>> free_;  // guarded by mutex_
};

}  // namespace lihandover::store::sqlite
