#include "fake_store.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <set>
#include <string>
#include <tuple>

#include "lihandover/audit/verification.hpp"
#include "lihandover/store/digest.hpp"

namespace lihandover::store::test {

namespace {

/// Never lost: what waits for commits that work again.
bool is_kept(Call call) {
    return call == Call::prepared || call == Call::accepted || call == Call::pushed || call == Call::fetched;
}

bool makes_room(const KeptChanges& changes) {
    return !changes.let_go.empty();
}

auto telling(Done done) {
    return [done = std::move(done)](Outcome outcome) {
        if (done) {
            done(outcome);
        }
    };
}

}  // namespace

FakeStore::FakeStore(const model::Clock& clock, std::shared_ptr<FakeDisk> disk)
    : clock_(clock), disk_(std::move(disk)), thread_([this] { write(); }) {
    const std::lock_guard lock(mutex_);
    disk_->withholding.clear();
}

FakeStore::~FakeStore() {
    FakeStore::stop();
}

void FakeStore::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void FakeStore::fail_commits(bool fail) {
    const std::lock_guard lock(mutex_);
    failing_ = fail;
    wake_.notify_all();
}

void FakeStore::say_health(bool can_commit) {
    post([this, can_commit] {
        if (OutboxListener* listener = current_listener()) {
            listener->on_health(can_commit);
        }
    });
}

void FakeStore::fail(Call call, std::size_t good) {
    const std::lock_guard lock(mutex_);
    good_[call] = good;
}

void FakeStore::mend(Call call) {
    const std::lock_guard lock(mutex_);
    good_.erase(call);
}

void FakeStore::hold(Call call) {
    const std::lock_guard lock(mutex_);
    holding_.insert(call);
}

void FakeStore::hold_no_more(Call call) {
    const std::lock_guard lock(mutex_);
    holding_.erase(call);
}

void FakeStore::release(Call call) {
    const std::lock_guard lock(mutex_);
    holding_.erase(call);
    for (Work& work : work_) {
        work.held = work.held && work.call != call;
    }
    wake_.notify_all();
}

std::size_t FakeStore::held(Call call) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count_if(work_, [&](const Work& work) { return work.held && work.call == call; }));
}

void FakeStore::fail_reads(bool fail) {
    const std::lock_guard lock(mutex_);
    reads_fail_ = fail;
}

void FakeStore::make_unreadable(RowId row, bool unreadable) {
    const std::lock_guard lock(mutex_);
    if (unreadable) {
        unreadable_.insert(row);
    } else {
        unreadable_.erase(row);
    }
}

void FakeStore::look_slowly(bool slowly) {
    const std::lock_guard lock(mutex_);
    looks_slowly_ = slowly;
}

void FakeStore::after_next_look(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    after_look_ = std::move(hook);
}

void FakeStore::before_lookup(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    before_lookup_ = std::move(hook);
}

void FakeStore::accept_items(bool accept) {
    const std::lock_guard lock(mutex_);
    accepting_ = accept;
}

void FakeStore::hand_over(bool whole) {
    const std::lock_guard lock(mutex_);
    hands_over_ = whole;
}

void FakeStore::mute(bool mute) {
    const std::lock_guard lock(mutex_);
    muted_ = mute;
}

void FakeStore::find_nothing(bool nothing) {
    const std::lock_guard lock(mutex_);
    finds_nothing_ = nothing;
}

void FakeStore::retry_next_refusal() {
    const std::lock_guard lock(mutex_);
    retries_next_ = true;
}

void FakeStore::show_restored(std::string said) {
    const std::lock_guard lock(mutex_);
    disk_->restored = std::move(said);
}

void FakeStore::show_bytes(std::uint64_t waiting, std::uint64_t used) {
    const std::lock_guard lock(mutex_);
    shown_bytes_ = {waiting, used};
}

RowId FakeStore::put(const ItemView& view) {
    const LaneId lane = Register::lane(view.destination, view.liid).value();
    const std::lock_guard lock(mutex_);
    const RowId row = disk_->next++;
    if (view.state == ItemState::delivered || view.state == ItemState::rejected) {
        ItemView kept = view;
        kept.row = row;
        disk_->ended[row] = {std::move(kept), view.state == ItemState::delivered};
        return row;
    }
    FakeItem item;
    item.item.row = row;
    item.item.lane = lane;
    item.item.object_id = view.object_id;
    item.item.correlation = view.correlation;
    item.item.received_at = view.received_at;
    item.state = view.state;
    item.changed_at = view.changed_at;
    item.refusal = view.refusal;
    item.item.emergency = view.emergency;
    item.review = view.held ? view.held->review : Review::required;
    disk_->items.emplace(row, std::move(item));
    return row;
}

void FakeStore::put(StoredObject object) {
    FakeObject row;
    const model::Instant now = clock_.wall();
    row.changed_at = now;
    row.deadline = model::Instant::from_micros(now.micros() + object.lifetime.count() * 1'000'000);
    row.object = std::move(object);
    const QueuedObject queued = row.queued();
    const bool waits = row.object.state == ObjectState::queued;
    {
        const std::lock_guard lock(mutex_);
        disk_->objects.emplace(disk_->next++, std::move(row));
    }
    if (waits) {
        submit_work({Call::change, [queued](Changes& changes) { changes.uploads.push_back(queued); }, [](Outcome) {}});
    }
}

void FakeStore::put(StoredPause pause) {
    const std::lock_guard lock(mutex_);
    disk_->pauses[pause.destination] = std::move(pause);
}

void FakeStore::change(const model::Uuid& object, const std::function<void(StoredObject&)>& change) {
    const std::lock_guard lock(mutex_);
    change(Changes(*disk_, clock_.wall()).find_object(object)->object);
}

void FakeStore::post(std::function<void()> work) {
    submit_work({Call::change, {}, [work = std::move(work)](Outcome) { work(); }});
}

Asked FakeStore::asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
}

bool FakeStore::wait_until(const std::function<bool(const Asked&)>& condition) const {
    std::unique_lock lock(mutex_);
    return asked_changed_.wait_for(lock, std::chrono::seconds(30), [&] { return condition(asked_); });
}

