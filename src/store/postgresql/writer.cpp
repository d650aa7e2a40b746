#include "writer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
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
      queue_({setup.max_bytes, setup.record_retention, {}}),
      watch_({.round = [this] { look_beside_work(); },
              .hangs = [this] { tell_that_it_hangs(); },
              .still = [this] { queue_.fail_submissions(); },  // rather than when the database turns up again
              .turns_again = [this] { turns_again(); }},
             setup.commit_timeout),
      max_bytes_(setup.max_bytes),
      retention_(setup.record_retention) {}

void Writer::start() {
    next_tick_ = next_sign_ = Steady::now();
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
        for (const CommandPointer& call : group.calls) {
            run_call(*call);
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

std::optional<PgFailure> Writer::attempt(const std::function<void(Transaction&)>& work) {
    const auto began = Steady::now();
    for (int conflicts = 0;; ++conflicts) {
        try {
            Transaction transaction = database_.begin();
            work(transaction);
            database_.commit();
            break;
        } catch (const PgFailure& thrown) {
            const PgFailure failure = database_.cause(thrown);
            database_.roll_back();
            if (failure.trouble() == Trouble::conflict && conflicts < most_conflicts) {
                continue;
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
    tell_lost();
    return std::nullopt;
}

void Writer::tell_lost() {
    const Buckets lost = database_.take_lost();
    if (lost.none()) {
        return;
    }
    spdlog::warn(
        "store: another daemon has taken over {} of {} buckets of LIIDs, since this one did not renew its lease in "
        "time: it sends nothing of them any more",
        lost.count(), bucket_count);
    const LostLanes lanes = [lost](LaneId lane) { return lost[bucket_of(lane)]; };
    if (OutboxListener* listener = listener_) {
        listener->on_lanes_lost(lanes);
    }
    if (ObjectListener* listener = object_listener_) {
        listener->on_objects_lost(lanes);
    }
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

void Writer::apply(Group& group, bool with_items, Transaction& transaction) {
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
    queue_.committed(group);
}

void Writer::run_call(Command<Tables, Transaction>& call) {
    if (broken_) {
        call.failed();
        return;
    }
    if (const auto failure = attempt([&](Transaction& transaction) { call.apply(database_.tables(), transaction); })) {
        complain(*failure);
        if (failure->leaves_connection()) {
            blocked_ = true;
        } else {
            break_down(*failure);
        }
        update_accepting();
        call.failed();
        return;
    }
    tell_effects();
    database_.publish();
    update_statistics();
    if (database_.tables().items.withholding_due()) {
        next_tick_ = Steady::now();
    }
    static_cast<void>(call.committed());
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
    if (broken_ && !fenced_ && Steady::now() >= next_try_) {
        try_to_recover();
    }
    if (broken_) {
        next_tick_ = fenced_ ? Steady::now() + tick : next_try_;
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
    if (!broken_ && !blocked_ && database_.tables().items.withholding_due() &&
        step([this](Transaction& in) { database_.tables().items.withhold_some(in); }) &&
        database_.tables().items.withholding_due()) {
        next_tick_ = Steady::now();
    }
    if (!broken_ && !blocked_ && database_.tables().resealing.due() &&
        step([this](Transaction& in) { database_.tables().resealing.step(in); }) &&
        database_.tables().resealing.due()) {
        next_tick_ = Steady::now();
    }
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

bool Writer::step(const std::function<void(Transaction&)>& work) {
    if (const auto failure = attempt(work)) {
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
                "Nothing "
                "accepted is lost, and it goes on by itself",
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
                "is "
                "one. See to the standbys, or set durability to local. It goes on by itself");
            break;
        case Trouble::refused:
            spdlog::error("store: the database refuses the role: {}. See to its rights (docs/store.md)",
                          failure.what());
            break;
        case Trouble::fenced:
            spdlog::critical(
                "store: another process has taken its place in the database, which one daemon at a time may use: "
                "nothing "
                "more is written or sent from here. Stop the other one, and restart");
            break;
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
        database_.leave();
    }
    queue_.fail_kept();
    update_statistics();
}

}  // namespace lihandover::store::postgresql
