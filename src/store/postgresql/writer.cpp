#include "writer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/head_file.hpp"
#include "lihandover/base/thread_name.hpp"

namespace lihandover::store::postgresql {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t prune_step = 1000;
constexpr std::int64_t expire_step = 200;
constexpr auto tick = 1s;
/// While nothing else is committed, within a lease.
constexpr int renewals = 5;
constexpr auto first_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 5s;
/// How soon what other daemons have done to lanes of this one is heard of, while there are any.
constexpr std::chrono::milliseconds poll = 50ms;
/// Looks at other daemons within a lease.
constexpr int looks = 10;
/// Leases that an answer waits for another daemon to hear of what it is about: one that is gone has its lanes taken by
/// then.
constexpr int leases_to_hear = 2;
/// With others, what waits in all of the store is counted so often.
constexpr std::chrono::milliseconds counting = 5s;
constexpr std::chrono::milliseconds looking_at_all = 60s;
constexpr std::chrono::milliseconds looking_for_left_behind = 10s;
constexpr auto complaint_interval = 60s;
constexpr int most_conflicts = 3;
/// That a database which hangs gets when the store is to end.
constexpr auto patience_at_stop = 5s;

/// Leaves what is this daemon's to deliver.
void keep_held(Effects& effects, const Buckets& held) {
    if (held.all()) {
        return;
    }
    const auto foreign = [&](const auto& one) { return !held[bucket_of(one.lane)]; };
    for (auto* items : {&effects.queued, &effects.retried, &effects.withdrawn, &effects.prepared}) {
        std::erase_if(*items, foreign);
    }
    std::erase_if(effects.arrived, [&](const Arrived& one) { return !held[bucket_of(one.item.lane)]; });
    std::erase_if(effects.stored, foreign);
    std::erase_if(effects.uploads, foreign);
}

/// On the disk of object files, that has to stay free.
constexpr std::uint64_t room_for_others = 64U << 20U;

}  // namespace

Writer::Writer(Setup setup)
    : catalogue_(*setup.catalogue),
      database_(*setup.database),
      files_(*setup.files),
      free_bytes_(std::move(setup.free_bytes)),
      give_up_(*setup.give_up),
      audit_head_(std::move(setup.audit_head)),
      census_(std::move(setup.count)),
      queue_({setup.max_bytes, setup.record_retention, {}}),
      watch_({.round = [this] { look_beside_work(); },
              .hangs = [this] { tell_that_it_hangs(); },
              .still = [this] { queue_.fail_submissions(); },  // rather than when the database turns up again
              .turns_again = [this] { turns_again(); }},
             setup.commit_timeout),
      max_bytes_(setup.max_bytes),
      retention_(setup.record_retention) {}

void Writer::start() {
    next_tick_ = next_sign_ = next_look_ = Steady::now();
    database_.set_on_endings([this](std::span<const Arrived> endings) { tell(endings, listener_, object_listener_); });
    look_at_space();
    update_accepting();
    update_statistics();
    thread_ = std::thread([this] { run(); });
    watch_.start();
}

void Writer::look_beside_work() {
    write_audit_head();
    const auto since = stopping_since_.load();
    if (since != 0 && Steady::now() - Steady::time_point(Steady::duration(since)) > patience_at_stop) {
        give_up_ = true;
    }
}

void Writer::write_audit_head() {
    std::optional<audit::ChainHead> head;
    {
        const std::lock_guard lock(head_mutex_);
        head = std::exchange(head_to_name_, std::nullopt);
    }
    if (head) {
        // What a full disk keeps from the file, the next one brings.
        static_cast<void>(HeadFile(audit_head_).write(*head));
    }
}

void Writer::name_audit_head() {
    const AuditTable& table = database_.tables().audit;
    const audit::ChainHead head{table.chain(), table.committed_head()};
    // Until it is on record that another head was there, the file says so, also to the next start.
    if (head.head.number == named_head_ || table.is_restore_unrecorded()) {
        return;
    }
    named_head_ = head.head.number;
    const std::lock_guard lock(head_mutex_);
    head_to_name_ = head;
}