std::optional<RowId> FakeStore::row_of(const model::Uuid& item) const {
    const std::lock_guard lock(mutex_);
    if (const FakeItem* found = Changes(*disk_, {}).find(item)) {
        return found->item.row;
    }
    for (const auto& [row, ended] : disk_->ended) {
        if (ended.view.object_id == item) {
            return row;
        }
    }
    return std::nullopt;
}

void FakeStore::submit_work(Work work) {
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_) {
            work.held = holding_.contains(work.call);
            work_.push_back(std::move(work));
            wake_.notify_all();
            return;
        }
    }
    work.done(Outcome::failed);
}

void FakeStore::commit(Work& work) {
    std::function<void(double)> observer;
    Changes changes(*disk_, clock_.wall());
    {
        const std::lock_guard lock(mutex_);
        work.apply(changes);
        ++commits_;
        repeats_ += changes.repeats;
        reused_ids_ += changes.reused_ids;
        observer = observer_;
        asked_changed_.notify_all();
    }
    if (observer) {
        observer(0);
    }
    tell(changes);
    work.done(Outcome::committed);
}

OutboxListener* FakeStore::current_listener() const {
    const std::lock_guard lock(mutex_);
    return listener_;
}

ObjectListener* FakeStore::current_object_listener() const {
    const std::lock_guard lock(mutex_);
    return object_listener_;
}

void FakeStore::tell(Changes& changes) {
    OutboxListener* listener = nullptr;
    ObjectListener* objects = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (muted_) {
            return;
        }
        listener = listener_;
        objects = object_listener_;
        if (!hands_over_) {
            changes.stored.clear();
        }
    }
    if (objects != nullptr) {
        if (!changes.prepared.empty()) {
            objects->on_prepared(changes.prepared);
        }
        if (!changes.uploads.empty()) {
            objects->on_uploads(changes.uploads);
        }
        if (!changes.uploads_withdrawn.empty()) {
            objects->on_uploads_withdrawn(changes.uploads_withdrawn);
        }
    }
    if (listener == nullptr) {
        return;
    }
    for (const LaneId lane : changes.lanes_withdrawn) {
        listener->on_lane_withdrawn(lane);
    }
    if (!changes.retried.empty()) {
        std::ranges::sort(changes.retried, {}, &QueuedItem::row);
        listener->on_queued(changes.retried, true);
    }
    if (!changes.stored.empty()) {
        listener->on_stored(changes.stored);
    }
    if (!changes.queued.empty()) {
        listener->on_queued(changes.queued, false);
    }
    if (!changes.withdrawn.empty()) {
        listener->on_withdrawn(changes.withdrawn);
    }
}

LaneLease FakeStore::lease(LaneId lane) const {
    const std::lock_guard lock(mutex_);
    const auto found = leases_.find(lane);
    return found == leases_.end() ? LaneLease::for_ever() : found->second;
}

void FakeStore::set_lease(LaneId lane, LaneLease lease) {
    const std::lock_guard lock(mutex_);
    leases_[lane] = lease;
}

void FakeStore::lose(LaneId lane) {
    set_lease(lane, {});
    post([this, lane] {
        const auto lost = [lane](LaneId one) { return one == lane; };
        if (OutboxListener* listener = current_listener()) {
            listener->on_lanes_lost(lost);
        }
        if (ObjectListener* objects = current_object_listener()) {
            objects->on_objects_lost(lost);
        }
    });
}

void FakeStore::take_over(LaneId lane) {
    set_lease(lane, LaneLease::for_ever());
    post([this, lane] {
        for (const bool aside : {false, true}) {
            auto items = items_in(aside ? ItemState::set_aside : ItemState::queued).value();
            std::erase_if(items, [lane](const QueuedItem& one) { return one.lane != lane; });
            if (OutboxListener* listener = current_listener()) {
                listener->on_taken_over(items, aside);
            }
            auto objects = objects_in(aside ? ObjectState::set_aside : ObjectState::queued).value();
            std::erase_if(objects, [lane](const QueuedObject& one) { return one.lane != lane; });
            if (ObjectListener* listener = current_object_listener()) {
                listener->on_taken_over(objects, aside);
            }
        }
    });
}

std::deque<FakeStore::Work>::iterator FakeStore::next() {
    return std::ranges::find_if(work_, [this](const Work& work) {
        return stopping_ || (!work.held && !(work.apply && failing_ && is_kept(work.call)));
    });
}

bool FakeStore::fails(const Work& work) {
    if (failing_ || work.given_up) {
        return true;
    }
    const auto found = good_.find(work.call);
    if (found == good_.end()) {
        return false;
    }
    if (found->second == 0) {
        return true;
    }
    --found->second;
    return false;
}

void FakeStore::write() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [&] { return stopping_ || failing_ != told_failing_ || next() != work_.end(); });
        if (failing_ != told_failing_) {
            told_failing_ = failing_;
            OutboxListener* listener = listener_;
            const bool can_commit = !failing_;
            lock.unlock();
            if (listener != nullptr) {
                listener->on_health(can_commit);
            }
            lock.lock();
            continue;
        }
        const auto found = next();
        if (found == work_.end()) {
            break;
        }
        Work work = std::move(*found);
        work_.erase(found);
        const bool fail = work.apply && fails(work);
        lock.unlock();
        if (work.apply && !fail) {
            commit(work);
        } else {
            work.done(fail ? Outcome::failed : Outcome::committed);
        }
        work = {};
        lock.lock();
    }
}

model::Status FakeStore::wait_for(std::function<void(Changes&)> apply) {
    std::mutex mutex;
    std::condition_variable ended;
    std::optional<Outcome> outcome;
    submit_work({Call::change, std::move(apply), [&](Outcome told) {
                     const std::lock_guard lock(mutex);
                     outcome = told;
                     ended.notify_all();
                 }});
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return outcome.has_value(); });
    if (*outcome != Outcome::committed) {
        return model::Error{"the store cannot be written at present; see the log"};
    }
    return {};
}

void FakeStore::set_listener(OutboxListener* listener) {
    const std::lock_guard lock(mutex_);
    listener_ = listener;
}

void FakeStore::set_listener(ObjectListener* listener) {
    const std::lock_guard lock(mutex_);
    object_listener_ = listener;
}

