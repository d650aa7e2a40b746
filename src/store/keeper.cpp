#include "keeper.hpp"

#include <spdlog/spdlog.h>

#include <cstring>
#include <unordered_set>
#include <utility>

#include "schema.hpp"

namespace lihandover::store {

void Keeper::start() {
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
}

void Keeper::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Keeper::post(Task task) {
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_) {
            tasks_.push_back(std::move(task));
            wake_.notify_one();
            return;
        }
    }
    task.give_up();
}

void Keeper::run() {
    while (true) {
        Task task;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
            if (tasks_.empty()) {
                break;
            }
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        task.run();
    }
    connection_ = Connection();
}

Connection& Keeper::connection() {
    if (!connection_) {
        Connection fresh(database_);
        fresh.execute("PRAGMA synchronous=FULL");
        fresh.execute("PRAGMA wal_autocheckpoint=0");
        fresh.execute("PRAGMA cache_size=-512");
        connection_ = std::move(fresh);
    }
    return connection_;
}

void Keeper::checkpoint(std::function<void()> finished) {
    post({[this, finished = std::move(finished)] {
              try {
                  copy_log();
              } catch (const SqlFailure&) {
                  // The writer's own checkpoint meets the same trouble, and knows what to say and do.
                  connection_ = Connection();
              }
              finished();
          },
          [] {}});
}

void Keeper::copy_log() {
    sqlite3* handle = connection().handle();
    // The writer goes on meanwhile: a second round takes what it added, and is short.
    for (int round = 0; round < 2; ++round) {
        int frames = 0;
        int copied = 0;
        const int code = sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
        if (code == SQLITE_BUSY) {
            return;
        }
        if (code != SQLITE_OK) {
            throw SqlFailure(handle, code);
        }
        if (frames == copied) {
            return;  // synced with it
        }
        sqlite3_file* file = nullptr;
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
        // Without this the writer's checkpoint, which has to sync before the log can begin anew, would wait for all of
        // it.
        if (file != nullptr && file->pMethods != nullptr) {
            file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
        }
    }
}

void Keeper::locate(std::vector<model::Uuid> object_ids,
                    const std::function<void(model::Result<std::vector<Located>>)>& found) {
    auto give_up = [found] { found(model::Error{"the store is stopping"}); };
    post({[this, object_ids = std::move(object_ids), found] {
              std::vector<Located> located;
              try {
                  std::unordered_set<model::Uuid> wanted(object_ids.begin(), object_ids.end());
                  Statement scan = connection().prepare("SELECT id, object_id FROM item");
                  for (Rows rows(scan); !wanted.empty() && rows.next();) {
                      const std::string_view bytes = rows->bytes(1);
                      Located item{rows->integer(0), {}};
                      if (bytes.size() != item.object_id.bytes.size()) {
                          continue;
                      }
                      std::memcpy(item.object_id.bytes.data(), bytes.data(), bytes.size());
                      if (wanted.erase(item.object_id) != 0) {
                          located.push_back(item);
                      }
                  }
              } catch (const SqlFailure& failure) {
                  connection_ = Connection();
                  found(model::Error{"the store cannot be read: " + failure.describe()});
                  return;
              }
              found(std::move(located));
          },
          std::move(give_up)});
}

}  // namespace lihandover::store
