#include "lihandover/intake/pipeline/pipeline.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/base/background.hpp"
#include "lihandover/warrants/index.hpp"
#include "pipeline/item_maker.hpp"
#include "pipeline/later.hpp"
#include "pipeline/object_sealer.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// Keeps the items of one group bounded. A body of many events is a few groups; a source can notice them, so
// docs/events.md names the figure.
constexpr std::size_t group_bytes = std::size_t{1024} * 1024;
// Objects of one event that are sealed together: each is an open file meanwhile.
constexpr std::size_t sealed_at_once = 32;

/// The changes one after the other. What comes and goes in them need not be written at all.
store::KeptChanges joined(store::KeptChanges first, store::KeptChanges second) {
    std::ranges::move(second.keep, std::back_inserter(first.keep));
    std::ranges::copy(second.let_go, std::back_inserter(first.let_go));
    if (!first.keep.empty() && !first.let_go.empty()) {
        std::ranges::sort(first.let_go);
        std::erase_if(first.keep, [&first](const store::KeptCopy& copy) {
            return std::ranges::binary_search(first.let_go, copy.id);
        });
    }
    return first;
}

/// Where each of an event's objects is to be taken from, once those that came in it are sealed. Nullopt where the store
/// takes none.
///   idle  what no warrant wants goes there
asio::awaitable<std::optional<std::vector<ObjectSource>>> sources_of(
    const PipelineParts& parts, std::span<const AttachedObject> objects, bool wanted,
    std::vector<std::shared_ptr<const store::SealedObject>>& idle) {
    std::vector<ObjectSource> sources;
    std::vector<std::size_t> inline_ones;
    sources.reserve(objects.size());
    for (std::size_t at = 0; at < objects.size(); ++at) {
        sources.emplace_back(objects[at].sealed, objects[at].copy.file);
        if (objects[at].is_inline()) {
            inline_ones.push_back(at);
        }
    }
    // A few at a time, so that others get their turns.
    for (std::span<const std::size_t> rest = inline_ones; !rest.empty();) {
        const auto some = rest.first(std::min(sealed_at_once, rest.size()));
        rest = rest.subspan(some.size());
        std::vector<const AttachedObject*> which;
        std::ranges::transform(some, std::back_inserter(which), [&](std::size_t at) { return &objects[at]; });
        auto sealed = co_await base::run_on(parts.workers, [&] { return seal(parts.objects, which, wanted); });
        if (sealed.size() != some.size()) {
            co_return std::nullopt;
        }
        for (std::size_t i = 0; i < some.size(); ++i) {
            (wanted ? sources[some[i]].sealed : idle.emplace_back()) = std::move(sealed[i]);
        }
    }
    co_return sources;
}

}  // namespace

model::Instant Moment::latest() const {
    return later(received_at, snapshot->limits.max_future);
}

class Pipeline::Impl {
  public:
    Impl(std::string named, const PipelineParts& given)
        : source(named), parts(given), maker(std::move(named), given.items) {}

    /// The warrants that `event` falls under at that moment.
    void match(const model::Event& event, const Moment& moment, std::vector<warrants::Match>& out) {
        moment.snapshot->index->match(event, {moment.received_at, moment.trusted_at}, scratch, out, moment.numbers);
    }

    /// The same for an event of a task.
    void match(const model::Event& event, const TaskMatch& task, const Moment& moment,
               std::vector<warrants::Match>& out) {
        marks.assign((event.parties.size() + 63) / 64, 0);
        const std::size_t marked = task.targeted == nullptr ? 0 : std::min(task.targeted->size(), event.parties.size());
        for (std::size_t party = 0; party < marked; ++party) {
            marks[party / 64] |= std::uint64_t{(*task.targeted)[party]} << (party % 64);
        }
        moment.snapshot->index->match_task(event, task.xid, task.earlier, marks,
                                           {moment.received_at, moment.trusted_at}, out);
    }

    std::string source;
    PipelineParts parts;
    ItemMaker maker;
    // Used within one call of take(), never across a suspension: an event under no warrant costs no allocation.
    warrants::MatchScratch scratch;
    std::vector<warrants::Match> matches;
    std::vector<std::uint64_t> marks;
};

Pipeline::Pipeline(std::string source, const PipelineParts& parts)
    : impl_(std::make_unique<Impl>(std::move(source), parts)) {}