void FakeStore::set_commit_observer(std::function<void(double)> observer) {
    const std::lock_guard lock(mutex_);
    observer_ = std::move(observer);
}

void FakeStore::set_limits(std::uint64_t max_bytes, std::chrono::seconds /*record_retention*/) {
    const std::lock_guard lock(mutex_);
    max_bytes_ = max_bytes;
}

void FakeStore::set_commit_timeout(std::chrono::milliseconds /*timeout*/) {}

Hash128 FakeStore::keyed_hash(std::span<const std::string_view> parts) const {
    Sha256Digest digest;
    for (const std::string_view part : parts) {
        const std::uint64_t size = part.size();
        digest.update({reinterpret_cast<const char*>(&size), sizeof size});
        digest.update(part);
    }
    const model::Sha256 sha256 = digest.finish();
    Hash128 hash{};
    std::copy_n(sha256.begin(), hash.size(), hash.begin());
    return hash;
}

model::Result<std::vector<LaneId>> FakeStore::lanes(
    std::span<const std::pair<std::string, std::string>> destination_and_liid) {
    std::vector<LaneId> ids;
    const model::Status status = wait_for([&](Changes& changes) {
        for (const auto& [destination, liid] : destination_and_liid) {
            ids.push_back(changes.lane(destination, liid));
        }
    });
    return status ? model::Result<std::vector<LaneId>>(std::move(ids))
                  : model::Result<std::vector<LaneId>>(status.error());
}

model::Result<ProfileId> FakeStore::profile(const model::Profile& profile) {
    ProfileId id = 0;
    const model::Status status = wait_for([&](Changes& changes) {
        auto& profiles = changes.disk.profiles;
        const auto found = std::ranges::find_if(profiles, [&](const auto& known) { return *known == profile; });
        id = found - profiles.begin() + 1;
        if (found == profiles.end()) {
            profiles.push_back(std::make_shared<const model::Profile>(profile));
        }
    });
    return status ? model::Result<ProfileId>(id) : model::Result<ProfileId>(status.error());
}

std::shared_ptr<const Lane> FakeStore::find_lane(LaneId id) const {
    const std::lock_guard lock(mutex_);
    return id >= 1 && static_cast<std::size_t>(id) <= disk_->lanes.size()
               ? disk_->lanes[static_cast<std::size_t>(id) - 1]
               : nullptr;
}

std::shared_ptr<const model::Profile> FakeStore::find_profile(ProfileId id) const {
    const std::lock_guard lock(mutex_);
    return id >= 1 && static_cast<std::size_t>(id) <= disk_->profiles.size()
               ? disk_->profiles[static_cast<std::size_t>(id) - 1]
               : nullptr;
}

bool FakeStore::accepting() const {
    const std::lock_guard lock(mutex_);
    return accepting_ && !failing_ && !stopping_;
}

bool FakeStore::can_commit() const {
    const std::lock_guard lock(mutex_);
    return !failing_ && !stopping_;
}

void FakeStore::ask(const std::function<void(Asked&)>& note) {
    const std::lock_guard lock(mutex_);
    note(asked_);
    asked_changed_.notify_all();
}

void FakeStore::submit(std::vector<NewItem> items, const Arrival& arrival, Done done) {
    submit(std::move(items), arrival, {}, {}, std::move(done));
}

void FakeStore::before_next_matched(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    before_next_matched_ = std::move(hook);
}

void FakeStore::submit(std::vector<NewItem> items, const Arrival& arrival, std::string_view source, KeptChanges changes,
                       Done done) {
    std::function<void()> hook;
    if (arrival.warrants) {
        const std::lock_guard lock(mutex_);
        hook = std::exchange(before_next_matched_, nullptr);
    }
    if (hook) {
        hook();
    }
    ask([&](Asked& asked) { asked.submissions.push_back(items); });
    if (!is_current(arrival.warrants)) {
        submit_work({Call::submit, {}, [done = telling(std::move(done))](Outcome) { done(Outcome::outdated); }});
        return;
    }
    const bool known = std::ranges::all_of(
        items, [this](const NewItem& item) { return find_lane(item.lane) && find_profile(item.profile); });
    const bool taken = accepting() || (makes_room(changes) && can_commit());
    if (!taken || !known) {
        submit_work({Call::submit, {}, [done = telling(std::move(done))](Outcome) { done(Outcome::failed); }});
        return;
    }
    submit_work(
        {Call::submit,
         [this, items = std::move(items), source = std::string(source), changes = std::move(changes)](Changes& to) {
             for (const NewItem& item : items) {
                 to.insert(item);
             }
             to.keep(source, changes);
             if (!changes.empty()) {
                 asked_.kept_changes.push_back(changes);
             }
         },
         telling(std::move(done))});
}

model::Status FakeStore::for_each_kept(std::string_view source, const std::function<void(KeptCopy copy)>& visit) {
    const auto all = reading([&](const FakeDisk& disk) {
        std::vector<KeptCopy> found;
        for (const auto& [key, bytes] : disk.kept) {
            if (key.first == source) {
                found.push_back({key.second, bytes});
            }
        }
        return found;
    });
    if (!all) {
        return all.error();
    }
    std::ranges::for_each(*all, visit);
    return {};
}

model::Result<std::vector<std::string>> FakeStore::sources() {
    return reading([](const FakeDisk& disk) {
        std::set<std::string> names;
        for (const auto& [key, bytes] : disk.kept) {
            names.insert(key.first);
        }
        return std::vector<std::string>(names.begin(), names.end());
    });
}

void FakeStore::accepted(std::vector<Acceptance> items, Done done) {
    submit_work({Call::accepted,
                 [this, items = std::move(items)](Changes& changes) {
                     for (const Acceptance& item : items) {
                         changes.accept(item);
                         asked_.accepted.push_back(item);
                     }
                 },
                 telling(std::move(done))});
}

void FakeStore::refused(RowId row, Refusal refusal, Done done) {
    submit_work(
        {Call::refused,
         [row, refusal = std::move(refusal)](Changes& changes) { changes.put_aside(row, ItemState::refused, refusal); },
         telling(std::move(done))});
}

