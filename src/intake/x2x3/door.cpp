#include "lihandover/intake/x2x3/door.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lihandover/base/background.hpp"
#include "lihandover/base/task_group.hpp"
#include "lihandover/intake/http/body_budget.hpp"
#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/warrants/index.hpp"
#include "x2x3/copy_taker.hpp"
#include "x2x3/inbox.hpp"
#include "x2x3/pdu_connection.hpp"
#include "x2x3/sequence.hpp"
#include "x2x3/source_log.hpp"
#include "x2x3/spool.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// Worked off and committed together: so much that a message in chunks is seldom cut in two, whose halves have to be
// kept, but no more events than stay in the processor's caches.
constexpr std::size_t batch_bytes = std::size_t{4} << 20U;
constexpr std::size_t batch_pdus = 500;
// Events that are taken before others get their turns.
constexpr std::size_t events_at_once = 256;
// Events of kept copies that are committed together at a start.
constexpr std::size_t rebuilt_at_once = 1000;

CopyTaker::Options options_of(const X2x3Settings& settings) {
    return {settings.tracker, settings.most_kept};
}

TaskMatch match_of(const TaskEvent& event) {
    return {event.made.xid, event.earlier, &event.made.targeted, event.made.substance};
}

/// That any warrant lists, for whatever time.
ims::Tasks tasks_of(const warrants::Index& index) {
    ims::Tasks tasks;
    for (const warrants::WarrantPtr& warrant : index.warrants()) {
        tasks.insert(warrant->xids.begin(), warrant->xids.end());
    }
    return tasks;
}

/// Pauses between two tries of what the store could not do, each twice as long as the one before.
class Pauses {
  public:
    explicit Pauses(const asio::any_io_executor& executor) : timer_(executor) {}
    [[nodiscard]] asio::awaitable<void> next() {
        constexpr std::chrono::milliseconds longest{2000};
        timer_.expires_after(pause_);
        pause_ = std::min(pause_ * 2, longest);
        co_await timer_.async_wait(asio::use_awaitable);
    }

  private:
    std::chrono::milliseconds pause_{10};
    asio::steady_timer timer_;
};

}  // namespace

class X2x3Door::Impl {
  public:
    Impl(const asio::any_io_executor& executor, std::string source, const metrics::X2x3Metrics& metrics,
         const X2x3Services& services, X2x3Settings settings)
        : executor_(executor),
          source_(std::move(source)),
          metrics_(metrics),
          services_(services),
          settings_(std::move(settings)),
          reading_(executor, settings_.memory / 2, ReceiveMemory::usual),
          waiting_(executor, settings_.memory / 2, 0),
          inbox_(executor),
          log_(source_),
          pipeline_(source_, {services.items, services.objects, services.snapshot, services.clock, services.workers,
                              nullptr, &services.kept}),
          group_(pipeline_),
          spools_(services.objects),
          taker_(options_of(settings_), spools_),
          working_(executor) {}

    [[nodiscard]] model::Status rebuild();
    void start() { working_.spawn(work()); }
    [[nodiscard]] asio::awaitable<void> serve(http::Stream& stream);
    void reconfigure(X2x3Settings settings) {
        settings_ = std::move(settings);
        new_options_ = options_of(settings_);
        inbox_.wake();
    }
    [[nodiscard]] asio::awaitable<void> stop(std::chrono::milliseconds grace, bool for_good);
    [[nodiscard]] std::uint64_t sequence_gaps() const { return gaps_; }

  private:
    struct Open {
        explicit Open(const metrics::Gauge& gauge) : connections(gauge) { connections.add(1); }
        Open(const Open&) = delete;
        Open& operator=(const Open&) = delete;
        ~Open() { connections.add(-1); }
        metrics::Gauge connections;
    };

    void count_gaps(std::size_t gaps);

