#include "writer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/head_file.hpp"
#include "lihandover/base/thread_name.hpp"
#include "schema.hpp"

namespace lihandover::store::sqlite {

namespace {

using namespace std::chrono_literals;

/// Deletions overwrite what they delete: where space is short, their way through the log has to be narrow.
constexpr std::size_t group_acceptances_when_tight = 32;
constexpr std::int64_t prune_step = 1000;
constexpr std::int64_t expire_step = 200;
constexpr auto tick = 1s;
constexpr auto keys_pause = 5s;
/// Of store.db, at once, when what was there before encryption is removed: it holds up commits.
constexpr std::uint64_t most_rewritten_while_running = 64U << 20U;
constexpr auto first_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 5s;
/// Work on a damaged file does no good: look whether somebody mended it, no more.
constexpr std::chrono::milliseconds longest_pause_when_corrupt = 30s;
constexpr auto log_kept_at_most = 60s;  ///< how long what was deleted may live on in the write-ahead log under load
constexpr auto complaint_interval = 60s;

/// No database of this schema is smaller: about 40 pages of 4 KiB are its tables and indexes, empty.
constexpr std::uint64_t empty_database = 128U << 10U;

}  // namespace

Writer::Writer(Setup setup)
    : directory_(*setup.directory),
      catalogue_(*setup.catalogue),
      database_(*setup.database),
      readers_(*setup.readers),
      maintenance_(*setup.maintenance),
      files_(*setup.files),
      plan_(setup.plan),
      queue_({setup.max_bytes, setup.record_retention, {}}),
      watch_({.round = [] {},
              .hangs = [this] { tell_that_it_hangs(); },
              .still = [this] { queue_.fail_submissions(); },  // rather than when the disk turns up again
              .turns_again = [this] { turns_again(); }},
             setup.commit_timeout),
      max_bytes_(setup.max_bytes),
      retention_(setup.record_retention) {}

void Writer::start() {
    last_work_ = next_tick_ = Steady::now();
    reserved_ = directory_.set_aside(plan_.reserve);
    look_at_space();
    update_accepting();
    update_statistics();
    thread_ = std::thread([this] { run(); });
    watch_.start();
}

void Writer::tell_that_it_hangs() {
    spdlog::critical(
        "store: a commit has not ended within store.commit_timeout: the disk of state_dir hangs. New events are "
        "refused until it ends; nothing accepted is lost");
    if (OutboxListener* listener = listener_) {
        listener->on_health(false);
    }
}

void Writer::turns_again() {
    spdlog::warn("store: the commit that hung has ended; new events are taken again as far as there is room");
    if (OutboxListener* listener = listener_; listener != nullptr && !broken_) {
        listener->on_health(true);
    }
}

void Writer::stop() {
    const std::lock_guard once(stop_mutex_);
    queue_.stop();
    if (thread_.joinable()) {
        thread_.join();
    }
    watch_.stop();
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

std::size_t Writer::most_acceptances() const {
    return tight() ? group_acceptances_when_tight : Queue::group_acceptances;
}

void Writer::use(Queue::Settings settings) {
    max_bytes_ = settings.max_bytes;
    retention_ = settings.record_retention;
    observer_ = std::move(settings.commit_observer);
    const std::uint64_t reserve = plan_.reserve;
    plan_ = SpacePlan::of(directory_.total_bytes(), max_bytes_);
    plan_.reserve = reserve;
    next_tick_ = Steady::now();
}

void Writer::run() {
    writer_id_ = std::this_thread::get_id();
    base::name_thread("store writer");
    while (true) {
        Group group;
        if (!queue_.take(group, {.broken = broken_,
                                 .until = next_tick_,
                                 .most_acceptances = most_acceptances(),
                                 .most_bytes = std::min(Queue::group_bytes, plan_.wal_target / 2)})) {
            break;
        }
        if (group.settings) {
            use(std::move(*group.settings));
        }
        const bool anything = group.has_work();
        if (anything) {
            last_work_ = Steady::now();
        }
        for (const Done& done : group.turned_away) {
            answer(done, Outcome::failed);
        }
        const HangWatch::Work at_work(watch_);
        work_on(group);
        for (const CommandPointer& call : group.calls) {
            run_call(*call);
        }
        if (anything && database_usable_ && !broken_) {
            if (space_may_have_changed()) {
                look_at_space();
            }
            look_after_log(false);
            update_accepting();
        }
        if (Steady::now() >= next_tick_) {
            housekeeping(Steady::now() - last_work_ >= tick);
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

    std::optional<SqlFailure> failure = attempt(group, true);
    if (!failure) {
        finish(group);
        return;
    }
    complain(*failure);
    if (!group.submissions.empty()) {
        blocked_ = true;
        update_accepting();
        group.fail_submissions();
        if (group.kept.empty() && group.decisions.empty() && mends_by_itself(*failure)) {
            return;  // a full disk says nothing of deletions yet
        }
        if (mends_by_itself(*failure)) {
            failure = attempt(group, false);
        }
    }
    if (failure && failure->trouble() == Trouble::full && !failure->of_sync()) {
        make_room();
        // As little as possible at once.
        queue_.put_back(group, 1);
        if (!broken_) {
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

std::optional<SqlFailure> Writer::attempt(Group& group, bool with_items) {
    const auto began = Steady::now();
    try {
        Transaction transaction = database_.begin();
        Tables& tables = database_.tables();
        for (const Kept& kept : group.kept) {
            for (const Acceptance& item : kept.accepted) {
                tables.items.accepted(transaction, item);
            }
            if (kept.command) {
                kept.command->apply(tables, transaction);
            }
        }
        for (const CommandPointer& decision : group.decisions) {
            decision->apply(tables, transaction);
        }
        if (with_items && !group.submissions.empty()) {
            insert(group.submissions, transaction);
        }
        if (database_.flush_due()) {
            database_.flush();
        }
        database_.commit();
    } catch (const SqlFailure& failure) {
        database_.roll_back();
        return failure;
    }
    if (observer_) {
        observer_(std::chrono::duration<double>(Steady::now() - began).count());
    }
    {
        const std::lock_guard lock(statistics_mutex_);
        ++statistics_.commits;
    }
    if (!log_used_) {
        log_used_since_ = Steady::now();
    }
    log_used_ = true;
    return std::nullopt;
}

void Writer::insert(std::vector<Submission>& submissions, Transaction& transaction) {
    Tables& tables = database_.tables();
    std::size_t idle_objects = 0;
    std::size_t idle_events = 0;
    std::uint64_t idle_bytes = 0;
    std::size_t made = 0;  // not those that an approval in the same transaction queued
    std::size_t not_held = 0;
    for (Submission& submission : submissions) {
        std::size_t held = 0;
        idle_objects += submission.arrival.idle_objects;
        idle_events += submission.arrival.idle_events;
        idle_bytes += submission.arrival.idle_bytes;
        for (NewItem& item : submission.items) {
            const std::size_t size = item.share.size();
            const bool holds = item.review != Review::none;
            if (!tables.items.insert(transaction, item)) {
                // A repeat comes to nothing either, nor do its objects.
                ++idle_events;
                idle_bytes += size;
                idle_objects += item.objects ? item.objects->size() : 0;
            } else {
                ++made;
                held += holds ? 1 : 0;
            }
        }
        // At least as one event: an empty submission is one, too.
        const std::size_t events = std::max<std::size_t>(submission.arrival.events, 1);
        not_held += submission.arrival.review ? events - std::min(events, held) : 0;
        if (!submission.changes.empty()) {
            tables.kept.apply(transaction, submission.source, submission.changes);
        }
    }
    tables.items.filler(transaction,
                        {.events = idle_events, .bytes = idle_bytes, .nothing_made = made == 0, .not_held = not_held});
    tables.objects.filler(transaction, idle_objects);
    tables.audit.touch();
    if (database_.prune_due(retention_)) {
        database_.prune(transaction, retention_, std::max(prune_step, 3 * static_cast<std::int64_t>(made)));
    }
}

void Writer::sync_released_keys() {
    if (!database_.effects().released_slots.empty()) {
        maintenance_.sync_keys();
    }
}

void Writer::tell_effects() {
    sync_released_keys();
    for (const QueuedItem& item : database_.effects().retried) {
        oldest_places_.put_back(item.row);
    }
    tell(database_.effects(), listener_, object_listener_);
}

void Writer::finish(Group& group) {
    {
        const std::lock_guard lock(statistics_mutex_);
        statistics_.repeats += database_.effects().repeats;
        statistics_.reused_ids += database_.effects().reused_ids;
    }
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
    try {
        Transaction transaction = database_.begin();
        call.apply(database_.tables(), transaction);
        database_.commit();
    } catch (const SqlFailure& failure) {
        database_.roll_back();
        complain(failure);
        if (mends_by_itself(failure)) {
            blocked_ = true;
        } else {
            break_down(failure);
        }
        update_accepting();
        call.failed();
        return;
    }
    log_used_ = true;
    tell_effects();
    database_.publish();
    update_statistics();
    if (database_.tables().items.withholding_due()) {
        next_tick_ = Steady::now();
    }
    static_cast<void>(call.committed());
}

void Writer::make_room() {
    if (directory_.release()) {
        spdlog::warn("store: the disk is full; the space set aside goes to deletions now");
    }
    reserved_ = false;
    try {
        database_.checkpoint(Database::Checkpoint::restart);
    } catch (const SqlFailure& failure) {
        if (!mends_by_itself(failure)) {
            break_down(failure);
            return;
        }
        // The next attempt to commit says whether there is room enough all the same.
        spdlog::debug("store: checkpoint on a full disk: {}", failure.describe());
    }
}

bool Writer::mends_by_itself(const SqlFailure& failure) {
    // Anything else may have left the connection with wrong ideas, and a write or sync that failed may have taken with
    // it what earlier ones reported as done.
    return (failure.trouble() == Trouble::full || failure.trouble() == Trouble::busy) && !failure.of_sync();
}

void Writer::break_down(const SqlFailure& failure) {
    trouble_ = failure.trouble();
    if (!mends_by_itself(failure)) {
        database_usable_ = false;
    }
    complain(failure);
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

std::optional<SqlFailure> Writer::reopen() {
    std::optional<SqlFailure> failure;
    const auto open = [&] {
        failure.reset();
        try {
            if (auto opened = database_.reopen(); !opened) {
                failure = SqlFailure(Trouble::failing, SQLITE_ERROR);
                spdlog::error("store: {}", opened.error().message);
            }
        } catch (const SqlFailure& caught) {
            database_.close();
            failure = caught;
        }
    };
    // With no connection left SQLite reads the log from its beginning, and all of it is copied once more. Until that is
    // done nothing of it is given up.
    readers_.without_readers([&] {
        open();
        // The database grows by what is in the log: that is what the space is set aside for.
        if (failure && failure->trouble() == Trouble::full && directory_.release()) {
            reserved_ = false;
            open();
        }
    });
    if (failure) {
        return failure;
    }
    database_usable_ = true;
    maintenance_.sync_keys();  // of those that could not be overwritten
    // What a commit wrote although it failed is there for good now, and has to be delivered.
    tell_effects();
    database_.publish();
    update_statistics();
    return std::nullopt;
}

void Writer::try_to_recover() {
    const auto once_more = [this]() -> std::optional<SqlFailure> {
        Group group;
        queue_.take_kept(group, most_acceptances());
        std::optional<SqlFailure> failure = attempt(group, false);
        if (failure && failure->trouble() == Trouble::full && !failure->of_sync()) {
            make_room();
            queue_.put_back(group, 1);
            if (database_usable_) {
                failure = attempt(group, false);
            }
        }
        if (failure) {
            queue_.put_back(group);
            return failure;
        }
        broken_ = false;
        can_commit_.store(true, std::memory_order_release);
        complained_about_.reset();
        spdlog::info("store: commits work again");
        if (OutboxListener* listener = listener_) {
            listener->on_health(true);
        }
        finish(group);
        return std::nullopt;
    };

    std::optional<SqlFailure> failure;
    if (!database_usable_) {
        failure = reopen();
    }
    if (!failure) {
        failure = once_more();
    }
    if (!failure) {
        return;
    }
    break_down(*failure);
    pause_ = std::min(pause_ * 2, trouble_ == Trouble::corrupt ? longest_pause_when_corrupt : longest_pause);
    next_try_ = Steady::now() + pause_;
}

void Writer::probe() {
    Group group;
    group.submissions.emplace_back();
    if (auto failure = attempt(group, true)) {
        complain(*failure);
        if (!mends_by_itself(*failure)) {
            break_down(*failure);
        }
        return;
    }
    blocked_ = false;
    finish(group);
}

void Writer::housekeeping(bool idle) {
    next_tick_ = Steady::now() + tick;
    if (broken_ && Steady::now() >= next_try_) {
        try_to_recover();
    }
    if (broken_) {
        next_tick_ = next_try_;
        return;
    }
    look_at_space();
    look_after_log(idle);
    if (!reserved_ && directory_.free_bytes() >= plan_.reserve + plan_.wal_limit) {
        reserved_ = directory_.set_aside(plan_.reserve);
        look_at_space();
    }
    // Also where only the record of a restore waits for a commit.
    if ((blocked_ || database_.tables().audit.is_restore_unrecorded()) && !short_of_space_) {
        probe();
    }
    if (!broken_ && database_.checkpoint_due()) {
        step([](Transaction&) {});
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
    if (Steady::now() >= next_withholding_) {
        database_.tables().items.try_withholding_again();
        next_withholding_ = Steady::now() + keys_pause;
    }
    if (!broken_ && !tight() && database_.tables().items.withholding_due() &&
        step([this](Transaction& in) { database_.tables().items.withhold_some(in); }) &&
        database_.tables().items.withholding_due()) {
        next_tick_ = Steady::now();
    }
    reseal(idle);
    if (!broken_ && database_.let_go_due()) {
        step([this](Transaction&) { database_.let_go(); });
    }
    if (!broken_ && idle && !tight() && database_.give_back_due() &&
        step([this](Transaction&) { database_.give_back(); })) {
        next_tick_ = Steady::now();
    }
    if (broken_) {
        return;
    }
    name_audit_head();
    update_accepting();
    update_statistics();
}

void Writer::reseal(bool idle) {
    if (broken_ || tight()) {
        return;
    }
    if (database_.release_replaced()) {
        maintenance_.sync_keys();
    }
    if (database_.reseal_due() && step([this](Transaction& in) { database_.tables().resealing.step(in); }) &&
        database_.reseal_due()) {
        next_tick_ = Steady::now();
    }
    if (broken_ || !idle || !database_.has_remains() || remains_said_) {
        return;
    }
    try {
        remains_said_ = !database_.remove_remains(most_rewritten_while_running);
    } catch (const SqlFailure& failure) {
        remains_said_ = true;
        if (!mends_by_itself(failure)) {
            complain(failure);
            break_down(failure);
            return;
        }
    }
    if (remains_said_) {
        spdlog::warn(
            "store: everything is sealed, but pages of store.db that are not in use may still hold what was there "
            "before, and the file is too large, or the disk too full, to be rewritten now. The next start does it, if "
            "no "
            "more than 256 MiB are in use; else stop the daemon and run `sqlite3 store.db \"VACUUM; DELETE FROM meta "
            "WHERE name='{}'\"`",
            meta_remains);
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
    // What a full disk keeps from the file, the next one brings.
    maintenance_.run_aside([path = directory_.audit_head(), head] { static_cast<void>(HeadFile(path).write(head)); });
}

bool Writer::step(const std::function<void(Transaction&)>& work) {
    const auto once = [&]() -> std::optional<SqlFailure> {
        try {
            Transaction transaction = database_.begin();
            work(transaction);
            database_.commit();
        } catch (const SqlFailure& failure) {
            database_.roll_back();
            return failure;
        }
        return std::nullopt;
    };
    std::optional<SqlFailure> failure = once();
    if (failure && failure->trouble() == Trouble::full && !failure->of_sync()) {
        // What goes here makes room as deliveries do, and may be all that does.
        complain(*failure);
        make_room();
        if (broken_) {
            return false;
        }
        look_at_space();
        failure = once();
    }
    if (failure) {
        complain(*failure);
        if (!mends_by_itself(*failure)) {
            break_down(*failure);
        }
        return false;
    }
    sync_released_keys();
    database_.publish();
    log_used_ = true;
    return true;
}

void Writer::copy_log(Database::Checkpoint kind) {
    const std::uint64_t step = plan_.wal_target / 4 / database_.page_size();
    try {
        const bool complete = database_.checkpoint(kind);
        next_checkpoint_frames_ = complete ? 0 : database_.wal_frames() + step;
        if (complete && kind == Database::Checkpoint::truncate) {
            log_used_ = false;
        }
    } catch (const SqlFailure& failure) {
        next_checkpoint_frames_ = database_.wal_frames() + step;
        blocked_ = true;
        if (!mends_by_itself(failure)) {
            break_down(failure);
            return;
        }
        complain(failure);
        // The database has to grow by what is in the log: that is what the space is set aside for.
        if (reserved_) {
            make_room();
        }
    }
}

void Writer::look_after_log(bool idle) {
    const std::uint64_t frames = database_.wal_frames();
    const std::uint64_t bytes = frames * database_.page_size();
    // Where space is short the log must stay small enough for what is set aside.
    if (bytes >= (tight() ? plan_.wal_target / 4 : plan_.wal_target) && frames >= next_checkpoint_frames_) {
        copy_log(Database::Checkpoint::restart);
    }
    // Rows that were deleted live on in the log's old frames until they are written over or cut off.
    if (!broken_ && log_used_ && (idle || Steady::now() - log_used_since_ >= log_kept_at_most)) {
        log_used_since_ = Steady::now();
        copy_log(Database::Checkpoint::truncate);
    }
}

bool Writer::space_may_have_changed() const {
    // Between the ticks it matters what this thread itself takes, and how far the log has come tells that.
    const std::uint64_t frames = database_.wal_frames();
    const std::uint64_t step = plan_.wal_target / 64 / database_.page_size();
    return tight() || frames < looked_at_frames_ || frames - looked_at_frames_ >= step;
}

void Writer::look_at_space() {
    looked_at_frames_ = database_.wal_frames();
    const std::uint64_t free = directory_.free_bytes();
    const std::uint64_t for_log = free + directory_.wal_bytes();
    const std::uint64_t for_pages = for_log + database_.free_page_bytes();
    const bool was_short = short_of_space_;
    if (was_short) {
        short_of_space_ =
            !reserved_ || for_log < 2 * plan_.wal_limit || for_pages < 2 * plan_.low_water + plan_.wal_limit;
    } else {
        short_of_space_ = !reserved_ || for_log < plan_.wal_limit + plan_.wal_limit / 2 ||
                          for_pages < plan_.low_water + plan_.wal_limit;
    }
    if (short_of_space_ && !was_short) {
        spdlog::error(
            "store: state_dir is short of disk space ({} MiB free): new events are refused until there is more; free "
            "some, "
            "or see why deliveries wait",
            directory_.free_bytes() >> 20U);
    }
    // The log counts with its allotment: what is in it right now goes up and down too fast to decide by.
    const std::uint64_t database = database_.live_bytes() + plan_.wal_target;
    // Objects leave the room that items begin to run short of. Copies for items that are here already leave what
    // deliveries need: the log, and what is to be set aside.
    files_.set_budget({max_bytes_, database, 2 * (plan_.low_water + plan_.wal_limit),
                       plan_.wal_limit + (reserved_ ? 0 : plan_.reserve), plan_.wal_target + empty_database, free});
    const std::uint64_t used = database + files_.bytes();
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
    const bool now = !broken_ && !blocked_ && !short_of_space_ && !over_limit_;
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
    statistics_.waiting_bytes = static_cast<std::uint64_t>(database_.waiting_bytes());
    statistics_.object_bytes = files_.bytes();
    statistics_.used_bytes = database_.live_bytes() +
                             std::max(plan_.wal_target, database_.wal_frames() * database_.page_size()) +
                             statistics_.object_bytes;
    statistics_.max_bytes = max_bytes_;
    statistics_.restore_unrecorded = database_.tables().audit.is_restore_unrecorded();
    statistics_.restored = database_.tables().audit.alarm();
    statistics_.withholding = database_.tables().items.withholding().size();
}

void Writer::complain(const SqlFailure& failure) {
    const auto now = Steady::now();
    if (complained_about_ == failure.trouble() && now - complained_at_ < complaint_interval) {
        return;
    }
    complained_about_ = failure.trouble();
    complained_at_ = now;
    const std::string what = failure.describe();
    switch (failure.trouble()) {
        case Trouble::full:
            spdlog::error(
                "store: no space left for state_dir: {}. New events are refused until there is; free space on its file "
                "system, or see why deliveries wait. Nothing accepted is lost, and it goes on by itself",
                what);
            break;
        case Trouble::read_only:
            spdlog::error(
                "store: state_dir cannot be written: {}. Mount its file system read-write, or see to owner and mode of "
                "the "
                "files. Nothing accepted is lost, and it goes on by itself",
                what);
            break;
        case Trouble::corrupt:
            spdlog::critical(
                "store: the database is damaged: {}. Stop the daemon, keep a copy of state_dir, and restore a backup "
                "or "
                "recover the file with sqlite3's .recover (docs/store.md)",
                what);
            break;
        case Trouble::busy:
            spdlog::error("store: another process holds the database locked: {}. End it; it goes on by itself", what);
            break;
        case Trouble::failing:
            spdlog::error(
                "store: the database cannot be read or written: {}. Look for disk errors in the system's log. Nothing "
                "accepted is lost, and it tries again by itself",
                what);
            break;
    }
}

void Writer::finish_up() {
    // What a failing disk still leaves of acceptances when the daemon has to go is lost to us: the LEA hears them
    // again.
    if (broken_) {
        try_to_recover();
    }
    while (!broken_) {
        Group rest;
        queue_.take_kept(rest, most_acceptances());
        if (rest.kept.empty()) {
            break;
        }
        work_on(rest);
    }
    if (!broken_ && database_usable_) {
        try {
            database_.tables().audit.want_checkpoint();
            static_cast<void>(database_.begin());
            database_.flush();
            database_.commit();
            database_.publish();
            database_.checkpoint(Database::Checkpoint::truncate);
        } catch (const SqlFailure& failure) {
            // Nothing is lost: the next start reads the counters from the records, and the log as it is.
            database_.roll_back();
            complain(failure);
        }
    }
    if (!broken_) {
        name_audit_head();
    }
    queue_.fail_kept();
    update_statistics();
}

}  // namespace lihandover::store::sqlite