void FakeStore::set_aside(RowId row, Refusal refusal, Done done) {
    submit_work({Call::set_aside,
                 [row, refusal = std::move(refusal)](Changes& changes) {
                     const FakeItem* found = changes.find(row);
                     if (found != nullptr && found->state != ItemState::refused) {
                         changes.put_aside(row, ItemState::set_aside, refusal);
                     }
                 },
                 telling(std::move(done))});
}

void FakeStore::decide(Decision decision, std::function<std::size_t(Changes&, const Decision&)> work, DoneCount done) {
    auto count = std::make_shared<std::size_t>(0);
    const Call call = decision.call;
    submit_work({call,
                 [this, decision = std::move(decision), work = std::move(work), count](Changes& changes) {
                     *count = finds_nothing_ ? 0 : work(changes, decision);
                     asked_.decisions.push_back(decision);
                 },
                 [done = std::move(done), count](Outcome outcome) {
                     if (done) {
                         done(outcome, outcome == Outcome::committed ? *count : 0);
                     }
                 }});
}

void FakeStore::review(Decision decision, std::function<void(Changes&, const Decision&, Decided&)> work,
                       DoneDecided done) {
    auto count = std::make_shared<Decided>();
    const Call call = decision.call;
    submit_work({call,
                 [this, decision = std::move(decision), work = std::move(work), count](Changes& changes) {
                     *count = {};
                     if (!finds_nothing_) {
                         work(changes, decision, *count);
                     }
                     asked_.decisions.push_back(decision);
                 },
                 [done = std::move(done), count](Outcome outcome) {
                     if (done) {
                         done(outcome, outcome == Outcome::committed ? *count : Decided{});
                     }
                 }});
}

void FakeStore::approve(std::vector<model::Uuid> object_ids, Reviewer reviewer, DoneDecided done) {
    review(
        {Call::approve, std::move(object_ids), {}, {}, std::move(reviewer.who), {}, std::move(reviewer.identity)},
        [](Changes& changes, const Decision& decision, Decided& count) {
            for (const model::Uuid& id : decision.ids) {
                changes.approve(id, {decision.identity, decision.who}, count);
            }
        },
        std::move(done));
}

void FakeStore::shown(RowId row, const model::Uuid& object_id, std::string who, std::string what, DoneCount done) {
    decide(
        {Call::shown, {object_id}, {}, {}, std::move(who), std::move(what)},
        [row](Changes& changes, const Decision& decision) -> std::size_t {
            const FakeItem* const found = changes.find(row);
            if (found == nullptr || found->item.object_id != decision.ids.front()) {
                return 0;
            }
            changes.record(RecordKind::content_shown, found->item.lane, found->item.object_id, decision.who,
                           decision.why);
            return 1;
        },
        std::move(done));
}

void FakeStore::retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) {
    decide(
        {Call::retry, std::move(object_ids), {}, {}, std::move(who), {}},
        [](Changes& changes, const Decision& decision) {
            return static_cast<std::size_t>(std::ranges::count_if(
                decision.ids, [&](const model::Uuid& id) { return changes.retry(id, decision.who); }));
        },
        std::move(done));
}

void FakeStore::retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who, DoneCount done) {
    decide(
        {Call::retry_all, {}, std::move(destination), code, std::move(who), {}},
        [](Changes& changes, const Decision& decision) {
            return changes.retry_all(decision.destination, decision.code, decision.who);
        },
        std::move(done));
}

void FakeStore::end_searches() {
    const std::lock_guard lock(mutex_);
    searches_ended_ = true;
    // What a test holds of these is what an engine still looks for.
    for (Work& work : work_) {
        work.given_up = work.given_up || (work.held && work.call == Call::reject);
        work.held = work.held && !work.given_up;
    }
    wake_.notify_all();
}

void FakeStore::reject(std::vector<Meant> items, Reviewer reviewer, std::string why, DoneDecided done) {
    const bool searches =
        std::ranges::any_of(items, [](const Meant& one) { return one.row == 0 && one.as.has(ItemState::queued); });
    bool ended = false;
    {
        const std::lock_guard lock(mutex_);
        ended = searches_ended_;
    }
    if (searches && ended) {
        done(Outcome::failed, {});
        return;
    }
    Decision decision{Call::reject, {}, {}, {}, std::move(reviewer.who), std::move(why), std::move(reviewer.identity)};
    for (const Meant& one : items) {
        decision.ids.push_back(one.id);
        decision.as.push_back(one.as);
    }
    review(
        std::move(decision),
        [items = std::move(items)](Changes& changes, const Decision& said, Decided& count) {
            for (const Meant& one : items) {
                changes.reject(one, {said.identity, said.who}, said.why, count);
            }
        },
        std::move(done));
}

template <typename Look>
auto FakeStore::reading(const Look& look) const -> model::Result<decltype(look(std::declval<const FakeDisk&>()))> {
    const std::lock_guard lock(mutex_);
    if (reads_fail_) {
        return model::Error{"the store cannot be read"};
    }
    return look(*disk_);
}

model::Result<std::vector<StoredWarrant>> FakeStore::warrants() {
    std::vector<StoredWarrant> all;
    const std::lock_guard lock(mutex_);
    if (reads_fail_) {
        return model::Error{"the store cannot be read"};
    }
    for (const auto& [pair, warrant] : disk_->warrants) {
        all.push_back(warrant);
    }
    return all;
}

model::Result<std::vector<StoredRevocation>> FakeStore::revocations() {
    return reading([](const FakeDisk& disk) {
        std::vector<StoredRevocation> all;
        for (const auto& [pair, revocation] : disk.revocations) {
            all.push_back(revocation);
        }
        return all;
    });
}

model::Result<std::vector<StoredPendingWarrant>> FakeStore::pending_warrants() {
    return reading([](const FakeDisk& disk) {
        std::vector<StoredPendingWarrant> all;
        for (const auto& [pair, pending] : disk.pending_warrants) {
            all.push_back(pending);
        }
        return all;
    });
}