    [[nodiscard]] asio::awaitable<void> work();
    [[nodiscard]] asio::awaitable<void> work_off(Inbox::Pieces pieces);
    [[nodiscard]] asio::awaitable<void> expire(CopyTaker::SteadyTime when);
    [[nodiscard]] bool is_due() const {
        return new_options_ || !dropped_.empty() || index_.lock() != services_.snapshot.get()->index ||
               (due_ && *due_ <= services_.clock.steady());
    }
    /// Runs `work`, with the tracker to itself, where it may block.
    template <typename Work>
    [[nodiscard]] asio::awaitable<TakenCopies> on_worker(Work work);
    /// Makes durable what was taken, however long it takes.
    [[nodiscard]] asio::awaitable<void> commit(TakenCopies taken);
    /// The same with one try, at a start: what fails is committed before the first batch, or with it.
    [[nodiscard]] asio::awaitable<void> commit_once(TakenCopies taken);
    /// While nothing can be committed: takes what is due, whose changes may make room. Returns those that can go now.
    ///   count   is increased by the events taken
    [[nodiscard]] asio::awaitable<store::KeptChanges> take_due(std::size_t& count);
    /// Takes the events of late_, as far as they can be taken now. Returns how many.
    [[nodiscard]] asio::awaitable<std::size_t> take_late();
    /// Commits the group. Where other warrants count by now, its events are taken again.
    [[nodiscard]] asio::awaitable<Outcome::Kind> commit_group(store::KeptChanges changes);
    [[nodiscard]] asio::awaitable<void> take_again();
    /// One without objects.
    void take_now(const TaskEvent& event, const Moment& moment);
    void drop_objects(TaskEvent& event);
    ///   count   is increased by what else is taken, where it has to wait
    [[nodiscard]] asio::awaitable<void> take_event(TaskEvent& event, std::size_t& count);
    [[nodiscard]] asio::awaitable<Outcome> offer(TaskEvent& event);
    /// False where the store cannot have them at present.
    [[nodiscard]] asio::awaitable<bool> attach(const TaskEvent& event, std::vector<AttachedObject>& objects);
    void note_taken(const TaskEvent& event, const Moment& moment);
    void report(const TakenCopies& taken);
    void say(const std::vector<std::string_view>& remarks);

    asio::any_io_executor executor_;
    std::string source_;
    const metrics::X2x3Metrics& metrics_;
    X2x3Services services_;
    X2x3Settings settings_;
    BodyBudget reading_;
    BodyBudget waiting_;
    Inbox inbox_;
    SourceLog log_;
    SequenceCheck sequences_;
    Pipeline pipeline_;
    Group group_;
    StoreSpools spools_;
    CopyTaker taker_;  ///< used by one job of the workers at a time
    std::optional<CopyTaker::SteadyTime> due_;
    TakenCopies late_;                    ///< its events could not be taken, and its changes belong to them
    std::vector<TaskEvent> uncommitted_;  ///< of the group, where they may have to be taken again
    bool outdated_ = false;               ///< they have to, and the group has nothing of them
    std::optional<CopyTaker::Options> new_options_;
    /// Tasks of which an event was dropped, since no warrant lists them any more: what made it must not make what comes
    /// a repeat, should one list them again.
    ims::Tasks dropped_;
    std::weak_ptr<const warrants::Index> index_;  ///< by which tasks without a warrant were last forgotten
    ConnectionParts parts_{pipeline_, reading_,   waiting_,
                           inbox_,    sequences_, log_,
                           metrics_,  settings_,  [this](std::size_t gaps) { count_gaps(gaps); }};
    SequenceCheck::Connection connections_ = 0;
    std::atomic<std::uint64_t> gaps_ = 0;
    bool stopping_ = false;
    bool for_good_ = false;
    base::TaskGroup working_;
};

void X2x3Door::Impl::count_gaps(std::size_t gaps) {
    if (gaps > 0) {
        gaps_ += gaps;
        metrics_.sequence_gaps.add(gaps);
        log_.warn_once("sequence numbers of PDUs are missing: copies were lost on the way");
    }
}

asio::awaitable<void> X2x3Door::Impl::serve(http::Stream& stream) {
    const Open open(metrics_.connections);
    PduConnection connection(stream, parts_, ++connections_);
    co_await connection.run();
}

model::Status X2x3Door::Impl::rebuild() {
    const auto now = services_.clock.steady();
    TakenCopies taken;
    const auto flush = [&] {
        asio::io_context here{1};
        asio::co_spawn(here, commit_once(std::exchange(taken, {})), asio::detached);
        here.run();
    };
    bool problem = false;
    const auto read = services_.kept.for_each_kept(source_, [&](store::KeptCopy copy) {
        taker_.take_kept(std::move(copy), now, taken);
        problem = std::exchange(taken.problem, std::nullopt).has_value() || problem;
        if (taken.events.size() >= rebuilt_at_once || taken.bytes >= batch_bytes) {
            flush();
        }
    });
    if (!read) {
        return read;
    }
    flush();
    if (problem) {
        log_.warn_once("kept copies could not be read whole: messages of before the start may be incomplete");
    }
    due_ = taker_.due();
    metrics_.sessions.set(static_cast<double>(taker_.sessions()));
    metrics_.unfinished_bytes.set(static_cast<double>(taker_.unfinished_bytes()));
    return {};
}

