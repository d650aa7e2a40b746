// What the store does: items submitted and accepted again per second, beside a bare SQLite queue (insert, then read and
// delete, every transaction synced) measured in the same run on the same disk.
//   bench_store [--dir DIR] [--items N] [--group N] [--preload N] [--waiting N] [--conversations N] [--whole-seconds]
//               [--without-times]
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../tests/support/temporary_directory.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/store.hpp"

namespace {

namespace store = lihandover::store;
namespace model = lihandover::model;
using Steady = std::chrono::steady_clock;

constexpr std::size_t share_size = 800;
constexpr std::size_t lanes = 1000;

struct Settings {
    std::filesystem::path directory = std::filesystem::temp_directory_path();
    std::size_t items = 500'000;
    std::size_t group = 200;
    std::size_t preload = 10'000'000;
    std::size_t waiting = 0;
    std::size_t conversations = 20'000;
    bool whole_seconds = false;
    bool without_times = false;  ///< as events of X2/X3 are remembered
};

double seconds_since(Steady::time_point start) {
    return std::chrono::duration<double>(Steady::now() - start).count();
}

double processor_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

[[noreturn]] void give_up(const std::string& why) {
    static_cast<void>(std::fprintf(stderr, "bench_store: %s\n", why.c_str()));
    std::exit(1);
}

void run_sql(sqlite3* database, const std::string& sql) {
    if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        give_up(sqlite3_errmsg(database));
    }
}

struct Resident {
    double now_mib = 0;
    double peak_mib = 0;
};

Resident resident() {
    Resident memory;
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            memory.now_mib = std::strtod(line.c_str() + 6, nullptr) / 1024;
        }
        if (line.starts_with("VmHWM:")) {
            memory.peak_mib = std::strtod(line.c_str() + 6, nullptr) / 1024;
        }
    }
    return memory;
}

