#include "fake_store.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <map>
#include <utility>

namespace lihandover::admin::test {

class FakeStore::FakeReader final : public store::Reader {
  public:
    explicit FakeReader(FakeStore& from) : store_(from) {}

    [[nodiscard]] model::Result<std::vector<store::StoredItem>> load(std::span<const store::RowId> /*rows*/) override {
        return model::Error{"not needed here"};
    }
    [[nodiscard]] model::Status for_each_queued(
        const std::function<void(const store::QueuedItem&)>& /*visit*/) override {
        return model::Error{"not needed here"};
    }
    [[nodiscard]] model::Result<std::vector<store::ItemView>> items(std::optional<store::ItemState> state,
                                                                    store::RowId after, std::size_t limit) override {
        const std::lock_guard lock(store_.mutex);
        if (store_.readers_fail) {
            return model::Error{"the store cannot be read"};
        }
        std::vector<store::ItemView> page;
        for (const auto& item : store_.items) {
            const bool waits = item.state <= store::ItemState::refused || item.state == store::ItemState::set_aside;
            if (item.row <= after || (state ? item.state != *state : !waits)) {
                continue;
            }
            if (page.size() == limit) {
                break;
            }
            page.push_back(item);
        }
        return page;
    }
    [[nodiscard]] model::Result<std::optional<store::ItemView>> find(const model::Uuid& object_id) override {
        const std::lock_guard lock(store_.mutex);
        if (store_.readers_fail) {
            return model::Error{"the store cannot be read"};
        }
        for (const auto& item : store_.items) {
            if (item.object_id == object_id) {
                return std::optional(item);
            }
        }
        return std::optional<store::ItemView>();
    }
    [[nodiscard]] model::Result<std::vector<store::Record>> records(std::int64_t /*after*/,
                                                                    std::size_t /*limit*/) override {
        return model::Error{"not needed here"};
    }
    [[nodiscard]] model::Result<std::optional<store::StoredObject>> object(const model::Uuid& /*id*/) override {
        return std::optional<store::StoredObject>{};
    }
    [[nodiscard]] model::Status for_each_upload(
        const std::function<void(const store::QueuedObject&)>& /*visit*/) override {
        return {};
    }
    [[nodiscard]] model::Result<std::optional<model::Instant>> oldest(std::string_view destination) override {
        const std::lock_guard lock(store_.mutex);
        if (store_.readers_fail) {
            return model::Error{"the store cannot be read"};
        }
        for (const auto& item : store_.items) {
            if (item.state == store::ItemState::queued && item.destination == destination) {
                return std::optional(item.received_at);
            }
        }
        return std::optional<model::Instant>();
    }

  private:
    FakeStore& store_;
};

store::ItemView& FakeStore::add(store::ItemState state, const std::string& destination, const std::string& liid) {
    const std::lock_guard lock(mutex);
    auto& item = items.emplace_back();
    item.object_id = model::Uuid::random();
    item.destination = destination;
    item.liid = liid;
    item.state = state;
    item.row = static_cast<store::RowId>(items.size());
    item.correlation = model::ApplicationCorrelation{7, items.size()};
    item.received_at = {1'795'342'531, 5'000};
    item.changed_at = {1'795'342'532, 0};
    if (state == store::ItemState::refused || state == store::ItemState::set_aside) {
        item.refusal = store::Refusal{3007, store::Refusal::Kind::hi1_error, "not valid, says the LEA"};
    }
    return item;
}

model::Result<std::unique_ptr<store::Reader>> FakeStore::reader() const {
    // The fake is not const at heart: its lock is not either.
    return std::unique_ptr<store::Reader>(std::make_unique<FakeReader>(const_cast<FakeStore&>(*this)));  // NOLINT
}

model::Result<store::LaneId> FakeStore::lane(std::string_view /*destination*/, std::string_view /*liid*/) {
    return model::Error{"not needed here"};
}

model::Result<std::vector<store::LaneId>> FakeStore::lanes(
    std::span<const std::pair<std::string, std::string>> /*pairs*/) {
    return model::Error{"not needed here"};
}

model::Result<store::ProfileId> FakeStore::profile(const model::Profile& /*profile*/) {
    return model::Error{"not needed here"};
}

bool FakeStore::accepting() const {
    const std::lock_guard lock(const_cast<FakeStore&>(*this).mutex);  // NOLINT
    return accepts;
}

void FakeStore::submit(std::vector<store::NewItem> /*items*/, Done done) {
    done(store::Outcome::failed);
}
void FakeStore::accepted(std::vector<store::Acceptance> /*items*/, Done done) {
    done(store::Outcome::failed);
}
void FakeStore::refused(store::RowId /*row*/, store::Refusal /*refusal*/, Done done) {
    done(store::Outcome::failed);
}

void FakeStore::change(const Decided& decision, store::ItemState to, DoneCount done) {
    boost::asio::post(writer_, [this, decision, to, done = std::move(done)] {
        std::size_t count = 0;
        auto result = store::Outcome::committed;
        {
            const std::lock_guard lock(mutex);
            decided.push_back(decision);
            result = outcome;
            for (auto& item : items) {
                const bool named =
                    std::find(decision.ids.begin(), decision.ids.end(), item.object_id) != decision.ids.end();
                const bool meant = decision.ids.empty()
                                       ? item.destination == decision.destination &&
                                             item.state == store::ItemState::refused &&
                                             (!decision.code || (item.refusal && item.refusal->code == *decision.code))
                                       : named;
                if (!meant || finds_nothing || result != store::Outcome::committed) {
                    continue;
                }
                item.state = to;
                if (to == store::ItemState::rejected) {
                    item.who = decision.who;
                    item.why = decision.why;
                }
                ++count;
            }
        }
        done(result, count);
    });
}

void FakeStore::retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) {
    change({"retry", std::move(object_ids), {}, {}, std::move(who), {}}, store::ItemState::queued, std::move(done));
}

void FakeStore::retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who, DoneCount done) {
    change({"retry_all", {}, std::move(destination), code, std::move(who), {}}, store::ItemState::queued,
           std::move(done));
}

void FakeStore::reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) {
    change({"reject", std::move(object_ids), {}, {}, std::move(who), std::move(why)}, store::ItemState::rejected,
           std::move(done));
}

model::Result<std::vector<store::StoredWarrant>> FakeStore::warrants() {
    return model::Error{"not needed here"};
}

model::Status FakeStore::change_warrants(const store::WarrantChanges& /*changes*/) {
    return model::Error{"not needed here"};
}

store::Statistics FakeStore::statistics() const {
    const std::lock_guard lock(const_cast<FakeStore&>(*this).mutex);  // NOLINT
    std::map<std::string, store::Count> counts;
    for (const auto& item : items) {
        auto& count = counts.try_emplace(item.destination, store::Count{item.destination, 0, 0, 0}).first->second;
        count.held += item.state == store::ItemState::held ? 1 : 0;
        count.queued += item.state == store::ItemState::queued ? 1 : 0;
        count.refused += item.state == store::ItemState::refused ? 1 : 0;
        count.set_aside += item.state == store::ItemState::set_aside ? 1 : 0;
    }
    store::Statistics statistics;
    for (auto& [name, count] : counts) {
        statistics.counts.push_back(std::move(count));
    }
    statistics.waiting_bytes = 4096;
    statistics.used_bytes = 8192;
    statistics.max_bytes = std::uint64_t{50} << 30;
    statistics.accepting = accepts;
    return statistics;
}

}  // namespace lihandover::admin::test