asio::awaitable<void> X2x3Door::Impl::work() {
    if (!late_.events.empty() || !group_.is_empty() || outdated_) {
        co_await commit(std::exchange(late_, {}));
    }
    for (;;) {
        const auto now = services_.clock.steady();
        const auto soon = now + SequenceCheck::patience;
        co_await inbox_.wait(due_ ? std::min(*due_, soon) : soon);
        count_gaps(sequences_.expire(services_.clock.steady()));
        if (!inbox_.empty()) {
            auto pieces = inbox_.take(batch_bytes, batch_pdus);
            std::size_t bytes = 0;
            for (const auto& piece : pieces) {
                bytes += piece->size;
            }
            co_await work_off(std::move(pieces));
            inbox_.durable(bytes);
            metrics_.waiting_bytes.set(static_cast<double>(inbox_.bytes()));
        } else if (stopping_) {
            break;
        }
        if (is_due()) {
            co_await expire(services_.clock.steady());
        }
    }
    if (for_good_) {
        // Whatever is open is due then.
        co_await expire(services_.clock.steady() + std::chrono::hours(24 * 365));
    }
}

template <typename Work>
asio::awaitable<TakenCopies> X2x3Door::Impl::on_worker(Work work) {
    // Taken here, since a reload may come while the work runs.
    auto options = std::exchange(new_options_, std::nullopt);
    const auto dropped = std::exchange(dropped_, {});
    const auto index = services_.snapshot.get()->index;
    const bool has_changed = index_.lock() != index;
    index_ = index;
    TakenCopies taken = co_await base::run_on(services_.workers, [&] {
        const auto now = services_.clock.steady();
        TakenCopies made;
        if (options) {
            taker_.set_options(std::move(*options));
        }
        if (has_changed) {
            const ims::Tasks listed = tasks_of(*index);
            taker_.forget([&listed](const model::Uuid& xid) { return !listed.contains(xid); }, now, made);
        }
        if (!dropped.empty()) {
            taker_.forget([&dropped](const model::Uuid& xid) { return dropped.contains(xid); }, now, made);
        }
        work(made);
        return made;
    });
    due_ = taker_.due();
    metrics_.sessions.set(static_cast<double>(taker_.sessions()));
    metrics_.unfinished_bytes.set(static_cast<double>(taker_.unfinished_bytes()));
    co_return taken;
}

asio::awaitable<void> X2x3Door::Impl::work_off(Inbox::Pieces pieces) {
    CopyPlace place;
    Pauses pauses(executor_);
    for (;;) {
        TakenCopies taken =
            co_await on_worker([&](TakenCopies& made) { taker_.take(pieces, services_.clock.steady(), place, made); });
        const bool stuck = taken.problem.has_value();
        const bool more = taken.more;
        co_await commit(std::move(taken));
        if (stuck) {
            log_.warn_changed("a message is too large for memory and cannot be spooled, which is tried again");
            co_await pauses.next();
            if (is_due()) {
                co_await expire(services_.clock.steady());
            }
        } else if (!more) {
            co_return;
        }
    }
}

asio::awaitable<void> X2x3Door::Impl::expire(CopyTaker::SteadyTime when) {
    TakenCopies taken = co_await on_worker([&](TakenCopies& made) { taker_.expire(when, made); });
    const bool stuck = taken.problem.has_value();
    co_await commit(std::move(taken));
    if (stuck) {
        Pauses pauses(executor_);
        co_await pauses.next();
    }
}

asio::awaitable<void> X2x3Door::Impl::commit(TakenCopies taken) {
    if (outdated_) {
        co_await take_again();
    }
    std::size_t count = 0;
    // Of those that are taken without a pause; asking for the time of each costs as much as matching it.
    Moment moment = pipeline_.now();
    const bool may_come_again = moment.snapshot->warrants.has_value();
    for (TaskEvent& event : taken.events) {
        if (++count % events_at_once == 0) {
            co_await asio::post(executor_, asio::use_awaitable);
            moment = pipeline_.now();
        }
        if (event.made.objects.empty()) {
            take_now(event, moment);
        } else {
            co_await take_event(event, count);
            moment = pipeline_.now();
        }
        if (may_come_again) {
            uncommitted_.push_back(std::move(event));
        }
    }
    report(taken);
    Pauses pauses(executor_);
    for (;;) {
        const auto outcome = co_await commit_group(std::exchange(taken.changes, {}));
        if (outcome != Outcome::Kind::unavailable) {
            break;
        }
        log_.warn_changed("the store takes nothing, so no more is read than fits into memory");
        co_await pauses.next();
        taken.changes = co_await take_due(count);
    }
    log_.good("the store takes again what comes in");
    metrics_.accepted.add(count);
    if (!late_.events.empty()) {
        co_await commit(std::exchange(late_, {}));
    }
}