void Writer::tell_that_it_hangs() {
    spdlog::critical(
        "store: a commit has not ended within store.commit_timeout: the database hangs, or a standby that it waits "
        "for. New events are refused until it ends; nothing accepted is lost");
    if (OutboxListener* listener = listener_) {
        listener->on_health(false);
    }
}

void Writer::turns_again() {
    spdlog::warn("store: the commit that hung has ended");
    if (OutboxListener* listener = listener_; listener != nullptr && !broken_) {
        listener->on_health(true);
    }
}

void Writer::stop() {
    const std::lock_guard once(stop_mutex_);
    Steady::rep running = 0;
    stopping_since_.compare_exchange_strong(running, Steady::now().time_since_epoch().count());
    queue_.stop();
    if (thread_.joinable()) {
        thread_.join();
    }
    watch_.stop();
    census_.stop();
    write_audit_head();
    accepting_.store(false, std::memory_order_release);
    can_commit_.store(false, std::memory_order_release);
}

model::Status Writer::call(const std::function<void(Tables&, Transaction&)>& work) {
    if (writer_id_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
        return model::Error{"the store's writer cannot wait for itself"};
    }
    return queue_.call(work);
}

Statistics Writer::statistics() const {
    Statistics statistics;
    {
        const std::lock_guard lock(statistics_mutex_);
        statistics = statistics_;
    }
    statistics.accepting = accepting();
    return statistics;
}

void Writer::use(Queue::Settings settings) {
    max_bytes_ = settings.max_bytes;
    retention_ = settings.record_retention;
    observer_ = std::move(settings.commit_observer);
    next_tick_ = broken_ ? next_tick_ : Steady::now();
}

void Writer::run() {
    writer_id_ = std::this_thread::get_id();
    base::name_thread("store writer");
    while (true) {
        Group group;
        if (!queue_.take(group, {.broken = broken_, .until = next_tick_})) {
            break;
        }
        if (group.settings) {
            use(std::move(*group.settings));
        }
        for (const Done& done : group.turned_away) {
            answer(done, Outcome::failed);
        }
        const HangWatch::Work at_work(watch_);
        work_on(group);
        for (CommandPointer& call : group.calls) {
            run_call(std::move(call));
        }
        if (Steady::now() >= next_tick_) {
            housekeeping();
        }
    }
    const HangWatch::Work at_work(watch_);
    finish_up();
}

void Writer::turn_submissions_away(Group& group) {
    std::erase_if(group.submissions, [this](Submission& submission) {
        // Where there is only too little room, what lets go of something makes some.
        if (!accepting_ && (blocked_ || submission.changes.let_go.empty())) {
            answer(submission.done, Outcome::failed);
            return true;
        }
        const bool known = std::ranges::all_of(submission.items, [this](const NewItem& item) {
            return catalogue_.lane_facts(item.lane) != nullptr && catalogue_.profile_facts(item.profile) != nullptr &&
                   database_.tables().objects.takes(item);
        });
        if (known) {
            return false;
        }
        spdlog::error("store: items of an unknown lane or profile, or with objects from elsewhere, were turned away");
        answer(submission.done, Outcome::failed);
        return true;
    });
}

void Writer::work_on(Group& group) {
    if (broken_) {
        group.fail_submissions();
        group.fail_decisions();
        return;
    }
    turn_submissions_away(group);
    if (group.kept.empty() && group.decisions.empty() && group.submissions.empty()) {
        return;
    }
    std::optional<PgFailure> failure = attempt(group, true);
    if (!failure) {
        finish(group);
        return;
    }
    complain(*failure);
    if (!group.submissions.empty()) {
        blocked_ = true;
        update_accepting();
        group.fail_submissions();
        if (failure->leaves_connection()) {
            if (group.kept.empty() && group.decisions.empty()) {
                return;  // a full disk says nothing of deletions yet
            }
            failure = attempt(group, false);
        }
    }
    if (!failure) {
        finish(group);
        return;
    }
    // Whoever hears of the failure finds a store that says so itself.
    queue_.put_back(group);
    break_down(*failure);
    group.fail_decisions();
}

