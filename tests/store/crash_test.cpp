#include <gmock/gmock.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "support.hpp"

namespace lihandover::store::test {
namespace {

/// What the child tells: 17 bytes each, so that a pipe never tears one.
struct Report {
    char kind;  ///< M made durable, T acceptance begun, A accepted durably; P object pushed durably
    model::Uuid id;
};
static_assert(sizeof(Report) == 17);

void tell(int pipe, char kind, const model::Uuid& id) {
    const Report report{kind, id};
    if (write(pipe, &report, sizeof report) != static_cast<ssize_t>(sizeof report)) {
        _exit(3);
    }
}

/// Makes items and accepts some of them again, until it is killed.
class Load final : public OutboxListener, public ObjectListener {
  public:
    Load(const Options& options, int pipe, std::uint64_t seed) : pipe_(pipe), random_(seed) {
        auto opened = Store::open(options, model::system_clock());
        if (!opened) {
            _exit(4);
        }
        store_ = std::move(*opened);
        store_->outbox().set_listener(this);
        store_->upload_outbox().set_listener(this);
        for (int i = 0; i < 5; ++i) {
            lanes_.push_back(store_->warrant_register().lane("lea", "LIID-" + std::to_string(i)).value());
        }
        profile_ = store_->warrant_register().profile(some_profile()).value();
    }

    [[noreturn]] void run() {
        while (true) {
            std::vector<NewItem> items(1 + random_() % 40);
            std::vector<model::Uuid> ids;
            for (NewItem& item : items) {
                item.lane = lanes_[random_() % lanes_.size()];
                item.profile = profile_;
                // Not Uuid::random(): children would share what this process has drawn in advance.
                const std::array<std::uint64_t, 2> id = {random_(), random_()};
                const std::array<std::uint64_t, 2> number = {random_(), random_()};
                std::memcpy(item.object_id.bytes.data(), id.data(), 16);
                std::memcpy(item.repeat_hash.data(), number.data(), 16);
                item.received_at = model::system_clock().wall();
                item.event_seconds = item.received_at.seconds;
                item.conversation_hash = hash_of(random_() % 10);
                item.share.assign(random_() % 3000, 's');
                if (random_() % 16 == 0) {
                    item.objects = some_objects();
                }
                ids.push_back(item.object_id);
            }
            pending_ += 1;
            submit_to(store_->item_intake(), std::move(items), [this, ids](Outcome outcome) {
                if (outcome != Outcome::committed) {
                    _exit(5);
                }
                for (const model::Uuid& id : ids) {
                    tell(pipe_, 'M', id);
                }
                pending_ -= 1;
            });
            while (pending_ > 3) {
                std::this_thread::yield();
            }
            accept_some();
            push_some();
        }
    }

    void on_queued(std::span<const QueuedItem> items, bool) noexcept override {
        const std::lock_guard lock(mutex_);
        queued_.insert(queued_.end(), items.begin(), items.end());
    }
    void on_withdrawn(std::span<const QueuedItem>) noexcept override {}
    void on_lane_withdrawn(LaneId) noexcept override {}
    void on_health(bool) noexcept override {}
    void on_prepared(std::span<const QueuedItem>) noexcept override {}
    void on_uploads(std::span<const QueuedObject> objects) noexcept override {
        const std::lock_guard lock(mutex_);
        for (const QueuedObject& object : objects) {
            uploads_.push_back(object.id);
        }
    }
    void on_uploads_withdrawn(std::span<const model::Uuid>) noexcept override {}

