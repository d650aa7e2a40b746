#include "lihandover/intake/pipeline/file_copier.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "lihandover/store/digest.hpp"
#include "pipeline/named_file.hpp"
#include "pipeline/wiped_buffer.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// One place is for files that are not large: what takes a moment does not wait for what takes minutes.
constexpr std::size_t at_once = 2;
constexpr std::size_t large_at_once = 1;
constexpr std::size_t examined_at_once = 2;
constexpr std::uint64_t large = std::uint64_t{16} << 20;
constexpr std::size_t buffer_size = std::size_t{256} * 1024;
// How much of a file is read before checking whether to stop.
constexpr std::size_t buffers_a_turn = 16;

// Between two log lines about a store that takes no copies.
constexpr std::chrono::minutes between_complaints{10};

using SourceFilePtr = std::shared_ptr<const store::SourceFile>;

// Why a file was not copied.
enum class Failure : std::uint8_t { of_source, of_store };

}  // namespace

class FileCopier::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(std::string root, store::ObjectIntake& objects, const metrics::Counter& lost, const model::Clock& clock,
         CopyPauses pauses)
        : root_(std::move(root)), objects_(objects), lost_(lost), clock_(clock), pauses_(pauses) {}

    [[nodiscard]] const std::string& root() const { return root_; }
    [[nodiscard]] asio::any_io_executor examiners() { return examiners_.get_executor(); }

    model::Status start(std::chrono::milliseconds grace) {
        auto pending = objects_.pending_files();
        if (!pending) {
            return pending.error();
        }
        std::vector<NamedCopy> copies;
        for (SourceFilePtr& file : *pending) {
            const std::chrono::milliseconds left = std::min(grace, until(file->give_up_at));
            copies.push_back({std::move(file), nullptr, true, left});
        }
        copy(std::move(copies));
        return {};
    }

    void copy(std::vector<NamedCopy> copies) {
        const std::lock_guard lock(mutex_);
        for (NamedCopy& each : copies) {
            if (ready_.size() + ready_large_.size() >= max_opened) {
                each.opened.reset();
            }
            const auto give_up_at = clock_.steady() + each.grace;
            make_ready({std::move(each), pauses_.first, give_up_at});
        }
        begin_some();
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopped_ = true;
            ready_.clear();
            ready_large_.clear();
            resting_.clear();
            timer_.cancel();
        }
        // Nothing is left that could hold this object last and end the pool on one of its own threads.
        std::call_once(joined_, [this] {
            workers_.join();
            examiners_.join();
        });
    }

  private:
    // A file to copy, and how long to wait after the next attempt that fails.
    struct Task {
        NamedCopy copy;
        std::chrono::milliseconds pause{};
        model::Clock::SteadyTime give_up_at;

        [[nodiscard]] const store::SourceFile& file() const { return *copy.file; }
    };
    struct Rest {
        model::Clock::SteadyTime until;
        Task task;
    };
    static bool is_large(const Task& task) { return task.file().size >= large; }

    // One attempt. Used by one turn after the other.
    struct Try {
        Task task;
        std::shared_ptr<NamedFile> source;
        std::unique_ptr<store::ObjectWriter> writer;  // null if nobody wants the bytes
        store::Sha256Digest digest;                   // of those that nobody wants
        std::uint64_t size = 0;                       // of what was read
        WipedBuffer buffer;
        model::ObjectLoss loss = model::ObjectLoss::none;
        bool never_fits = false;
        std::string store_problem;
    };

    // --- under the mutex ---

    void make_ready(Task task) {
        auto& queue = is_large(task) ? ready_large_ : ready_;
        queue.push_back(std::move(task));
    }

    void begin_some() {
        while (!stopped_ && running_ < at_once) {
            // A large one first, if it may: many small ones must not keep it waiting either.
            const bool takes_large = running_large_ < large_at_once && !ready_large_.empty();
            auto& queue = takes_large ? ready_large_ : ready_;
            if (queue.empty()) {
                return;
            }
            auto next = std::make_shared<Try>();
            next->task = std::move(queue.front());
            queue.pop_front();
            ++running_;
            running_large_ += takes_large ? 1 : 0;
            post_turn(std::move(next));
        }
    }

    void post_turn(std::shared_ptr<Try> attempt) {
        asio::post(workers_, [self = shared_from_this(), attempt = std::move(attempt)] { self->turn(attempt); });
    }

    void rest(Task task, std::chrono::milliseconds pause) {
        task.pause = std::min(2 * task.pause, pauses_.longest);
        resting_.push_back({clock_.steady() + pause, std::move(task)});
        set_timer();
    }

    void set_timer() {
        if (stopped_ || resting_.empty()) {
            return;
        }
        const auto next = std::ranges::min(resting_, {}, &Rest::until).until;
        timer_.expires_after(next - clock_.steady());
        timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (!error && self) {
                self->wake();
            }
        });
    }

    // Every file that waits fails again and again, all for one reason.
    void complain(const std::string& problem) {
        const auto now = clock_.steady();
        if (complained_ && now < *complained_ + between_complaints) {
            return;
        }
        complained_ = now;
        spdlog::error("named files cannot be copied into the store, which is tried again problem=\"{}\"", problem);
    }

    // --- on the pool ---

    void wake() {
        const std::lock_guard lock(mutex_);
        const auto now = clock_.steady();
        const auto rested = std::ranges::stable_partition(resting_, [&](const Rest& each) { return each.until > now; });
        for (Rest& each : rested) {
            make_ready(std::move(each.task));
        }
        resting_.erase(rested.begin(), rested.end());
        begin_some();
        set_timer();
    }

    bool is_stopped() {
        const std::lock_guard lock(mutex_);
        return stopped_;
    }

    void turn(const std::shared_ptr<Try>& attempt) {
        if (is_stopped()) {
            end(attempt, std::nullopt);
            return;
        }
        if (!attempt->source) {
            if (const auto failure = open(*attempt)) {
                end(attempt, failure);
                return;
            }
        }
        for (std::size_t count = 0; count < buffers_a_turn; ++count) {
            bool whole = false;
            auto failure = copy_some(*attempt, whole);
            if (!failure && whole) {
                failure = finish(*attempt);
            }
            if (failure || whole) {
                end(attempt, failure);
                return;
            }
        }
        post_turn(attempt);
    }

    std::optional<Failure> open(Try& attempt) {
        const store::SourceFile& file = attempt.task.file();
        attempt.source = std::move(attempt.task.copy.opened);
        if (!attempt.source) {
            auto opened = NamedFile::open(root_, file.path, attempt.loss);
            if (!opened) {
                return Failure::of_source;
            }
            attempt.source = std::make_shared<NamedFile>(std::move(*opened));
        }
        if (!is_same(attempt)) {
            return Failure::of_source;
        }
        attempt.buffer.allocate(buffer_size);
        if (!attempt.task.copy.wanted) {
            return std::nullopt;
        }
        if (!objects_.copy_fits(file.size)) {
            attempt.loss = model::ObjectLoss::unreadable;
            attempt.never_fits = true;
            return Failure::of_source;
        }
        auto writer = objects_.copy_writer(file.size);
        if (!writer) {
            return of_store(attempt, writer.error());
        }
        attempt.writer = std::move(*writer);
        return std::nullopt;
    }

    static Failure of_store(Try& attempt, const model::Error& error) {
        attempt.store_problem = error.message;
        return Failure::of_store;
    }

    static bool is_same(Try& attempt) {
        attempt.loss = model::ObjectLoss::changed;
        return attempt.source->identity() == NamedFile::identity_of(attempt.task.file());
    }

    static std::optional<Failure> copy_some(Try& attempt, bool& whole) {
        const auto got = attempt.source->read(attempt.buffer.bytes());
        if (!got) {
            attempt.loss = model::ObjectLoss::unreadable;
            return Failure::of_source;
        }
        if (*got == 0) {
            whole = true;
            return std::nullopt;
        }
        attempt.size += *got;
        if (attempt.size > attempt.task.file().size) {
            attempt.loss = model::ObjectLoss::changed;
            return Failure::of_source;
        }
        const std::span<const char> bytes = attempt.buffer.bytes().first(*got);
        if (!attempt.writer) {
            attempt.digest.update(bytes);
            return std::nullopt;
        }
        if (const auto written = attempt.writer->write(bytes); !written) {
            return of_store(attempt, written.error());
        }
        return std::nullopt;
    }

    std::optional<Failure> finish(Try& attempt) {
        const store::SourceFile& file = attempt.task.file();
        if (!is_same(attempt) || attempt.size != file.size) {
            return Failure::of_source;
        }
        // What follows takes longer for a wanted file, so the file is closed before.
        attempt.source.reset();
        if (!attempt.writer) {
            attempt.loss = model::ObjectLoss::checksum;
            const auto digest = attempt.digest.finish();
            return file.sha256 && digest != *file.sha256 ? std::optional(Failure::of_source) : std::nullopt;
        }
        auto copy = attempt.writer->finish();
        if (!copy) {
            return of_store(attempt, copy.error());
        }
        if (file.sha256 && (*copy)->sha256() != *file.sha256) {
            attempt.loss = model::ObjectLoss::checksum;
            return Failure::of_source;
        }
        objects_.prepared(file.id, std::move(*copy), model::ObjectLoss::none, [](store::Outcome) {});
        return std::nullopt;
    }

    void end(const std::shared_ptr<Try>& attempt, std::optional<Failure> failure) {
        Task task = std::move(attempt->task);
        attempt->writer.reset();
        attempt->source.reset();
        std::chrono::milliseconds pause = task.pause;
        if (failure == Failure::of_source) {
            // Rounded up: an attempt at the very end must find that it is the end.
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(task.give_up_at - clock_.steady());
            if (left <= std::chrono::milliseconds(0)) {
                give_up(*attempt, task);
                failure.reset();
            }
            pause = std::min(pause, left);
        }
        const std::lock_guard lock(mutex_);
        if (failure == Failure::of_store) {
            complain(attempt->store_problem);
        }
        running_large_ -= is_large(task) ? 1 : 0;
        --running_;
        if (failure && !stopped_) {
            rest(std::move(task), pause);
        }
        begin_some();
    }

    void give_up(const Try& attempt, const Task& task) {
        if (!task.copy.wanted) {
            return;
        }
        lost_.add();
        if (attempt.never_fits) {
            spdlog::error("a named file is larger than store.max_bytes allows, its item goes without it");
        }
        objects_.prepared(task.file().id, nullptr, attempt.loss, [](store::Outcome) {});
    }

    [[nodiscard]] std::chrono::milliseconds until(model::Instant when) const {
        constexpr std::int64_t longest = std::int64_t{1} << 40;  // a sum that cannot overflow
        const std::int64_t micros = when.micros() - clock_.trusted().micros();
        return std::chrono::milliseconds(std::clamp<std::int64_t>(micros / 1000, 0, longest));
    }

    std::string root_;
    store::ObjectIntake& objects_;
    const metrics::Counter& lost_;
    const model::Clock& clock_;
    CopyPauses pauses_;

    asio::thread_pool workers_{at_once};
    asio::thread_pool examiners_{examined_at_once};
    std::once_flag joined_;
    std::mutex mutex_;
    asio::steady_timer timer_{workers_};
    std::deque<Task> ready_;
    std::deque<Task> ready_large_;
    std::vector<Rest> resting_;
    std::size_t running_ = 0;
    std::size_t running_large_ = 0;  ///< of them
    std::optional<model::Clock::SteadyTime> complained_;
    bool stopped_ = false;
};

FileCopier::FileCopier(std::string root, store::ObjectIntake& objects, const metrics::Counter& lost,
                       const model::Clock& clock, CopyPauses pauses)
    : impl_(std::make_shared<Impl>(std::move(root), objects, lost, clock, pauses)) {}

FileCopier::~FileCopier() {
    stop();
}

const std::string& FileCopier::root() const {
    return impl_->root();
}

asio::any_io_executor FileCopier::examiners() const {
    return impl_->examiners();
}

model::Status FileCopier::start(std::chrono::milliseconds grace) {
    return impl_->start(grace);
}

void FileCopier::copy(std::vector<NamedCopy> copies) {
    impl_->copy(std::move(copies));
}

void FileCopier::stop() {
    impl_->stop();
}

}  // namespace lihandover::intake