std::optional<PgFailure> Writer::attempt(const std::function<void(Transaction&)>& work, bool on_one_state) {
    const auto began = Steady::now();
    for (int conflicts = 0;; ++conflicts) {
        try {
            Transaction transaction = on_one_state ? database_.begin_on_one_state() : database_.begin();
            work(transaction);
            database_.commit();
            break;
        } catch (const PgFailure& thrown) {
            const PgFailure failure = database_.cause(thrown);
            database_.roll_back();
            if (failure.trouble() == Trouble::conflict && conflicts < most_conflicts) {
                continue;
            }
            if (failure.trouble() == Trouble::outdated) {
                continue;  // without what is
            }
            if (failure.trouble() == Trouble::moved) {
                if (auto unknown = look_at_holdings()) {
                    return unknown;
                }
                continue;
            }
            if (database_.in_doubt() && resolve()) {
                break;
            }
            return failure;
        }
    }
    if (observer_) {
        observer_(std::chrono::duration<double>(Steady::now() - began).count());
    }
    const std::lock_guard lock(statistics_mutex_);
    ++statistics_.commits;
    return std::nullopt;
}

std::optional<PgFailure> Writer::look_at_holdings() {
    try {
        database_.look_at_holdings();
    } catch (const PgFailure& failure) {
        return failure;
    }
    if (const std::size_t lost = tell_lost(); lost > 0) {
        spdlog::warn(
            "store: another daemon has taken over {} of {} buckets of LIIDs, since this one did not renew its lease in "
            "time: it sends nothing of them any more",
            lost, bucket_count);
    }
    return std::nullopt;
}

std::size_t Writer::tell_lost() {
    const Buckets lost = database_.take_lost();
    if (lost.none()) {
        return 0;
    }
    const LostLanes lanes = [lost](LaneId lane) { return lost[bucket_of(lane)]; };
    if (OutboxListener* listener = listener_) {
        listener->on_lanes_lost(lanes);
    }
    if (ObjectListener* listener = object_listener_) {
        listener->on_objects_lost(lanes);
    }
    return lost.count();
}

// -- With other daemons

Writer::Steady::duration Writer::until_next_look() const {
    return std::min<std::chrono::milliseconds>(tick, database_.lease() / looks);
}

void Writer::share() {
    if (broken_ || !database_.is_shared()) {
        return;
    }
    try {
        const auto now = Steady::now();
        if (now >= next_look_) {
            database_.look_at_peers();
            next_look_ = now + until_next_look();
            const Division wanted = database_.division();
            if (!wanted.none()) {
                next_look_ = now + poll;  // others may have to let go of something first
            }
            hand_over(wanted.give);
            take_over(wanted.take);
        }
        hear();
        answer_heard();
        give_up_left_behind();
        count_all();
    } catch (const PgFailure& failure) {
        break_down(failure);
    }
}

void Writer::give_up_left_behind() {
    const auto now = Steady::now();
    if (broken_ || blocked_ || !database_.is_first() || now < next_left_behind_) {
        return;
    }
    next_left_behind_ = now + std::min<std::chrono::milliseconds>(looking_for_left_behind, database_.lease());
    if (database_.any_left_behind()) {
        static_cast<void>(step([this](Transaction& in) { database_.tables().objects.give_up_left_behind(in); }));
    }
}

void Writer::count_all() {
    if (broken_) {
        return;
    }
    if (const auto stock = census_.take()) {
        database_.take_stock(*stock);
    }
    const auto now = Steady::now();
    // Once more when all others have gone: from then on it knows all that changes.
    if (now >= next_count_ && !(was_alone_ && database_.is_alone())) {
        was_alone_ = database_.is_alone();
        next_count_ = now + std::min<std::chrono::milliseconds>(counting, database_.lease());
        census_.want();
        // What others put back, or queued with a smaller number than what was seen, is looked for once in a while.
        if (now >= next_look_at_all_) {
            next_look_at_all_ = now + looking_at_all;
            oldest_places_.put_back(1);
        }
    }
}