asio::awaitable<Outcome::Kind> X2x3Door::Impl::commit_group(store::KeptChanges changes) {
    for (;;) {
        if (outdated_) {
            co_await take_again();
        }
        const auto outcome = co_await group_.commit(std::exchange(changes, {}));
        if (outcome == Outcome::Kind::accepted) {
            uncommitted_.clear();
        }
        outdated_ = outcome == Outcome::Kind::outdated;
        if (!outdated_) {
            co_return outcome;
        }
    }
}

asio::awaitable<void> X2x3Door::Impl::take_again() {
    constexpr std::chrono::milliseconds pause{10};
    asio::steady_timer timer(executor_);
    while (!pipeline_.is_current(pipeline_.now())) {
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
    }
    for (TaskEvent& event : uncommitted_) {
        Pauses pauses(executor_);
        for (;;) {
            const Outcome outcome = co_await offer(event);
            if (outcome.kind == Outcome::Kind::accepted) {
                break;
            }
            if (outcome.kind == Outcome::Kind::unavailable) {
                co_await pauses.next();
            } else {
                drop_objects(event);
            }
        }
    }
    outdated_ = false;
}

/// Larger than the store could ever hold: the event goes without them.
void X2x3Door::Impl::drop_objects(TaskEvent& event) {
    log_.warn_once("a binary object is larger than store.max_bytes allows, its event goes without it");
    services_.objects_lost.add(event.made.objects.size());
    event.made.objects.clear();
    event.made.event.attachments.clear();
}

asio::awaitable<store::KeptChanges> X2x3Door::Impl::take_due(std::size_t& count) {
    if (late_.events.empty()) {
        if (!is_due()) {
            co_return store::KeptChanges{};
        }
        late_ = co_await on_worker([&](TakenCopies& made) { taker_.expire(services_.clock.steady(), made); });
        say(late_.remarks);
    }
    const std::size_t taken = co_await take_late();
    metrics_.received.add(taken);
    count += taken;
    co_return late_.events.empty() ? std::exchange(late_, {}).changes : store::KeptChanges{};
}

asio::awaitable<std::size_t> X2x3Door::Impl::take_late() {
    std::size_t taken = 0;
    const bool may_come_again = services_.snapshot.get()->warrants.has_value();
    for (TaskEvent& event : late_.events) {
        const Outcome outcome = co_await offer(event);
        if (outcome.kind != Outcome::Kind::accepted) {
            break;
        }
        if (may_come_again) {
            uncommitted_.push_back(std::move(event));
        }
        ++taken;
    }
    late_.events.erase(late_.events.begin(), late_.events.begin() + static_cast<std::ptrdiff_t>(taken));
    co_return taken;
}

asio::awaitable<void> X2x3Door::Impl::commit_once(TakenCopies taken) {
    std::ranges::move(taken.events, std::back_inserter(late_.events));
    std::ranges::move(taken.changes.keep, std::back_inserter(late_.changes.keep));
    std::ranges::move(taken.changes.let_go, std::back_inserter(late_.changes.let_go));
    if (outdated_) {
        co_return;
    }
    static_cast<void>(co_await take_late());
    // What belongs to an event that cannot be taken yet is neither kept nor let go without it.
    if (late_.events.empty()) {
        const auto outcome = co_await group_.commit(std::exchange(late_, {}).changes);
        if (outcome == Outcome::Kind::accepted) {
            uncommitted_.clear();
        }
        outdated_ = outcome == Outcome::Kind::outdated;
    }
}

void X2x3Door::Impl::report(const TakenCopies& taken) {
    metrics_.received.add(taken.events.size());
    for (std::size_t n = 0; n < taken.pdus.size(); ++n) {
        if (taken.pdus[n] > 0) {
            metrics_.pdus_by[n].add(taken.pdus[n]);
        }
    }
    say(taken.remarks);
}