/// Rows per second through a bare queue table.
double baseline(const Settings& settings) {
    const auto file = settings.directory / "baseline.db";
    sqlite3* database = nullptr;
    if (sqlite3_open(file.c_str(), &database) != SQLITE_OK) {
        give_up("cannot open the baseline's file");
    }
    run_sql(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF");
    run_sql(database, "CREATE TABLE m(id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
    sqlite3_stmt* insert = nullptr;
    sqlite3_stmt* select = nullptr;
    sqlite3_stmt* erase = nullptr;
    sqlite3_prepare_v2(database, "INSERT INTO m(id, body) VALUES(?, ?)", -1, &insert, nullptr);
    sqlite3_prepare_v2(database, "SELECT body FROM m WHERE id=?", -1, &select, nullptr);
    sqlite3_prepare_v2(database, "DELETE FROM m WHERE id=?", -1, &erase, nullptr);
    const std::string body(share_size, 'x');
    const std::size_t rows = std::min<std::size_t>(settings.items, 300'000) / settings.group * settings.group;
    const auto start = Steady::now();
    for (const bool putting : {true, false}) {
        for (std::size_t row = 0; row < rows;) {
            run_sql(database, "BEGIN IMMEDIATE");
            for (std::size_t i = 0; i < settings.group; ++i, ++row) {
                const auto id = static_cast<std::int64_t>(row) + 1;
                if (putting) {
                    sqlite3_bind_int64(insert, 1, id);
                    sqlite3_bind_blob(insert, 2, body.data(), static_cast<int>(body.size()), nullptr);
                    if (sqlite3_step(insert) != SQLITE_DONE) {
                        give_up("baseline insert");
                    }
                    sqlite3_reset(insert);
                    continue;
                }
                sqlite3_bind_int64(select, 1, id);
                if (sqlite3_step(select) != SQLITE_ROW) {
                    give_up("baseline select");
                }
                sqlite3_reset(select);
                sqlite3_bind_int64(erase, 1, id);
                if (sqlite3_step(erase) != SQLITE_DONE) {
                    give_up("baseline delete");
                }
                sqlite3_reset(erase);
            }
            run_sql(database, "COMMIT");
        }
    }
    const double rate = static_cast<double>(rows) / seconds_since(start);
    for (sqlite3_stmt* statement : {insert, select, erase}) {
        sqlite3_finalize(statement);
    }
    sqlite3_close(database);
    for (const char* suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(file.string() + suffix);
    }
    return rate;
}

/// Fills the memory of repeats as weeks of traffic would.
void preload(const Settings& settings, const std::filesystem::path& state) {
    sqlite3* database = nullptr;
    if (sqlite3_open((state / "store.db").c_str(), &database) != SQLITE_OK) {
        give_up("cannot preload");
    }
    run_sql(database, "PRAGMA synchronous=OFF");
    const std::int64_t now = model::system_clock().wall().micros();
    const std::int64_t week = 7LL * 24 * 3600 * 1'000'000;
    // A period of late_repeats is 84 hours.
    const std::string table = settings.without_times ? "late_repeats(period, hash)" : "repeats(event_micros, hash)";
    run_sql(database, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < " +
                          std::to_string(settings.preload) + ") INSERT INTO " + table + " SELECT (" +
                          std::to_string(now - week) + " + i * " +
                          std::to_string(week / static_cast<std::int64_t>(settings.preload)) + ")" +
                          (settings.without_times ? " / 302400000000" : "") + ", randomblob(16) FROM n ORDER BY 1, 2");
    run_sql(database, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(database);
}

/// Accepts what it hears of, as a destination that answers at once would.
class Delivery final : public store::OutboxListener {
  public:
    void on_queued(std::span<const store::QueuedItem> items, bool) noexcept override {
        const std::lock_guard lock(mutex_);
        queued_.insert(queued_.end(), items.begin(), items.end());
        ready_.notify_one();
    }
    void on_withdrawn(std::span<const store::QueuedItem>) noexcept override {}
    void on_lane_withdrawn(store::LaneId) noexcept override {}
    void on_health(bool) noexcept override {}

    std::vector<store::QueuedItem> take(std::size_t count) {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [&] { return queued_.size() >= count; });
        std::vector<store::QueuedItem> items(queued_.begin(), queued_.begin() + static_cast<std::ptrdiff_t>(count));
        queued_.erase(queued_.begin(), queued_.begin() + static_cast<std::ptrdiff_t>(count));
        return items;
    }

  private:
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<store::QueuedItem> queued_;
};

class Bench {
  public:
    explicit Bench(const Settings& settings) : settings_(settings), state_(settings.directory / "state") {
        for (char& letter : share_) {
            letter = static_cast<char>('a' + random_() % 26);
        }
        conversations_.resize(settings.conversations);
        for (store::Hash128& hash : conversations_) {
            hash = random_hash();
        }
    }

    void open() {
        const auto start = Steady::now();
        auto opened = store::Store::open({state_, 0, std::chrono::hours(24 * 90)}, model::system_clock());
        if (!opened) {
            give_up(opened.error().message);
        }
        store_ = std::move(*opened);
        std::vector<std::pair<std::string, std::string>> pairs;
        pairs.reserve(lanes);
        for (std::size_t i = 0; i < lanes; ++i) {
            pairs.emplace_back("lea", "LIID-" + std::to_string(i));
        }
        lanes_ = store_->warrant_register().lanes(pairs).value();
        model::Profile profile;
        profile.schema_identifier = "bench";
        profile_ = store_->warrant_register().profile(profile).value();
        opened_in_ = seconds_since(start);
    }
    void close() { store_.reset(); }
    [[nodiscard]] double opened_in() const { return opened_in_; }
    [[nodiscard]] const std::filesystem::path& state() const { return state_; }

    /// Submits and accepts again; items per second.
    double cycle() {
        Delivery delivery;
        store_->outbox().set_listener(&delivery);
        const auto start = Steady::now();
        const double processor = processor_seconds();
        std::size_t submitted = 0;
        std::size_t taken = 0;
        while (taken < settings_.items) {
            // A few groups are always on their way, as with sources and destinations that work side by side.
            while (submitted < settings_.items && submitted - taken < 4 * settings_.group) {
                submit();
                submitted += settings_.group;
            }
            std::vector<store::Acceptance> acceptances;
            for (const store::QueuedItem& item : delivery.take(settings_.group)) {
                acceptances.push_back({item.row, item.lane, profile_, model::Uuid::random(), true});
            }
            taken += settings_.group;
            pending_ += 1;
            store_->outbox().accepted(std::move(acceptances), [this](store::Outcome outcome) { done(outcome); });
        }
        wait();
        const double taken_seconds = seconds_since(start);
        processor_per_item_ = (processor_seconds() - processor) / static_cast<double>(settings_.items);
        store_->outbox().set_listener(nullptr);
        return static_cast<double>(settings_.items) / taken_seconds;
    }
    [[nodiscard]] double processor_micros() const { return processor_per_item_ * 1e6; }

    /// Leaves items waiting; items per second.
    double fill(std::size_t count) {
        const auto start = Steady::now();
        for (std::size_t made = 0; made < count; made += settings_.group) {
            submit();
            if (pending_ >= 8) {
                wait(4);
            }
        }
        wait();
        return static_cast<double>(count) / seconds_since(start);
    }

    double visit_all(std::size_t& count) {
        const auto start = Steady::now();
        count = 0;
        const auto status = store_->outbox().for_each_queued([&](const store::QueuedItem&) { ++count; });
        if (!status) {
            give_up(status.error().message);
        }
        return seconds_since(start);
    }

  private:
    store::Hash128 random_hash() {
        store::Hash128 hash;
        for (std::size_t i = 0; i < hash.size(); i += 8) {
            const std::uint64_t number = random_();
            std::memcpy(hash.data() + i, &number, 8);
        }
        return hash;
    }

    void submit() {
        std::vector<store::NewItem> items(settings_.group);
        const model::Instant now = model::system_clock().wall();
        for (store::NewItem& item : items) {
            const std::size_t conversation = random_() % conversations_.size();
            item.lane = lanes_[conversation % lanes_.size()];
            item.profile = profile_;
            item.object_id = model::Uuid::random();
            item.repeat_hash = random_hash();
            if (!settings_.without_times) {
                item.event_seconds = now.seconds;
            }
            item.event_nanos = settings_.whole_seconds ? 0 : now.nanos;
            item.conversation_hash = conversations_[conversation];
            item.received_at = now;
            item.share.assign(share_.data(), share_.size());
        }
        store::Arrival arrival;
        arrival.events = items.size();
        arrival.bytes = items.size() * (sizeof(store::NewItem) + share_size);
        pending_ += 1;
        store_->item_intake().submit(std::move(items), arrival, [this](store::Outcome outcome) { done(outcome); });
    }
    void done(store::Outcome outcome) {
        if (outcome != store::Outcome::committed) {
            give_up("a group failed");
        }
        const std::lock_guard lock(mutex_);
        pending_ -= 1;
        finished_.notify_one();
    }
    void wait(std::size_t until = 0) {
        std::unique_lock lock(mutex_);
        finished_.wait(lock, [&] { return pending_ <= until; });
    }

    const Settings& settings_;
    std::filesystem::path state_;
    std::mt19937_64 random_{std::random_device{}()};
    std::array<char, share_size> share_{};
    std::vector<store::Hash128> conversations_;
    std::unique_ptr<store::Store> store_;
    std::vector<store::LaneId> lanes_;
    store::ProfileId profile_ = 0;
    double opened_in_ = 0;
    double processor_per_item_ = 0;
    std::atomic<std::size_t> pending_{0};
    std::mutex mutex_;
    std::condition_variable finished_;
};

Settings read_arguments(std::span<char*> arguments) {
    Settings settings;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string_view name = arguments[i];
        if (name == "--whole-seconds") {
            settings.whole_seconds = true;
            continue;
        }
        if (name == "--without-times") {
            settings.without_times = true;
            continue;
        }
        if (i + 1 == arguments.size()) {
            give_up("a value is missing");
        }
        const char* value = arguments[++i];
        if (name == "--dir") {
            settings.directory = value;
            continue;
        }
        const std::size_t number = std::strtoull(value, nullptr, 10);
        if (name == "--items") {
            settings.items = number;
        } else if (name == "--group") {
            settings.group = number;
        } else if (name == "--preload") {
            settings.preload = number;
        } else if (name == "--waiting") {
            settings.waiting = number;
        } else if (name == "--conversations") {
            settings.conversations = number;
        } else {
            give_up("unknown option " + std::string(name));
        }
    }
    settings.items = settings.items / settings.group * settings.group;
    return settings;
}

}  // namespace

int main(int count, char** arguments) {
    Settings settings = read_arguments(std::span(arguments, static_cast<std::size_t>(count)));
    const lihandover::test::TemporaryDirectory directory(settings.directory);
    settings.directory = directory.path();

    const double bare = baseline(settings);
    std::printf("baseline: bare SQLite queue, %zu per transaction   %9.0f rows/s\n", settings.group, bare);
    {
        Bench bench(settings);
        bench.open();
        bench.close();
        if (settings.preload > 0) {
            preload(settings, bench.state());
        }
        bench.open();
        const double rate = bench.cycle();
        std::printf(
            "store: submit and accept, groups of %zu            %9.0f items/s   ratio %.2f   %.1f us of processor "
            "time per item\n",
            settings.group, rate, rate / bare, bench.processor_micros());
        std::printf("resident: %.1f MiB now, %.1f MiB at most\n", resident().now_mib, resident().peak_mib);
        if (settings.waiting > 0) {
            std::printf("store: filling up to %zu waiting items          %9.0f items/s\n", settings.waiting,
                        bench.fill(settings.waiting));
            bench.close();
            bench.open();
            std::size_t visited = 0;
            const double seconds = bench.visit_all(visited);
            std::printf("start with %zu waiting: open %.2f s, visiting all %.2f s, resident %.1f MiB\n", visited,
                        bench.opened_in(), seconds, resident().now_mib);
            const double beside = bench.cycle();
            std::printf("store: submit and accept beside them              %9.0f items/s   ratio %.2f\n", beside,
                        beside / bare);
        }
        bench.close();
    }
    return 0;
}