void Writer::hand_over(const Buckets& buckets) {
    if (broken_ || buckets.none()) {
        return;
    }
    database_.give_up(buckets);
    tell_lost();
    // Where that fails they are still its own there, and are taken anew.
    if (step([&](Transaction& in) { database_.hand_over(in, buckets); })) {
        spdlog::info("store: {} of {} buckets of LIIDs were handed over to other daemons", buckets.count(),
                     bucket_count);
    }
}

void Writer::take_over(const Buckets& buckets) {
    if (broken_ || buckets.none()) {
        return;
    }
    database_.be_patient();
    if (step([&](Transaction& in) { database_.take_over(in, buckets); }, true)) {
        tell_taken();
    }
    if (database_.connected()) {
        database_.started();
    }
}

void Writer::tell_taken() {
    const Database::Taken taken = database_.take_taken();
    if (taken.buckets.none()) {
        return;
    }
    spdlog::info("store: {} of {} buckets of LIIDs were taken over, in which {} items wait", taken.buckets.count(),
                 bucket_count, taken.queued.size() + taken.set_aside.size());
    if (ObjectListener* listener = object_listener_) {
        listener->on_taken_over(taken.uploads, false);
        listener->on_taken_over(taken.uploads_set_aside, true);
    }
    if (OutboxListener* listener = listener_) {
        listener->on_taken_over(taken.queued, false);
        listener->on_taken_over(taken.set_aside, true);
    }
}

void Writer::hear() {
    if (!broken_ && database_.anything_arrived()) {
        static_cast<void>(step([this](Transaction&) { database_.hear_all_arrivals(); }));
    }
}

void Writer::wait_until_heard(Group& group) {
    std::vector<std::int64_t> endings = database_.take_endings();
    if (endings.empty()) {
        return;
    }
    Unheard& one = unheard_.emplace_back();
    one.group.decisions = std::exchange(group.decisions, {});
    one.group.calls = std::exchange(group.calls, {});
    one.endings = std::move(endings);
    one.until = Steady::now() + leases_to_hear * database_.lease();
    next_tick_ = std::min<Steady::time_point>(next_tick_, Steady::now() + poll);
}

void Writer::answer_heard() {
    for (std::size_t n = 0; n < unheard_.size() && !broken_;) {
        Unheard& one = unheard_[n];
        one.endings = database_.unheard(one.endings);
        const bool heard = one.endings.empty();
        if (!heard && Steady::now() < one.until) {
            ++n;
            continue;
        }
        Unheard done = std::move(one);
        unheard_.erase(unheard_.begin() + static_cast<std::ptrdiff_t>(n));
        if (heard) {
            for (const CommandPointer& call : done.group.calls) {
                static_cast<void>(call->committed());
            }
            queue_.committed(done.group);
            continue;
        }
        spdlog::error(
            "store: an operator's decision is on record, and the daemon whose LIID it is about has not confirmed that "
            "it heard of it: what it was about to send may still go out");
        done.group.fail_decisions();
        for (const CommandPointer& call : done.group.calls) {
            call->failed();
        }
    }
}

void Writer::answer_unheard() {
    for (Unheard& one : unheard_) {
        one.group.fail_decisions();
        for (const CommandPointer& call : one.group.calls) {
            call->failed();
        }
    }
    unheard_.clear();
}

bool Writer::settle(Command<Tables, Transaction>& command, Transaction& transaction) {
    transaction.foreign = false;
    command.apply(database_.tables(), transaction);
    if (transaction.foreign) {
        command.failed();
    }
    return !transaction.foreign;
}

