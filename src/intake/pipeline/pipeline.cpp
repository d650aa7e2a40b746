#include "lihandover/intake/pipeline/pipeline.hpp"

#include <utility>

#include "lihandover/base/background.hpp"
#include "lihandover/warrants/index.hpp"
#include "pipeline/item_maker.hpp"
#include "pipeline/later.hpp"
#include "pipeline/object_sealer.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// The items of one group stay bounded. A body of many events is a few groups; they are a part of what a source can
// see, so docs/events.md names the figure.
constexpr std::size_t group_bytes = std::size_t{1024} * 1024;

}  // namespace

model::Instant Moment::latest() const {
    return later(received_at, snapshot->limits.max_future);
}

class Pipeline::Impl {
  public:
    Impl(std::string named, const PipelineParts& given)
        : source(named), parts(given), maker(std::move(named), given.items) {}

    /// What `event` falls under at that moment, under the number plan of the source.
    void match(const model::Event& event, const Moment& moment, std::vector<warrants::Match>& out) {
        moment.snapshot->index->match(event, moment.received_at, scratch, out, moment.snapshot->numbers_of(source));
    }

    std::string source;
    PipelineParts parts;
    ItemMaker maker;
    // Used within one call of take(), never across a suspension: an event under no warrant costs no allocation.
    warrants::MatchScratch scratch;
    std::vector<warrants::Match> matches;
};

Pipeline::Pipeline(std::string source, const PipelineParts& parts)
    : impl_(std::make_unique<Impl>(std::move(source), parts)) {}

Pipeline::~Pipeline() = default;

Moment Pipeline::now() const {
    return {impl_->parts.snapshot.get(), impl_->parts.clock.wall()};
}

bool Pipeline::accepting() const {
    return impl_->parts.items.accepting();
}

Group::Group(Pipeline& pipeline) : pipeline_(*pipeline.impl_) {}

Group::~Group() = default;

void Group::take(const model::Event& event, std::size_t bytes, const Moment& moment) {
    bytes_ += bytes;
    Pipeline::Impl& pipeline = pipeline_;
    pipeline.match(event, moment, pipeline.matches);
    if (!pipeline.matches.empty()) {
        pipeline.maker.append(event, pipeline.matches, *moment.snapshot, moment.received_at, items_);
    }
}

asio::awaitable<Outcome> Group::take(const model::Event& event, std::size_t bytes,
                                     std::span<const AttachedObject> objects, const Moment& moment) {
    bytes_ += bytes;
    // Its own, since it keeps them while others are served.
    std::vector<warrants::Match> matches;
    pipeline_.match(event, moment, matches);
    const bool wanted = ItemMaker::takes_objects(event, matches, *moment.snapshot);
    store::BinaryObjects& store = pipeline_.parts.objects;
    std::vector<ObjectSource> sources;
    sources.reserve(objects.size());
    for (const AttachedObject& object : objects) {
        ObjectSource& source = sources.emplace_back(object.sealed, object.file);
        if (!object.is_inline()) {
            continue;
        }
        // One for one, so that the disk has the same to do; and one at a time, so that others have their turns.
        const bool done = co_await base::run_on(pipeline_.parts.workers, [&] {
            if (!wanted) {
                return pretend_to_seal(store, object);
            }
            source.sealed = seal(store, object);
            return source.sealed != nullptr;
        });
        if (!done) {
            co_return Outcome{Outcome::Kind::unavailable, {}};
        }
    }
    pipeline_.maker.append(event, matches, *moment.snapshot, moment.received_at, items_, sources);
    if (!wanted) {
        idle_objects_ += objects.size();
        co_return Outcome{};
    }
    for (ObjectSource& source : sources) {
        if (source.file) {
            files_.push_back(std::move(source.file));
        }
    }
    co_return Outcome{};
}

bool Group::is_full() const {
    return bytes_ >= group_bytes;
}

asio::awaitable<Outcome::Kind> Group::commit() {
    bytes_ = 0;
    // Of this commit: what is taken while it runs belongs to the next one.
    const auto files = std::exchange(files_, {});
    const auto outcome = co_await base::await_callback<store::Outcome>([this](auto done) {
        pipeline_.parts.items.submit(std::exchange(items_, {}), std::exchange(idle_objects_, 0), std::move(done));
    });
    if (outcome != store::Outcome::committed) {
        co_return Outcome::Kind::unavailable;
    }
    if (!files.empty()) {
        pipeline_.parts.copier->copy(files);
    }
    co_return Outcome::Kind::accepted;
}

}  // namespace lihandover::intake