model::Result<std::optional<std::size_t>> FakeStore::decide_warrant(const WarrantDecision& decision) {
    const std::pair pair(decision.destination, decision.liid);
    const auto known = lanes(std::span(&pair, 1));
    if (!known) {
        return known.error();
    }
    std::optional<std::size_t> count;
    const model::Status status = wait_for([&](Changes& to) {
        const auto found = to.disk.pending_warrants.find(pair);
        if (found == to.disk.pending_warrants.end() || found->second.digest != decision.digest) {
            return;
        }
        StoredPendingWarrant& pending = found->second;
        if (decision.approve) {
            pending.refused = false;
            pending.who.clear();
            pending.why.clear();
        } else {
            pending.refused = true;
            pending.who = decision.who;
            pending.why = decision.why;
            pending.approvals.clear();
        }
        const bool again = decision.approve && std::ranges::find(pending.approvals, decision.uid,
                                                                 &StoredApproval::uid) != pending.approvals.end();
        if (decision.approve && !again) {
            pending.approvals.push_back({decision.uid, decision.who, to.now});
        }
        if (!again) {
            to.record(decision.approve ? RecordKind::warrant_approved : RecordKind::warrant_refused, known->front(),
                      std::nullopt, decision.who, decision.why);
        }
        count = pending.approvals.size();
    });
    if (!status) {
        return status.error();
    }
    return count;
}

model::Status FakeStore::change_warrants(const WarrantChanges& changes) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto* list : {&changes.in_force, &changes.changed, &changes.ended}) {
        for (const StoredWarrant& warrant : *list) {
            pairs.emplace_back(warrant.destination, warrant.liid);
        }
    }
    for (const StoredRevocation& revocation : changes.revoked) {
        pairs.emplace_back(revocation.destination, revocation.liid);
    }
    for (const StoredPendingWarrant& pending : changes.pending) {
        pairs.emplace_back(pending.destination, pending.liid);
    }
    auto known = lanes(pairs);
    if (!known) {
        return known.error();
    }
    return wait_for([&](Changes& to) {
        auto lane = known->begin();
        const auto tell = [&](RecordKind kind, const StoredWarrant& warrant) {
            to.record(kind, *lane++, std::nullopt, changes.who, warrant.said());
        };
        for (const auto& [list, kind] : {std::pair(&changes.in_force, RecordKind::warrant_in_force),
                                         std::pair(&changes.changed, RecordKind::warrant_changed)}) {
            for (const StoredWarrant& warrant : *list) {
                to.disk.warrants[{warrant.destination, warrant.liid}] = warrant;
                tell(kind, warrant);
            }
        }
        for (const StoredWarrant& warrant : changes.marked) {
            to.disk.warrants.at({warrant.destination, warrant.liid}).missing = warrant.missing;
        }
        for (const StoredWarrant& warrant : changes.ended) {
            to.disk.warrants.erase({warrant.destination, warrant.liid});
            tell(RecordKind::warrant_ended, warrant);
        }
        for (const LiftedRevocation& lifted : changes.lifted) {
            if (to.disk.revocations.erase({lifted.destination, lifted.liid}) > 0) {
                to.record(RecordKind::revocation_lifted, to.lane(lifted.destination, lifted.liid), std::nullopt,
                          changes.who, lifted.why);
            }
        }
        for (const StoredRevocation& revocation : changes.revoked) {
            const std::pair pair(revocation.destination, revocation.liid);
            to.disk.warrants.erase(pair);
            StoredRevocation& kept = to.disk.revocations[pair] = revocation;
            kept.at = to.now;
            kept.hold = Review::none;
            const bool holds = revocation.hold != Review::none;
            if (holds) {
                to.withhold(*lane, revocation.hold);
            }
            to.record(RecordKind::warrant_revoked, *lane++, std::nullopt, revocation.who,
                      revocation.why + (holds ? " (what was queued is held)" : ""));
        }
        for (const auto& pair : changes.settled) {
            to.disk.pending_warrants.erase(pair);
        }
        for (const StoredPendingWarrant& pending : changes.pending) {
            StoredPendingWarrant& kept = to.disk.pending_warrants[{pending.destination, pending.liid}] = pending;
            kept.since = to.now;
            kept.terms.clear();
            to.record(RecordKind::warrant_pending, *lane++, std::nullopt, changes.who,
                      pending.file + ": " + pending.terms);
        }
    });
}

model::Status FakeStore::nothing_more_of(std::string_view destination, std::string_view liid) {
    const auto known = lane(destination, liid);
    if (!known) {
        return known.error();
    }
    return wait_for([lane = *known](Changes& to) { to.disk.withholding.erase(lane); });
}

model::Result<std::vector<StoredPause>> FakeStore::pauses() {
    return reading([](const FakeDisk& disk) {
        std::vector<StoredPause> all;
        for (const auto& [destination, pause] : disk.pauses) {
            all.push_back(pause);
        }
        return all;
    });
}

void FakeStore::pause(std::string destination, std::string who, Done done) {
    decide(
        {Call::pause, {}, std::move(destination), {}, std::move(who), {}},
        [](Changes& changes, const Decision& decision) {
            changes.pause(decision.destination, decision.who, true);
            return std::size_t{1};
        },
        [done = std::move(done)](Outcome outcome, std::size_t) { done(outcome); });
}

void FakeStore::resume(std::string destination, std::string who, Done done) {
    decide(
        {Call::resume, {}, std::move(destination), {}, std::move(who), {}},
        [](Changes& changes, const Decision& decision) {
            changes.pause(decision.destination, decision.who, false);
            return std::size_t{1};
        },
        [done = std::move(done)](Outcome outcome, std::size_t) { done(outcome); });
}

model::Status FakeStore::accept_restore(const std::string& who, const std::string& why) {
    bool any = false;
    model::Status status = wait_for([&](Changes& changes) {
        any = !changes.disk.restored.empty();
        if (any) {
            changes.disk.restored.clear();
            changes.record(RecordKind::restore_accepted, 0, std::nullopt, who, why);
        }
    });
    return status && !any ? model::Status(model::Error{"there is nothing to accept"}) : status;
}

model::Status FakeStore::clock_accepted(const std::string& who, const std::string& why) {
    std::promise<Outcome> told;
    decide(
        {Call::clock_accepted, {}, {}, {}, who, why},
        [](Changes& changes, const Decision& decision) {
            changes.record(RecordKind::clock_accepted, 0, std::nullopt, decision.who, decision.why);
            return std::size_t{1};
        },
        [&](Outcome outcome, std::size_t) { told.set_value(outcome); });
    if (told.get_future().get() != Outcome::committed) {
        return model::Error{"the store cannot be written at present"};
    }
    return {};
}