bool Writer::resolve() {
    const auto limit = watch_.timeout();
    const auto until = Steady::now() + (limit.count() == 0 ? std::chrono::milliseconds(10s) : limit);
    while (true) {
        try {
            const bool is_there = database_.reopen();
            tell_lost();
            spdlog::warn("store: a commit whose answer was lost is {}", is_there ? "there" : "not there");
            return is_there;
        } catch (const PgFailure& failure) {
            complain(failure);
            // Until there are to be standbys again, nobody can say.
            const bool hopeless = failure.is_final() || failure.trouble() == Trouble::unreplicated;
            if (hopeless || Steady::now() + first_pause >= until) {
                return false;
            }
        }
        if (queue_.wait_for_stop(first_pause)) {
            return false;
        }
    }
}

std::optional<PgFailure> Writer::attempt(Group& group, bool with_items) {
    return attempt([&](Transaction& transaction) { apply(group, with_items, transaction); });
}

void Writer::turn_outdated_away(Group& group) {
    std::erase_if(group.submissions, [this](const Submission& submission) {
        const bool outdated = submission.arrival.warrants && *submission.arrival.warrants < database_.warrants();
        if (outdated) {
            answer(submission.done, Outcome::outdated);
        } else if (submission.arrival.warrants) {
            database_.matched_with(*submission.arrival.warrants);
        }
        return outdated;
    });
}

void Writer::apply(Group& group, bool with_items, Transaction& transaction) {
    turn_outdated_away(group);
    Tables& tables = database_.tables();
    std::vector<const NewItem*> items;
    for (const Submission& submission : group.submissions) {
        for (const NewItem& item : submission.items) {
            if (with_items) {
                items.push_back(&item);
            }
        }
    }
    std::vector<const Acceptance*> accepted;
    for (const Kept& kept : group.kept) {
        for (const Acceptance& item : kept.accepted) {
            if (transaction.holdings.has(item.lane)) {  // else its next owner sends it once more
                accepted.push_back(&item);
            }
        }
    }
    tables.items.begin(transaction, items, accepted);
    if (transaction.shared && !items.empty()) {
        // The lanes' rows are locked by then, so that what was queued there before is heard of before.
        std::set<LaneId> lanes;
        for (const NewItem* item : items) {
            lanes.insert(item->lane);
        }
        database_.ask_arrivals(std::vector<LaneId>(lanes.begin(), lanes.end()));
        database_.hear_arrivals();
    }
    tables.items.accept(transaction, accepted);
    std::erase_if(group.kept, [&](const Kept& kept) { return kept.command && !settle(*kept.command, transaction); });
    std::erase_if(group.decisions, [&](const CommandPointer& one) { return !settle(*one, transaction); });
    if (with_items && !group.submissions.empty()) {
        insert(group.submissions, transaction);
    }
}

void Writer::insert(std::vector<Submission>& submissions, Transaction& transaction) {
    Tables& tables = database_.tables();
    std::size_t idle_objects = 0;
    ItemTable::Idle idle;
    std::size_t made = 0;  // not those that an approval in the same transaction queued
    for (Submission& submission : submissions) {
        std::size_t held = 0;
        idle_objects += submission.arrival.idle_objects;
        idle.events += submission.arrival.idle_events;
        idle.bytes += submission.arrival.idle_bytes;
        for (const NewItem& item : submission.items) {
            if (!tables.items.insert(transaction, item)) {
                // A repeat comes to nothing either, nor do its objects.
                ++idle.events;
                idle.bytes += item.share.size();
                idle_objects += item.objects ? item.objects->size() : 0;
            } else {
                ++made;
                held += item.review != Review::none ? 1 : 0;
            }
        }
        // At least as one event: an empty submission is one, too.
        const std::size_t events = std::max<std::size_t>(submission.arrival.events, 1);
        idle.not_held += submission.arrival.review ? events - std::min(events, held) : 0;
        if (!submission.changes.empty()) {
            KeptTable::apply(transaction, submission.source, submission.changes);
        }
    }
    idle.nothing_made = made == 0;
    ItemTable::filler(transaction, idle);
    ObjectTable::filler(transaction, idle_objects);
    if (database_.prune_due(retention_)) {
        database_.prune(transaction, retention_, std::max(prune_step, 3 * static_cast<std::int64_t>(made)));
    }
}