  private:
    /// What is in an object says which one it is.
    std::shared_ptr<const std::vector<NewObject>> some_objects() {
        auto list = std::make_shared<std::vector<NewObject>>(1 + random_() % 2);
        for (NewObject& object : *list) {
            const std::array<std::uint64_t, 2> id = {random_(), random_()};
            std::memcpy(object.id.bytes.data(), id.data(), 16);
            object.model = random_() % 3 == 0 ? model::BinaryModel::a : model::BinaryModel::b;
            object.url = "https://lea.example.com/x";
            object.lifetime = std::chrono::hours(1);
            auto writer = store_->object_intake().writer();
            if (!writer) {
                _exit(8);
            }
            std::string bytes = object.id.to_string();
            if (random_() % 8 == 0) {
                bytes.append(random_() % 200'000, 'o');
            }
            if (!(*writer)->write(bytes)) {
                _exit(9);
            }
            auto sealed = (*writer)->finish();
            if (!sealed) {
                _exit(10);
            }
            object.sealed = *sealed;
        }
        return list;
    }

    void accept_some() {
        std::vector<RowId> rows;
        {
            const std::lock_guard lock(mutex_);
            while (queued_.size() > 50) {
                if (random_() % 4 != 0) {
                    rows.push_back(queued_.front().row);
                }
                queued_.erase(queued_.begin());
            }
        }
        if (rows.empty()) {
            return;
        }
        auto items = store_->outbox().load(rows);
        if (!items) {
            _exit(6);
        }
        std::vector<Acceptance> acceptances;
        std::vector<model::Uuid> ids;
        for (const StoredItem& item : *items) {
            tell(pipe_, 'T', item.object_id);
            acceptances.push_back(
                {item.row, item.lane, item.profile, item.object_id, item.carries_schema, item.objects != nullptr});
            ids.push_back(item.object_id);
        }
        store_->outbox().accepted(std::move(acceptances), [this, ids](Outcome outcome) {
            if (outcome != Outcome::committed) {
                _exit(7);
            }
            for (const model::Uuid& id : ids) {
                tell(pipe_, 'A', id);
            }
        });
    }

    void push_some() {
        std::vector<model::Uuid> uploads;
        {
            const std::lock_guard lock(mutex_);
            uploads.swap(uploads_);
        }
        for (const model::Uuid& id : uploads) {
            if (random_() % 3 == 0) {
                continue;
            }
            store_->upload_outbox().pushed(id, [this, id](Outcome outcome) {
                if (outcome != Outcome::committed) {
                    _exit(11);
                }
                tell(pipe_, 'P', id);
            });
        }
    }

    int pipe_;
    std::mt19937_64 random_;
    std::unique_ptr<Store> store_;
    std::vector<LaneId> lanes_;
    ProfileId profile_ = 0;
    std::atomic<int> pending_{0};
    std::mutex mutex_;
    std::vector<QueuedItem> queued_;
    std::vector<model::Uuid> uploads_;
};

class Crash : public StoreTest {
  protected:
    struct Told {
        bool made = false;
        bool begun = false;
        bool accepted = false;
    };

    /// Runs the load in a child until it told `reports` things, and kills it.
    void load_and_kill(std::size_t reports, std::uint64_t seed) {
        std::array<int, 2> ends{};
        ASSERT_EQ(pipe(ends.data()), 0);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            close_end(ends[0]);
            // A thread of its own draws names of its own: this one has what the parent drew in advance.
            std::thread([&] { Load(options_, ends[1], seed).run(); }).join();
        }
        close_end(ends[1]);
        std::size_t seen = 0;
        std::array<Report, 512> buffer{};
        std::size_t have = 0;
        while (true) {
            char* bytes = static_cast<char*>(static_cast<void*>(buffer.data()));
            const ssize_t size = read(ends[0], bytes + have, sizeof buffer - have);
            if (size <= 0) {
                break;
            }
            have += static_cast<std::size_t>(size);
            const std::size_t whole = have / sizeof(Report);
            for (std::size_t i = 0; i < whole; ++i) {
                Report report{};
                std::memcpy(&report, bytes + i * sizeof report, sizeof report);
                if (report.kind == 'P') {
                    pushed_.insert(report.id);
                    continue;
                }
                Told& told = told_[report.id];
                (report.kind == 'M' ? told.made : report.kind == 'T' ? told.begun : told.accepted) = true;
            }
            have -= whole * sizeof(Report);
            std::memmove(bytes, bytes + whole * sizeof(Report), have);
            if (seen < reports && seen + whole >= reports) {
                kill(child, SIGKILL);
            }
            seen += whole;
        }
        close_end(ends[0]);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the load ended by itself: " << status;
    }

    static void close_end(int end) { ::close(end); }