Statistics FakeStore::statistics() const {
    Statistics statistics;
    statistics.accepting = accepting();
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::size_t> places;
    for (const auto& lane : disk_->lanes) {
        if (places.try_emplace(lane->destination, statistics.counts.size()).second) {
            statistics.counts.push_back({lane->destination});
        }
    }
    const auto count_of = [&](LaneId lane) -> Count& {
        return statistics.counts[places[disk_->lanes[static_cast<std::size_t>(lane) - 1]->destination]];
    };
    for (const auto& [row, item] : disk_->items) {
        Count& count = count_of(item.item.lane);
        ++(item.state == ItemState::held        ? count.held
           : item.state == ItemState::queued    ? count.queued
           : item.state == ItemState::set_aside ? count.set_aside
                                                : count.refused);
        statistics.waiting_bytes += item.item.share.size();
    }
    for (const auto& [id, row] : disk_->objects) {
        Count& count = count_of(row.object.lane);
        ++(row.object.state == ObjectState::attached    ? count.objects_attached
           : row.object.state == ObjectState::offered   ? count.objects_offered
           : row.object.state == ObjectState::queued    ? count.objects_queued
           : row.object.state == ObjectState::set_aside ? count.objects_set_aside
                                                        : count.objects_refused);
        statistics.object_bytes += row.object.sealed ? row.object.sealed->size() : 0;
    }
    statistics.used_bytes = statistics.waiting_bytes + statistics.object_bytes;
    if (shown_bytes_) {
        std::tie(statistics.waiting_bytes, statistics.used_bytes) = *shown_bytes_;
    }
    statistics.max_bytes = max_bytes_;
    statistics.commits = commits_;
    statistics.repeats = repeats_;
    statistics.reused_ids = reused_ids_;
    statistics.restored = disk_->restored;
    return statistics;
}

// -- Binary objects

model::Result<std::unique_ptr<ObjectWriter>> FakeStore::writer() {
    if (!accepting()) {
        return model::Error{"the store takes nothing at present"};
    }
    return disk_->bytes->writer(false);
}

model::Result<std::unique_ptr<ObjectWriter>> FakeStore::copy_writer(std::uint64_t /*size*/) {
    if (!can_commit()) {
        return model::Error{"the store cannot be written at present"};
    }
    return disk_->bytes->writer(true);
}

model::Result<std::unique_ptr<ObjectReader>> FakeStore::open(const SealedObject& object) const {
    return disk_->bytes->open(object);
}

bool FakeStore::copy_fits(std::uint64_t size) const {
    const std::lock_guard lock(mutex_);
    return max_bytes_ == 0 || size <= max_bytes_;
}

std::uint64_t FakeStore::largest() const {
    const std::lock_guard lock(mutex_);
    return max_bytes_ == 0 ? std::uint64_t{1} << 62U : max_bytes_ - max_bytes_ / 8;
}

std::uint64_t FakeStore::room() const {
    return room_;
}

model::Result<std::vector<std::shared_ptr<const SourceFile>>> FakeStore::pending_files() {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<const SourceFile>> files;
    for (const auto& [id, row] : disk_->objects) {
        if (row.preparing() &&
            std::ranges::none_of(files, [&](const auto& known) { return known->id == row.source->id; })) {
            files.push_back(row.source);
        }
    }
    return files;
}

void FakeStore::prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                         Done done) {
    submit_work({Call::prepared,
                 [this, file, copy = std::move(copy), loss](Changes& changes) {
                     changes.prepare(file, copy, loss);
                     asked_.prepared.push_back({file, copy, loss});
                 },
                 telling(std::move(done))});
}

void FakeStore::stamp(RowId item, model::Instant expiry, Done done) {
    ask([&](Asked& asked) { asked.stamps.push_back({item, expiry}); });
    submit_work(
        {Call::stamp, [item, expiry](Changes& changes) { changes.stamp(item, expiry); }, telling(std::move(done))});
}

void FakeStore::pushed(const model::Uuid& object, Done done) {
    submit_work({Call::pushed,
                 [this, object](Changes& changes) {
                     changes.pushed(object);
                     asked_.pushed.push_back(object);
                 },
                 telling(std::move(done))});
}

void FakeStore::refused(const model::Uuid& object, Refusal refusal, Done done) {
    submit_work({Call::object_refused,
                 [this, object, refusal = std::move(refusal)](Changes& changes) {
                     changes.put_aside(object, ObjectState::refused, refusal);
                     if (std::exchange(retries_next_, false)) {
                         changes.retry(object, "an operator");
                     }
                 },
                 telling(std::move(done))});
}

void FakeStore::set_aside(const model::Uuid& object, Refusal refusal, Done done) {
    submit_work({Call::object_set_aside,
                 [object, refusal = std::move(refusal)](Changes& changes) {
                     changes.put_aside(object, ObjectState::set_aside, refusal);
                 },
                 telling(std::move(done))});
}

void FakeStore::fetched(Fetch fetch, Done done) {
    submit_work({Call::fetched,
                 [this, fetch = std::move(fetch)](Changes& changes) {
                     changes.fetched(fetch);
                     asked_.fetched.push_back(fetch);
                 },
                 telling(std::move(done))});
}

// -- Reading

model::Result<std::vector<QueuedItem>> FakeStore::items_in(ItemState state) const {
    return reading([&](const FakeDisk& disk) {
        std::vector<QueuedItem> items;
        for (const auto& [row, item] : disk.items) {
            if (item.state == state) {
                items.push_back({row, item.item.lane, item.item.emergency});
            }
        }
        return items;
    });
}

model::Result<std::vector<QueuedObject>> FakeStore::objects_in(ObjectState state) const {
    return reading([&](const FakeDisk& disk) {
        std::vector<QueuedObject> objects;
        for (const auto& [id, row] : disk.objects) {
            if (row.object.state == state && row.object.sealed) {
                objects.push_back(row.queued());
            }
        }
        return objects;
    });
}

namespace {

template <typename One>
model::Status visit_each(const model::Result<std::vector<One>>& found, const std::function<void(const One&)>& visit) {
    if (!found) {
        return found.error();
    }
    std::ranges::for_each(*found, visit);
    return {};
}

}  // namespace