void Writer::tell_effects() {
    for (const QueuedItem& item : database_.effects().retried) {
        oldest_places_.put_back(item.row);
    }
    keep_held(database_.effects(), database_.holdings().all());
    tell(database_.effects(), listener_, object_listener_);
}

void Writer::finish(Group& group) {
    {
        const std::lock_guard lock(statistics_mutex_);
        statistics_.repeats += database_.effects().repeats;
        statistics_.reused_ids += database_.effects().reused_ids;
    }
    look_at_space();
    update_accepting();
    update_statistics();
    tell_effects();
    database_.publish();
    wait_until_heard(group);
    queue_.committed(group);
}

void Writer::run_call(CommandPointer call) {
    if (broken_) {
        call->failed();
        return;
    }
    if (const auto failure = attempt([&](Transaction& transaction) { call->apply(database_.tables(), transaction); })) {
        complain(*failure);
        if (failure->leaves_connection()) {
            blocked_ = true;
        } else {
            break_down(*failure);
        }
        update_accepting();
        call->failed();
        return;
    }
    tell_effects();
    database_.publish();
    update_statistics();
    if (database_.tables().items.withholding_due(database_.holdings())) {
        next_tick_ = Steady::now();
    }
    Group group;
    group.calls.push_back(std::move(call));
    wait_until_heard(group);
    for (const CommandPointer& one : group.calls) {
        static_cast<void>(one->committed());
    }
}

void Writer::break_down(const PgFailure& failure) {
    complain(failure);
    fenced_ = fenced_ || failure.is_final();
    if (failure.trouble() == Trouble::replaced) {
        name_audit_head();  // so that the next start knows what was there
    }
    if (broken_) {
        return;
    }
    broken_ = true;
    answer_unheard();
    can_commit_.store(false, std::memory_order_release);
    blocked_ = true;
    pause_ = first_pause;
    next_try_ = next_tick_ = Steady::now() + pause_;
    update_accepting();
    if (OutboxListener* listener = listener_) {
        listener->on_health(false);
    }
}

std::optional<PgFailure> Writer::reopen() {
    try {
        const bool is_there = database_.reopen();
        tell_lost();
        if (is_there) {
            // It was told to have failed: its items are there, and have to be delivered.
            spdlog::warn("store: a commit that was told to have failed is there");
            tell_effects();
            database_.publish();
        }
    } catch (const PgFailure& failure) {
        return failure;
    }
    return std::nullopt;
}

void Writer::try_to_recover() {
    std::optional<PgFailure> failure;
    if (!database_.connected()) {
        failure = reopen();
    }
    Group group;
    if (!failure) {
        queue_.take_kept(group, Queue::group_acceptances);
        failure = attempt(group, false);
    }
    if (failure) {
        queue_.put_back(group);
        break_down(*failure);
        pause_ = fenced_ ? longest_pause : std::min(pause_ * 2, longest_pause);
        next_try_ = Steady::now() + pause_;
        return;
    }
    broken_ = false;
    can_commit_.store(true, std::memory_order_release);
    complained_about_.reset();
    spdlog::info("store: commits work again");
    if (OutboxListener* listener = listener_) {
        listener->on_health(true);
    }
    finish(group);
}

void Writer::look_who_has_the_place() {
    const std::optional<bool> out = database_.was_turned_out();
    knows_who_ = out.has_value();
    turned_out_.store(out.value_or(false), std::memory_order_release);
}

void Writer::probe() {
    Group group;
    group.submissions.emplace_back();
    if (const auto failure = attempt(group, true)) {
        complain(*failure);
        if (!failure->leaves_connection()) {
            break_down(*failure);
        }
        return;
    }
    blocked_ = false;
    finish(group);
}

