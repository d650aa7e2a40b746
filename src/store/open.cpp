#include "lihandover/store/store.hpp"
#include "sqlite/sqlite_store.hpp"

namespace lihandover::store {

model::Result<std::unique_ptr<Store>> Store::open(const Options& options, const model::Clock& clock) {
    return sqlite::open(options, clock);
}

}  // namespace lihandover::store