    /// The counters as the records tell them, each conversation in the order of its rows.
    void expect_counters_without_gap() {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open((options_.directory / "store.db").c_str(), &database), SQLITE_OK);
        sqlite3_stmt* select = nullptr;
        ASSERT_EQ(sqlite3_prepare_v2(database, "SELECT lane, level_id, sequence FROM record WHERE kind=3 ORDER BY id",
                                     -1, &select, nullptr),
                  SQLITE_OK);
        std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> next;
        while (sqlite3_step(select) == SQLITE_ROW) {
            const std::pair place(sqlite3_column_int64(select, 0), sqlite3_column_int64(select, 1));
            ASSERT_EQ(sqlite3_column_int64(select, 2), next[place]++);
        }
        sqlite3_finalize(select);
        sqlite3_close(database);
        EXPECT_LE(next.size(), 50U) << "a conversation keeps its number";
    }

    /// Each object that is here is whole, and nothing else lies in the directory.
    void expect_whole_objects(const std::vector<StoredItem>& waiting) {
        std::vector<model::Uuid> ids;
        for (const StoredItem& item : waiting) {
            if (!item.objects) {
                continue;
            }
            for (const StoredObject& object : *item.objects) {
                ids.push_back(object.described.id);
            }
        }
        const Count count = counts();
        EXPECT_EQ(ids.size(), count.objects_attached);
        ASSERT_TRUE(
            store_->upload_outbox().for_each_queued([&](const QueuedObject& object) { ids.push_back(object.id); }));
        EXPECT_EQ(ids.size(), count.objects_attached + count.objects_queued);
        for (const model::Uuid& id : ids) {
            EXPECT_FALSE(pushed_.contains(id)) << "pushed, and still here";
            const auto object = store_->upload_outbox().find_object(id);
            ASSERT_TRUE(object && *object);
            ASSERT_NE((*object)->sealed, nullptr);
            ASSERT_EQ(unseal(*(*object)->sealed).substr(0, 36), id.to_string());
        }
        EXPECT_EQ(files(), ids.size() + count.objects_offered);
        objects_seen_ += ids.size() + pushed_.size();
    }

    std::map<model::Uuid, Told> told_;
    std::set<model::Uuid> pushed_;
    std::size_t objects_seen_ = 0;
};

TEST_F(Crash, LosesNothingThatWasSaidToBeDurable) {
    std::mt19937_64 random(std::random_device{}());
    const std::uint64_t seed = random();
    SCOPED_TRACE("seed " + std::to_string(seed));
    random.seed(seed);
    for (int round = 0; round < 6; ++round) {
        load_and_kill(200 + random() % 4000, seed + static_cast<std::uint64_t>(round));
        if (HasFatalFailure()) {
            return;
        }

        open();
        if (HasFatalFailure()) {
            return;
        }
        std::set<model::Uuid> waiting;
        RowId last = 0;
        const auto all = queued();
        expect_whole_objects(all);
        if (HasFatalFailure()) {
            return;
        }
        for (const StoredItem& item : all) {
            EXPECT_TRUE(waiting.insert(item.object_id).second) << "twice in the outbox";
            EXPECT_GT(item.row, last);
            last = item.row;
        }
        std::set<model::Uuid> delivered;
        for (ListPlace after;;) {
            const auto page = store_->operator_view().items(ItemState::delivered, after, 500);
            ASSERT_TRUE(page);
            if (page->empty()) {
                break;
            }
            for (const ItemView& view : *page) {
                EXPECT_TRUE(delivered.insert(view.object_id).second) << "delivered twice";
            }
            after = page->back().place();
        }
        for (const auto& [id, told] : told_) {
            if (told.accepted) {
                EXPECT_FALSE(waiting.contains(id));
                EXPECT_TRUE(delivered.contains(id));
            } else if (told.made && !told.begun) {
                EXPECT_TRUE(waiting.contains(id));
                EXPECT_FALSE(delivered.contains(id));
            } else if (told.made) {
                EXPECT_NE(waiting.contains(id), delivered.contains(id)) << "neither here nor there";
            }
        }
        EXPECT_EQ(counts().queued, waiting.size());
        // One more, so that the counters go on in this process as well.
        NewItem one = item();
        one.conversation_hash = hash_of(3);
        one.lane = store_->warrant_register().lane("lea", "LIID-2").value();
        EXPECT_EQ(submit(one), Outcome::committed);
        close();
        expect_counters_without_gap();
        if (HasFatalFailure()) {
            return;
        }
    }
    EXPECT_GT(objects_seen_, 0U);
}

}  // namespace
}  // namespace lihandover::store::test