void Writer::housekeeping() {
    next_tick_ = Steady::now() + std::min<std::chrono::milliseconds>(tick, database_.lease() / renewals);
    if (database_.is_shared()) {
        next_tick_ = Steady::now() + (database_.is_alone() && unheard_.empty() ? until_next_look() : poll);
    }
    if (broken_ && !fenced_ && Steady::now() >= next_try_) {
        try_to_recover();
    }
    if (fenced_ && !knows_who_) {
        look_who_has_the_place();
    }
    if (broken_) {
        next_tick_ = fenced_ ? Steady::now() + tick : next_try_;
        return;
    }
    share();
    if (broken_) {
        return;
    }
    look_at_space();
    if (blocked_) {
        probe();
    }
    // The next step at once, unless there is other work.
    if (!broken_ && database_.prune_due(retention_) &&
        step([this](Transaction& in) { database_.prune(in, retention_, prune_step); }) &&
        database_.prune_due(retention_)) {
        next_tick_ = Steady::now();
    }
    if (!broken_ && database_.expire_due() &&
        step([this](Transaction& in) { database_.tables().objects.expire(in, expire_step); }) &&
        database_.expire_due()) {
        next_tick_ = Steady::now();
    }
    const auto withholding_due = [this] { return database_.tables().items.withholding_due(database_.holdings()); };
    if (!broken_ && !blocked_ && withholding_due() &&
        step([this](Transaction& in) { database_.tables().items.withhold_some(in); }) && withholding_due()) {
        next_tick_ = Steady::now();
    }
    reseal();
    if (!broken_ && Steady::now() >= next_sign_) {
        static_cast<void>(step([](Transaction&) {}));
        next_sign_ = Steady::now() + database_.lease() / renewals;
    }
    if (broken_) {
        return;
    }
    name_audit_head();
    update_accepting();
    update_statistics();
}

void Writer::reseal() {
    // One daemon does it for all.
    if (broken_ || blocked_ || !database_.tables().resealing.due() || !database_.is_first()) {
        return;
    }
    bool may = true;
    const bool done = step([&](Transaction& in) {
        may = !in.shared || database_.all_have_newest_key(in);
        if (may) {
            database_.tables().resealing.step(in);
        }
    });
    if (done && may && database_.tables().resealing.due()) {
        next_tick_ = Steady::now();
    }
}

bool Writer::step(const std::function<void(Transaction&)>& work, bool on_one_state) {
    if (const auto failure = attempt(work, on_one_state)) {
        complain(*failure);
        if (!failure->leaves_connection()) {
            break_down(*failure);
        }
        return false;
    }
    tell_effects();
    database_.publish();
    return true;
}

void Writer::look_at_space() {
    const auto waiting = static_cast<std::uint64_t>(std::max<std::int64_t>(database_.waiting_bytes(), 0));
    const std::uint64_t used = waiting + files_.bytes();
    files_.set_budget({max_bytes_, waiting, room_for_others, room_for_others / 2, 0, free_bytes_()});
    const bool was_over = over_limit_;
    over_limit_ = max_bytes_ != 0 && used > (was_over ? max_bytes_ - max_bytes_ / 20 : max_bytes_);
    if (over_limit_ && !was_over) {
        spdlog::error(
            "store: store.max_bytes is reached ({} of {} bytes): new events are refused until deliveries have made "
            "room; "
            "see why they wait, or raise the limit",
            used, max_bytes_);
    }
}

void Writer::update_accepting() {
    const bool now = !broken_ && !blocked_ && !over_limit_;
    accepting_.store(now, std::memory_order_release);
    if (now && !last_accepting_) {
        spdlog::info("store: new events are taken again");
    }
    last_accepting_ = now;
}

void Writer::update_statistics() {
    const std::lock_guard lock(statistics_mutex_);
    const auto& destinations = catalogue_.destinations();
    const auto& counts = database_.counts();
    while (statistics_.counts.size() < destinations.size()) {
        statistics_.counts.push_back({destinations[statistics_.counts.size()]});
    }
    for (std::size_t i = 0; i < counts.size() && i < statistics_.counts.size(); ++i) {
        counts[i].tell(statistics_.counts[i]);
    }
    statistics_.waiting_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(database_.waiting_bytes(), 0));
    statistics_.object_bytes = files_.bytes();
    statistics_.used_bytes = statistics_.waiting_bytes + statistics_.object_bytes;
    statistics_.max_bytes = max_bytes_;
    statistics_.restore_unrecorded = database_.tables().audit.is_restore_unrecorded();
    statistics_.restored = database_.tables().audit.alarm();
    statistics_.withholding = database_.tables().items.withholding().size();
}