model::Status FakeStore::for_each_queued(const std::function<void(const QueuedItem&)>& visit) {
    return visit_each(items_in(ItemState::queued), visit);
}

model::Status FakeStore::for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) {
    return visit_each(items_in(ItemState::set_aside), visit);
}

model::Status FakeStore::for_each_queued(const std::function<void(const QueuedObject&)>& visit) {
    return visit_each(objects_in(ObjectState::queued), visit);
}

model::Status FakeStore::for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) {
    return visit_each(objects_in(ObjectState::set_aside), visit);
}

namespace {

/// An item as it is read back, with its objects.
StoredItem with_objects(const FakeDisk& disk, const FakeItem& from) {
    StoredItem item = from.item;
    if (from.has_objects) {
        auto objects = std::make_shared<std::vector<StoredObject>>();
        for (const auto& [id, object] : disk.objects) {
            if (object.object.item == item.row) {
                item.preparing = item.preparing || object.preparing();
                objects->push_back(object.object);
            }
        }
        item.objects = std::move(objects);
    }
    return item;
}

}  // namespace

model::Result<std::optional<StoredItem>> FakeStore::content(const model::Uuid& object_id) {
    return reading([&](const FakeDisk& disk) -> std::optional<StoredItem> {
        for (const auto& [row, item] : disk.items) {
            if (item.item.object_id == object_id) {
                return with_objects(disk, item);
            }
        }
        return std::nullopt;
    });
}

model::Result<std::vector<StoredItem>> FakeStore::load(std::span<const RowId> rows) {
    ask([](Asked& asked) { ++asked.loads; });
    return reading([&](const FakeDisk& disk) {
        std::vector<StoredItem> items;
        for (const RowId row : rows) {
            const auto found = disk.items.find(row);
            if (found == disk.items.end() ||
                (found->second.state != ItemState::queued && found->second.state != ItemState::set_aside)) {
                continue;
            }
            StoredItem& item = items.emplace_back(with_objects(disk, found->second));
            if (unreadable_.contains(row)) {
                item.share.clear();
                item.unreadable_now = true;
            }
        }
        return items;
    });
}

namespace {

/// At most `limit` of what comes after a place, as OperatorView::items has it.
///   view_of_row  a row as it is listed; nullopt: it is not meant
template <typename Rows, typename Emergency, typename View>
void add_page(const Rows& rows, ListPlace after, std::size_t limit, std::vector<ItemView>& views,
              const Emergency& is_emergency, const View& view_of_row) {
    const std::size_t most = views.size() + limit;
    for (const bool routine : {false, true}) {
        if (routine < after.routine) {
            continue;
        }
        auto next = routine == after.routine ? rows.upper_bound(after.row) : rows.begin();
        for (; next != rows.end() && views.size() < most; ++next) {
            if (is_emergency(next->second) == routine) {
                continue;
            }
            if (auto view = view_of_row(next->first, next->second)) {
                views.push_back(std::move(*view));
            }
        }
    }
}

}  // namespace

model::Result<std::vector<ItemView>> FakeStore::items(std::optional<ItemState> state, ListPlace after,
                                                      std::size_t limit) {
    return reading([&](const FakeDisk& disk) {
        std::vector<ItemView> views;
        using Found = std::optional<ItemView>;
        const auto is = [&](ItemState of) { return !state || of == *state; };
        if (state == ItemState::delivered || state == ItemState::rejected) {
            add_page(
                disk.ended, after, limit, views, [](const FakeDisk::Ended&) { return false; },
                [&](RowId, const FakeDisk::Ended& ended) {
                    return is(ended.view.state) ? Found(ended.view) : Found();
                });
        } else {
            add_page(
                disk.items, after, limit, views, [](const FakeItem& item) { return item.item.emergency; },
                [&](RowId, const FakeItem& item) { return is(item.state) ? Found(view_of(disk, item)) : Found(); });
            add_page(
                disk.objects, after, limit, views, [](const FakeObject& object) { return object.object.emergency; },
                [&](RowId id, const FakeObject& object) {
                    const bool meant = object.waits() && is(item_state_of(object.object.state));
                    return meant ? Found(view_of(disk, id, object)) : Found();
                });
        }
        std::ranges::sort(views, {}, &ItemView::place);
        if (views.size() > limit) {
            views.resize(limit);
        }
        return views;
    });
}

model::Result<HeldLong> FakeStore::held_before(model::Instant time) {
    return reading([&](const FakeDisk& disk) {
        HeldLong held;
        for (const auto& [row, item] : disk.items) {
            if (item.state == ItemState::held) {
                held.oldest = std::min(held.oldest.value_or(item.changed_at), item.changed_at);
                held.items += item.changed_at < time ? 1 : 0;
                held.emergencies += item.changed_at < time && item.item.emergency ? 1 : 0;
            }
        }
        return held;
    });
}

namespace {

std::optional<ItemView> find_in(const FakeDisk& disk, const model::Uuid& object_id) {
    for (const auto& [row, item] : disk.items) {
        if (item.item.object_id == object_id) {
            return view_of(disk, item);
        }
    }
    for (const auto& [id, object] : disk.objects) {
        if (object.object.described.id == object_id && object.waits()) {
            return view_of(disk, id, object);
        }
    }
    for (const auto& [row, ended] : disk.ended) {
        if (ended.view.object_id == object_id) {
            return ended.view;
        }
    }
    if (const auto ended = disk.ended_objects.find(object_id); ended != disk.ended_objects.end()) {
        return ended->second;
    }
    return std::nullopt;
}

}  // namespace

model::Result<std::optional<ItemView>> FakeStore::find(const model::Uuid& object_id) {
    return reading([&](const FakeDisk& disk) { return find_in(disk, object_id); });
}

model::Result<Found> FakeStore::find_all(std::span<const model::Uuid> object_ids, std::chrono::milliseconds patience) {
    auto answer = reading([&](const FakeDisk& disk) {
        Found found;
        const bool in_time = !looks_slowly_ && patience.count() > 0;
        for (const model::Uuid& id : object_ids) {
            auto view = find_in(disk, id);
            const bool at_once = view && (view->object_of || view->state == ItemState::held ||
                                          view->state == ItemState::refused || view->state == ItemState::set_aside);
            found.whole = found.whole && (in_time || at_once);
            found.items.push_back(in_time || at_once ? std::move(view) : std::nullopt);
        }
        return found;
    });
    std::function<void()> hook;
    {
        const std::lock_guard lock(mutex_);
        hook = std::exchange(after_look_, nullptr);
    }
    if (hook) {
        hook();
    }
    return answer;
}