Pipeline::~Pipeline() = default;

Moment Pipeline::now() const {
    const PipelineParts& parts = impl_->parts;
    Moment moment;
    moment.snapshot = parts.snapshot.get();
    moment.numbers = moment.snapshot->numbers_of(impl_->source);
    moment.received_at = parts.clock.wall();
    moment.trusted_at = parts.clock.trusted();
    moment.clock_trusted = parts.clock.is_trusted();
    return moment;
}

bool Pipeline::accepting() const {
    return impl_->parts.items.accepting();
}

bool Pipeline::is_current(const Moment& moment) const {
    return impl_->parts.items.is_current(moment.snapshot->warrants);
}

std::optional<Fault> Pipeline::never_fits(std::span<const AttachedObject> objects) const {
    for (std::size_t at = 0; at < objects.size(); ++at) {
        const AttachedObject& object = objects[at];
        // What was uploaded the store has.
        const store::ObjectIntake& store = impl_->parts.objects;
        const bool fits = object.is_inline() ? size_of(object) <= store.largest()
                          : object.copy.file ? store.copy_fits(object.copy.file->size)
                                             : true;
        if (!fits) {
            return Fault{metrics::Rejection::too_large, "attachments[" + std::to_string(at) + "]",
                         "is larger than store.max_bytes allows"};
        }
    }
    return std::nullopt;
}

Group::Group(Pipeline& pipeline) : pipeline_(pipeline) {}

Group::~Group() {
    if (!idle_.empty()) {
        // The last handle removes its file, which may take a while for a large one.
        asio::post(pipeline_.impl_->parts.workers, [gone = std::move(idle_)] {});
    }
}

void Group::keep(const Moment& moment) {
    if (matched_with_.empty() || matched_with_.back() != moment.snapshot) {
        matched_with_.push_back(moment.snapshot);
    }
    note_state(moment.snapshot->warrants);
}

void Group::note_state(std::optional<std::uint64_t> warrants) {
    if (warrants) {
        arrival_.warrants = std::min(*warrants, arrival_.warrants.value_or(*warrants));
    }
}

void Group::take(const model::Event& event, std::size_t bytes, const Moment& moment) {
    keep(moment);
    Pipeline::Impl& pipeline = *pipeline_.impl_;
    const std::size_t before = items_.size();
    pipeline.match(event, moment, pipeline.matches);
    if (!pipeline.matches.empty()) {
        pipeline.maker.append(event, pipeline.matches, *moment.snapshot, moment.received_at, items_);
    }
    note(bytes, before, event, moment);
}

asio::awaitable<Outcome> Group::take(const model::Event& event, std::size_t bytes, std::span<AttachedObject> objects,
                                     const Moment& moment) {
    if (auto fault = pipeline_.never_fits(objects)) {
        co_return Outcome{Outcome::Kind::too_large, std::move(fault)};
    }
    // Separate, since it keeps them while others are served.
    std::vector<warrants::Match> matches;
    pipeline_.impl_->match(event, moment, matches);
    const bool wanted = ItemMaker::takes_objects(event, matches, *moment.snapshot);
    auto sources = co_await sources_of(pipeline_.impl_->parts, objects, wanted, idle_);
    if (!sources) {
        co_return Outcome{Outcome::Kind::unavailable, {}};
    }
    const std::size_t before = items_.size();
    keep(moment);
    pipeline_.impl_->maker.append(event, matches, *moment.snapshot, moment.received_at, items_, *sources);
    note(bytes, before, event, moment);
    arrival_.idle_objects += wanted ? 0 : objects.size();
    for (AttachedObject& object : objects) {
        if (object.copy.file) {
            object.copy.wanted = wanted;
            copies_.push_back(std::move(object.copy));
        }
    }
    co_return Outcome{};
}

void Group::note_of_task(std::size_t bytes, const model::Event& event) {
    ++arrival_.events;
    arrival_.bytes += bytes;
    arrival_.objects += event.attachments.size();
}

void Group::take(const model::Event& event, std::size_t bytes, const TaskMatch& task, const Moment& moment) {
    keep(moment);
    Pipeline::Impl& pipeline = *pipeline_.impl_;
    pipeline.match(event, task, moment, pipeline.matches);
    if (!pipeline.matches.empty()) {
        pipeline.maker.append_of_task(event, pipeline.matches, *moment.snapshot, moment.received_at, task.substance,
                                      items_);
    }
    note_of_task(bytes, event);
}

