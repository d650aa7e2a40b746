#include "fake_store.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <map>
#include <utility>

namespace lihandover::admin::test {

model::Result<std::vector<store::ItemView>> FakeStore::items(std::optional<store::ItemState> state, store::RowId after,
                                                             std::size_t limit) {
    const std::lock_guard lock(mutex);
    if (readers_fail) {
        return model::Error{"the store cannot be read"};
    }
    std::vector<store::ItemView> page;
    for (const auto& item : stored) {
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

model::Result<std::optional<store::ItemView>> FakeStore::find(const model::Uuid& object_id) {
    const std::lock_guard lock(mutex);
    if (readers_fail) {
        return model::Error{"the store cannot be read"};
    }
    for (const auto& item : stored) {
        if (item.object_id == object_id) {
            return std::optional(item);
        }
    }
    return std::optional<store::ItemView>();
}

model::Result<std::vector<store::Record>> FakeStore::records(std::int64_t /*after*/, std::size_t /*limit*/) {
    return model::Error{"not needed here"};
}

model::Result<std::optional<model::Instant>> FakeStore::oldest(std::string_view destination) {
    const std::lock_guard lock(mutex);
    if (readers_fail) {
        return model::Error{"the store cannot be read"};
    }
    for (const auto& item : stored) {
        if (item.state == store::ItemState::queued && item.destination == destination) {
            return std::optional(item.received_at);
        }
    }
    return std::optional<model::Instant>();
}

store::ItemView& FakeStore::add(store::ItemState state, const std::string& destination, const std::string& liid) {
    const std::lock_guard lock(mutex);
    auto& item = stored.emplace_back();
    item.object_id = model::Uuid::random();
    item.destination = destination;
    item.liid = liid;
    item.state = state;
    item.row = static_cast<store::RowId>(stored.size());
    item.correlation = model::ApplicationCorrelation{7, stored.size()};
    item.received_at = {1'795'342'531, 5'000};
    item.changed_at = {1'795'342'532, 0};
    if (state == store::ItemState::refused || state == store::ItemState::set_aside) {
        item.refusal = store::Refusal{3007, store::Refusal::Kind::hi1_error, "not valid, says the LEA"};
    }
    return item;
}

bool FakeStore::accepting() const {
    const std::lock_guard lock(mutex);
    return accepts;
}

void FakeStore::submit(std::vector<store::NewItem> /*items*/, std::size_t /*idle_objects*/, store::Done done) {
    done(store::Outcome::failed);
}

void FakeStore::change(const Decided& decision, store::ItemState to, store::DoneCount done) {
    boost::asio::post(writer_, [this, decision, to, done = std::move(done)] {
        std::size_t count = 0;
        auto result = store::Outcome::committed;
        {
            const std::lock_guard lock(mutex);
            decided.push_back(decision);
            result = outcome;
            for (auto& item : stored) {
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

void FakeStore::retry(std::vector<model::Uuid> object_ids, std::string who, store::DoneCount done) {
    change({"retry", std::move(object_ids), {}, {}, std::move(who), {}}, store::ItemState::queued, std::move(done));
}

void FakeStore::retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                          store::DoneCount done) {
    change({"retry_all", {}, std::move(destination), code, std::move(who), {}}, store::ItemState::queued,
           std::move(done));
}

void FakeStore::reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, store::DoneCount done) {
    change({"reject", std::move(object_ids), {}, {}, std::move(who), std::move(why)}, store::ItemState::rejected,
           std::move(done));
}

void FakeStore::order(std::string what, std::string destination, std::string who, store::Done done) {
    boost::asio::post(writer_,
                      [this, decision = Decided{std::move(what), {}, std::move(destination), {}, std::move(who), {}},
                       done = std::move(done)] {
                          auto result = store::Outcome::committed;
                          {
                              const std::lock_guard lock(mutex);
                              decided.push_back(decision);
                              result = outcome;
                          }
                          done(result);
                      });
}

void FakeStore::pause(std::string destination, std::string who, store::Done done) {
    order("pause", std::move(destination), std::move(who), std::move(done));
}

void FakeStore::resume(std::string destination, std::string who, store::Done done) {
    order("resume", std::move(destination), std::move(who), std::move(done));
}

model::Status FakeStore::clock_accepted(const std::string& who, const std::string& why) {
    const std::lock_guard lock(mutex);
    if (outcome != store::Outcome::committed) {
        return model::Error{"the store cannot be written at present"};
    }
    decided.push_back({"clock_accepted", {}, {}, {}, who, why});
    return {};
}

store::Statistics FakeStore::statistics() const {
    const std::lock_guard lock(mutex);
    std::map<std::string, store::Count> counts;
    for (const auto& item : stored) {
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