model::Result<std::vector<Record>> FakeStore::records(std::int64_t after, std::size_t limit) {
    return reading([&](const FakeDisk& disk) {
        std::vector<Record> page;
        std::ranges::copy_if(disk.records, std::back_inserter(page),
                             [&](const Record& record) { return record.id > after; });
        std::ranges::sort(page, {}, &Record::id);
        if (page.size() > limit) {
            page.resize(limit);
        }
        return page;
    });
}

void FakeStore::walk_chain(const FakeDisk& disk, const std::function<bool(const audit::Recorded&)>& visit) {
    std::vector<const Record*> order;
    for (const Record& record : disk.records) {
        order.push_back(&record);
    }
    std::ranges::sort(order, {}, [](const Record* record) { return record->id; });
    audit::Hasher hasher;
    audit::Recorded recorded;
    for (const Record* record : order) {
        audit::Entry entry;
        entry.kind = record->kind;
        entry.at = record->at;
        if (record->lane > 0) {
            const Lane& lane = *disk.lanes.at(static_cast<std::size_t>(record->lane) - 1);
            entry.destination = lane.destination;
            entry.liid = lane.liid;
        }
        entry.object_id = record->object_id;
        if (record->kind == RecordKind::item_made) {
            recorded.item = static_cast<std::uint64_t>(record->id);
            entry.received_at = disk.received.at(record->id);
        } else {
            recorded.item.reset();
        }
        entry.who = record->who;
        entry.why = record->why;
        recorded.entry = entry;
        ++recorded.number;
        recorded.previous = recorded.hash;
        recorded.hash = hasher.of(recorded.previous, recorded);
        if (!visit(recorded)) {
            return;
        }
    }
}

void FakeStore::configure(Settings settings) {
    const std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
}

audit::Head FakeStore::head() const {
    const std::lock_guard lock(mutex_);
    audit::Head head;
    walk_chain(*disk_, [&](const audit::Recorded& recorded) {
        head = {recorded.number, recorded.hash};
        return true;
    });
    return head;
}

model::Result<AuditLog::Range> FakeStore::range(std::optional<model::Instant> /*since*/,
                                                std::optional<model::Instant> /*until*/) {
    Range range;
    range.to = range.head = head();
    const std::lock_guard lock(mutex_);
    range.node = settings_.node;
    return range;
}

model::Result<AuditLog::Read> FakeStore::read(const Place& from, std::uint64_t to, std::size_t limit,
                                              Visitor& visitor) {
    return reading([&](const FakeDisk& disk) {
        Read read{from, true};
        std::size_t seen = 0;
        walk_chain(disk, [&](const audit::Recorded& recorded) {
            if (recorded.number <= from.number) {
                return true;
            }
            if (seen == limit || recorded.number > to) {
                read.ended = recorded.number > to;
                return false;
            }
            ++seen;
            const bool more = visitor.entry(recorded);
            read.place = {recorded.number, recorded.hash, 0};
            read.ended = more || recorded.number == to;
            return more;
        });
        return read;
    });
}

model::Status FakeStore::record_head(const audit::Hash& chain, const audit::Head& head, const std::string& who) {
    std::promise<Outcome> told;
    decide(
        {Call::record_head, {}, {}, {}, who, audit::words_of_head(chain, head)},
        [](Changes& changes, const Decision& decision) {
            changes.record(RecordKind::head_recorded, 0, std::nullopt, decision.who, decision.why);
            return std::size_t{1};
        },
        [&](Outcome outcome, std::size_t) { told.set_value(outcome); });
    if (told.get_future().get() != Outcome::committed) {
        return model::Error{"the store cannot be written at present"};
    }
    return {};
}

model::Result<std::map<std::string, OldestQueued, std::less<>>> FakeStore::oldest() {
    return reading([&](const FakeDisk& disk) {
        std::map<std::string, OldestQueued, std::less<>> all;
        for (const auto& [row, item] : disk.items) {
            if (item.state != ItemState::queued) {
                continue;
            }
            OldestQueued& found = all[disk.lanes[static_cast<std::size_t>(item.item.lane) - 1]->destination];
            std::optional<model::Instant>& first = item.item.emergency ? found.emergency : found.routine;
            if (!first) {
                const auto made = std::ranges::find(disk.records, row, &Record::id);
                first = made != disk.records.end() ? made->at : item.item.received_at;
            }
        }
        return all;
    });
}

model::Result<std::vector<std::optional<model::Instant>>> FakeStore::received(std::span<const RowId> rows) {
    return reading([&](const FakeDisk& disk) {
        std::vector<std::optional<model::Instant>> all;
        for (const RowId row : rows) {
            const auto found = disk.items.find(row);
            const bool queued = found != disk.items.end() && found->second.state == ItemState::queued;
            all.push_back(queued ? std::optional(found->second.item.received_at) : std::nullopt);
        }
        return all;
    });
}

model::Result<std::optional<StoredObject>> FakeStore::find_object(const model::Uuid& id) {
    ask([&](Asked& asked) {
        ++asked.loads;
        asked.looked_up.push_back(id);
    });
    std::function<void()> hook;
    {
        const std::lock_guard lock(mutex_);
        hook = before_lookup_;
    }
    if (hook) {
        hook();
    }
    return reading([&](const FakeDisk& disk) -> std::optional<StoredObject> {
        for (const auto& [row, object] : disk.objects) {
            const auto& stored = object.object;
            const auto item = disk.items.find(stored.item);
            if (item != disk.items.end() && item->second.state == ItemState::held) {
                continue;
            }
            if (stored.described.id == id && !(stored.model == model::BinaryModel::a && stored.described.expiry &&
                                               *stored.described.expiry <= clock_.wall())) {
                return stored;
            }
        }
        return std::nullopt;
    });
}

}  // namespace lihandover::store::test
