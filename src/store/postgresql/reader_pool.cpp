#include "reader_pool.hpp"

#include <string>
#include <utility>

namespace lihandover::store::postgresql {

std::optional<ReaderPool::Kept> ReaderPool::take() {
    std::unique_lock lock(mutex_);
    if (!free_.wait_for(lock, setup_.settings.patience, [this] { return in_use_ < most; })) {
        return std::nullopt;
    }
    ++in_use_;
    // What it has committed is read from where it was.
    const std::uint64_t now = *setup_.connections;
    std::erase_if(idle_, [now](const Kept& kept) { return kept.made_at != now; });
    if (idle_.empty()) {
        return Kept();
    }
    Kept kept = std::move(idle_.back());
    idle_.pop_back();
    return kept;
}

void ReaderPool::give_back(Kept kept) {
    {
        const std::lock_guard lock(mutex_);
        --in_use_;
        if (kept.connection) {
            idle_.push_back(std::move(kept));
        }
    }
    free_.notify_one();
}

void ReaderPool::read_with(Kept& kept, const std::function<void(Reader&)>& work) {
    if (!kept.connection) {
        kept.made_at = *setup_.connections;
        kept.connection = Connection(setup_.settings);
    }
    kept.connection.write("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    Reader reader{kept.connection, *setup_.catalogue, *setup_.keyring, *setup_.files, *setup_.clock};
    work(reader);
    kept.connection.write("COMMIT");
    kept.connection.flush();
}

model::Status ReaderPool::run(const std::function<void(Reader&)>& work) {
    auto kept = take();
    if (!kept) {
        return model::Error{"the store cannot be read: the database does not answer what is read already"};
    }
    model::Status status;
    for (int attempt = 0; attempt < 2; ++attempt) {
        try {
            read_with(*kept, work);
            status = {};
            break;
        } catch (const PgFailure& failure) {
            kept->connection = Connection();
            status = model::Error{std::string("the store cannot be read: ") + failure.what()};
            if (failure.trouble() != Trouble::unreachable) {
                break;
            }
        } catch (...) {
            give_back({});
            throw;
        }
    }
    give_back(std::move(*kept));
    return status;
}

}  // namespace lihandover::store::postgresql
