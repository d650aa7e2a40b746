#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "sqlite.hpp"

namespace lihandover::store {

/// A thread beside the writer with a connection of its own, for what takes long and does not change rows: copying the
/// write-ahead log into the database, and finding items by their ObjectIdentifier. Its public functions are for any
/// thread.
class Keeper {
  public:
    explicit Keeper(std::filesystem::path database) : database_(std::move(database)) {}
    ~Keeper() { stop(); }
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;
    Keeper(Keeper&&) = delete;
    Keeper& operator=(Keeper&&) = delete;

    void start();
    /// Does what was asked for, then ends. Later requests are answered at once, without having been done.
    void stop();

    /// Copies what it can without holding up the writer and syncs the database, so that little is left for the writer's
    /// own checkpoint. `finished` runs on the keeper's thread.
    void checkpoint(std::function<void()> finished);

    /// Runs what takes long; at once, on the caller's thread, when the keeper has stopped.
    void run_aside(const std::function<void()>& work) { post({work, work}); }

    /// The queued items with these ids; one that is not queued is left out. `found` runs on the keeper's thread, with
    /// an error when the database cannot be read.
    void locate(std::vector<model::Uuid> object_ids,
                const std::function<void(model::Result<std::vector<Located>>)>& found);

  private:
    struct Task {
        std::function<void()> run;
        std::function<void()> give_up;
    };
    void post(Task task);
    void run();
    Connection& connection();
    void copy_log();

    std::filesystem::path database_;
    Connection connection_;  // the thread's alone
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Task> tasks_;
    bool stopping_ = true;
    std::thread thread_;
};

}  // namespace lihandover::store