asio::awaitable<Outcome> Group::take(const model::Event& event, std::size_t bytes, const TaskMatch& task,
                                     std::span<AttachedObject> objects, const Moment& moment) {
    std::vector<warrants::Match> matches;
    pipeline_.impl_->match(event, task, moment, matches);
    std::optional<std::vector<ObjectSource>> sources(std::in_place);
    if (ItemMaker::takes_objects(event, matches, *moment.snapshot)) {
        if (auto fault = pipeline_.never_fits(objects)) {
            co_return Outcome{Outcome::Kind::too_large, std::move(fault)};
        }
        sources = co_await sources_of(pipeline_.impl_->parts, objects, true, idle_);
        if (!sources) {
            co_return Outcome{Outcome::Kind::unavailable, {}};
        }
    }
    keep(moment);
    pipeline_.impl_->maker.append_of_task(event, matches, *moment.snapshot, moment.received_at, task.substance, items_,
                                          *sources);
    note_of_task(bytes, event);
    co_return Outcome{};
}

void Group::note(std::size_t bytes, std::size_t items_before, const model::Event& event, const Moment& moment) {
    arrival_.review = arrival_.review || moment.snapshot->review;
    ++arrival_.events;
    arrival_.bytes += bytes;
    arrival_.objects += event.attachments.size();
    if (items_.size() == items_before) {
        ++arrival_.idle_events;
        arrival_.idle_bytes += pipeline_.impl_->maker.imitate(event, *moment.snapshot, moment.received_at);
    }
}

bool Group::is_full() const {
    return arrival_.bytes >= group_bytes;
}

bool Group::is_empty() const {
    return items_.empty() && changes_.empty();
}

asio::awaitable<Outcome::Kind> Group::commit(store::KeptChanges changes) {
    changes_ = joined(std::move(changes_), std::move(changes));
    // Of this commit: what is taken while it runs belongs to the next one.
    auto items = std::exchange(items_, {});
    auto matched_with = std::exchange(matched_with_, {});
    const store::Arrival arrival = std::exchange(arrival_, {});
    auto now = std::exchange(changes_, {});
    // What matched nothing may match under warrants that count by now.
    const bool none_for_sure = !arrival.warrants || arrival.events == 0;
    if (items.empty() && now.empty() && none_for_sure) {
        co_return Outcome::Kind::accepted;
    }
    const auto outcome = co_await base::await_callback<store::Outcome>([&](auto done) {
        // Copies, to be given again where they come to nothing: nobody else has them.
        pipeline_.impl_->parts.kept->submit(items, arrival, pipeline_.impl_->source, now, std::move(done));
    });
    if (outcome == store::Outcome::committed) {
        co_return Outcome::Kind::accepted;
    }
    changes_ = joined(std::move(now), std::move(changes_));
    if (outcome == store::Outcome::outdated) {
        co_return Outcome::Kind::outdated;
    }
    std::ranges::move(items_, std::back_inserter(items));
    items_ = std::move(items);
    std::ranges::move(matched_with_, std::back_inserter(matched_with));
    matched_with_ = std::move(matched_with);
    note_state(arrival.warrants);
    arrival_.events += arrival.events;
    arrival_.bytes += arrival.bytes;
    arrival_.objects += arrival.objects;
    co_return Outcome::Kind::unavailable;
}

asio::awaitable<Outcome::Kind> Group::commit() {
    // Of this commit: what is taken while it runs belongs to the next one.
    auto copies = std::exchange(copies_, {});
    const auto matched_with = std::exchange(matched_with_, {});
    const auto outcome = co_await base::await_callback<store::Outcome>([this](auto done) {
        pipeline_.impl_->parts.items.submit(std::exchange(items_, {}), std::exchange(arrival_, {}), std::move(done));
    });
    if (outcome != store::Outcome::committed) {
        co_return outcome == store::Outcome::outdated ? Outcome::Kind::outdated : Outcome::Kind::unavailable;
    }
    if (!copies.empty()) {
        pipeline_.impl_->parts.copier->copy(std::move(copies));
    }
    co_return Outcome::Kind::accepted;
}

}  // namespace lihandover::intake
