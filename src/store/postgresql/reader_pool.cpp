#include "reader_pool.hpp"

#include <optional>
#include <string>

namespace lihandover::store::postgresql {

Connection ReaderPool::take() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [this] { return in_use_ < most; });
    ++in_use_;
    if (idle_.empty()) {
        return {};
    }
    Connection connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
}

void ReaderPool::give_back(Connection connection) {
    {
        const std::lock_guard lock(mutex_);
        --in_use_;
        if (connection) {
            idle_.push_back(std::move(connection));
        }
    }
    free_.notify_one();
}

model::Status ReaderPool::run(const std::function<void(Reader&)>& work) {
    Connection connection = take();
    model::Status status = model::Error{"the database does not answer"};
    for (int attempt = 0; attempt < 2; ++attempt) {
        try {
            if (!connection) {
                connection = Connection(setup_.settings);
            }
            connection.write("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            Reader reader{connection, *setup_.catalogue, *setup_.keyring, *setup_.files, *setup_.clock};
            work(reader);
            connection.write("COMMIT");
            connection.flush();
            status = {};
            break;
        } catch (const PgFailure& failure) {
            connection = Connection();
            status = model::Error{std::string("the store cannot be read: ") + failure.what()};
            if (failure.trouble() != Trouble::unreachable) {
                break;
            }
        } catch (...) {
            give_back({});
            throw;
        }
    }
    give_back(std::move(connection));
    return status;
}

}  // namespace lihandover::store::postgresql