void Writer::complain(const PgFailure& failure) {
    const auto now = Steady::now();
    if (complained_about_ == failure.trouble() && now - complained_at_ < complaint_interval) {
        return;
    }
    complained_about_ = failure.trouble();
    complained_at_ = now;
    switch (failure.trouble()) {
        case Trouble::unreachable:
            spdlog::error(
                "store: no database that can be written answers: {}. New events are refused until there is one. "
                "Nothing accepted is lost, and it goes on by itself",
                failure.what());
            break;
        case Trouble::conflict:
            spdlog::warn("store: transactions were in each other's way: {}. It is tried again", failure.what());
            break;
        case Trouble::slow:
            spdlog::error(
                "store: the database took too long for a statement, or somebody cancelled it: {}. New events are "
                "refused until it is fast enough again: see to what it waits for, locks and its disk. Nothing accepted "
                "is lost, and it goes on by itself",
                failure.what());
            break;
        case Trouble::full:
            spdlog::error(
                "store: the database has no room: {}. New events are refused until there is; see to the disk and the "
                "limits of the database's machine. Nothing accepted is lost, and it goes on by itself",
                failure.what());
            break;
        case Trouble::unreplicated:
            spdlog::critical(
                "store: the database has no synchronous standby any more (synchronous_standby_names is empty), and "
                "store.postgresql.durability is replicated: new events are refused, and nothing is sent, until there "
                "is one. See to the standbys, or set durability to local. It goes on by itself");
            break;
        case Trouble::refused:
            spdlog::error("store: the database refuses the role: {}. See to its rights (docs/store.md)",
                          failure.what());
            break;
        case Trouble::fenced:
            spdlog::critical(
                "store: another process has taken its place in the database, which one daemon at a time may use: "
                "nothing more is written or sent from here. If that one has the same store.postgresql.node, stop it, "
                "and restart");
            break;
        case Trouble::outdated:  // which is turned away, and not told
        case Trouble::moved:
            spdlog::warn("store: another daemon has taken lanes of this one");
            break;
        case Trouble::replaced:
            spdlog::critical(
                "store: another state of the database took the place of the one that was there: {}. What was decided "
                "in between is not on record, and what was delivered goes out again. Nothing more is taken or sent "
                "from here: restart the daemon, which reads all of it anew, and says that it was replaced",
                failure.what());
            break;
        case Trouble::damaged:
            spdlog::critical(
                "store: the database is damaged, or somebody changed it: {}. Look into the database's log, keep a "
                "copy, "
                "and restore a backup",
                failure.what());
            break;
        case Trouble::failing:
            spdlog::error(
                "store: the database fails: {}. Look into its log. Nothing accepted is lost, and it is tried again",
                failure.what());
            break;
    }
}

void Writer::finish_up() {
    // What a database that does not answer still leaves of acceptances when the daemon has to go is lost to us: the LEA
    // hears them again.
    if (broken_ && !fenced_) {
        try_to_recover();
    }
    while (!broken_) {
        Group rest;
        queue_.take_kept(rest, Queue::group_acceptances);
        if (rest.kept.empty()) {
            break;
        }
        work_on(rest);
    }
    if (!broken_) {
        database_.tables().audit.want_checkpoint();
        static_cast<void>(step([](Transaction&) {}));
    }
    if (!broken_) {
        name_audit_head();
        if (database_.is_shared()) {
            // Before another has them.
            database_.give_up(database_.holdings().all());
            tell_lost();
        }
        database_.leave();
    }
    answer_unheard();
    queue_.fail_kept();
    update_statistics();
}

}  // namespace lihandover::store::postgresql