void X2x3Door::Impl::say(const std::vector<std::string_view>& remarks) {
    for (const std::string_view remark : remarks) {
        log_.warn_once(remark);
    }
}

asio::awaitable<void> X2x3Door::Impl::take_event(TaskEvent& event, std::size_t& count) {
    Pauses pauses(executor_);
    for (;;) {
        const Outcome outcome = co_await offer(event);
        if (outcome.kind == Outcome::Kind::accepted) {
            co_return;
        }
        if (outcome.kind == Outcome::Kind::unavailable) {
            log_.warn_changed("the store takes no binary object, so no more is read than fits into memory");
            co_await pauses.next();
            // What was taken before is not held up by it, and what is due may make room.
            static_cast<void>(co_await commit_group(co_await take_due(count)));
        } else {
            drop_objects(event);
        }
    }
}

asio::awaitable<Outcome> X2x3Door::Impl::offer(TaskEvent& event) {
    std::vector<AttachedObject> objects;
    const bool attached = co_await attach(event, objects);
    if (!attached) {
        co_return Outcome{Outcome::Kind::unavailable, {}};
    }
    if (objects.empty()) {
        take_now(event, pipeline_.now());
        co_return Outcome{};
    }
    const Moment moment = pipeline_.now();
    const Outcome outcome = co_await group_.take(event.made.event, event.bytes, match_of(event), objects, moment);
    if (outcome.kind == Outcome::Kind::accepted) {
        note_taken(event, moment);
    }
    co_return outcome;
}

void X2x3Door::Impl::take_now(const TaskEvent& event, const Moment& moment) {
    group_.take(event.made.event, event.bytes, match_of(event), moment);
    note_taken(event, moment);
}

void X2x3Door::Impl::note_taken(const TaskEvent& event, const Moment& moment) {
    const auto& time = event.made.event.timestamp;
    if (time && time->instant > moment.latest()) {
        metrics_.times_ahead.add();
    }
    // Its copies were under a warrant when they were read, and it is under none: that has gone in between.
    const model::Instant at = time ? time->instant : moment.received_at;
    if (!moment.snapshot->index->knows(event.made.xid, at, {moment.received_at, moment.trusted_at})) {
        dropped_.insert(event.made.xid);
    }
}

asio::awaitable<bool> X2x3Door::Impl::attach(const TaskEvent& event, std::vector<AttachedObject>& objects) {
    objects.resize(event.made.objects.size());
    for (std::size_t n = 0; n < objects.size(); ++n) {
        const ims::Bytes& bytes = event.made.objects[n];
        if (bytes.in_memory()) {
            objects[n].bytes = bytes.memory();
            continue;
        }
        const auto sealed = co_await base::run_on(services_.workers, [&] { return sealed_of(*bytes.spooled()); });
        if (!sealed) {
            co_return false;
        }
        objects[n].sealed = *sealed;
    }
    co_return true;
}

asio::awaitable<void> X2x3Door::Impl::stop(std::chrono::milliseconds grace, bool for_good) {
    stopping_ = true;
    for_good_ = for_good_ || for_good;
    inbox_.wake();
    working_.close();
    const bool done = co_await working_.wait_for(grace);
    if (!done) {
        working_.stop();
        co_await working_.wait();
    }
}

X2x3Door::X2x3Door(const asio::any_io_executor& executor, std::string source, const metrics::X2x3Metrics& metrics,
                   const X2x3Services& services, X2x3Settings settings)
    : impl_(std::make_unique<Impl>(executor, std::move(source), metrics, services, std::move(settings))) {}

X2x3Door::~X2x3Door() = default;

model::Status X2x3Door::rebuild() {
    return impl_->rebuild();
}

void X2x3Door::start() {
    impl_->start();
}

asio::awaitable<void> X2x3Door::serve(http::Stream& stream) {
    return impl_->serve(stream);
}

void X2x3Door::reconfigure(X2x3Settings settings) {
    impl_->reconfigure(std::move(settings));
}

asio::awaitable<void> X2x3Door::stop(std::chrono::milliseconds grace) {
    return impl_->stop(grace, false);
}

asio::awaitable<void> X2x3Door::finish(std::chrono::milliseconds grace) {
    return impl_->stop(grace, true);
}

std::uint64_t X2x3Door::sequence_gaps() const {
    return impl_->sequence_gaps();
}

}  // namespace lihandover::intake
