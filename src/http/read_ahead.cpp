#include "lihandover/http/read_ahead.hpp"

#include <algorithm>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "message.hpp"

namespace lihandover::http {

namespace asio = boost::asio;

/// Wakes the connection's thread. Belongs to that thread; the pool only posts to it.
struct ReadAhead::Bell {
    using Clock = std::chrono::steady_clock;

    explicit Bell(const Executor& io) : executor(io), timer(io) {}
    void ring() {
        rung = true;
        timer.cancel();
    }

    Executor executor;
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer;
    bool rung = false;
};

/// Shared by the two threads. A ring of blocks: the `full` ones from `first` on contain bytes and belong to the
/// connection; the one after them belongs to the pool while `reading`.
struct ReadAhead::State : std::enable_shared_from_this<State> {
    struct Block {
        std::unique_ptr<char[]> bytes;  // NOLINT(modernize-avoid-c-arrays): not to be zeroed before it is filled
        std::size_t room = 0;
        std::size_t size = 0;
    };

    State(asio::any_io_executor its_pool, BlockRead its_read, std::uint64_t from, std::uint64_t to,
          std::size_t bytes_per_block, std::size_t count)
        : pool(std::move(its_pool)), read(std::move(its_read)), block(bytes_per_block), next(from), end(to) {
        blocks.resize(count);
    }

    /// With the mutex held: has the pool read on if there is room.
    void go_on() {
        if (!reading && !abandoned && !failure && next < end && full < blocks.size()) {
            reading = true;
            asio::post(pool, [self = shared_from_this()] { self->step(); });
        }
    }

    /// On the pool: reads one block, then queues again, so that several bodies share the pool evenly.
    void step() {
        Block* target = nullptr;
        std::uint64_t at = 0;
        std::size_t size = 0;
        {
            const std::lock_guard lock(mutex);
            if (abandoned) {
                return;
            }
            target = &blocks[(first + full) % blocks.size()];
            at = next;
            size = static_cast<std::size_t>(std::min<std::uint64_t>(block - at % block, end - at));
        }
        std::optional<model::Error> problem = fill(*target, at, size);
        const std::lock_guard lock(mutex);
        reading = false;
        if (problem) {
            failure = std::move(problem);
        } else {
            next += size;
            ++full;
        }
        if (waiting) {
            // Under the mutex: whoever gives up waiting, and with it the connection's io_context, takes it first.
            waiting = false;
            asio::post(bell->executor, [rings = bell] { rings->ring(); });
        }
        go_on();
    }

    std::optional<model::Error> fill(Block& target, std::uint64_t at, std::size_t size) const {
        try {
            if (target.room < size) {
                target.bytes.reset(new char[size]);
                target.room = size;
            }
            const auto count = read(at, {target.bytes.get(), size});
            if (!count) {
                return count.error();
            }
            if (*count != size) {
                return model::Error{"fewer bytes than there should be"};
            }
            target.size = size;
            return std::nullopt;
        } catch (const std::exception&) {
            return model::Error{"reading ahead failed"};
        }
    }

    const asio::any_io_executor pool;
    const BlockRead read;
    const std::size_t block;

    std::mutex mutex;
    std::vector<Block> blocks;
    std::size_t first = 0;
    std::size_t full = 0;
    std::uint64_t next;
    const std::uint64_t end;
    bool reading = false;
    bool abandoned = false;
    bool waiting = false;  ///< the connection's thread sleeps until `bell` rings
    std::shared_ptr<Bell> bell;
    std::optional<model::Error> failure;
};

ReadAhead::ReadAhead(const asio::any_io_executor& executor, const asio::any_io_executor& pool, BlockRead read,
                     std::uint64_t begin, std::uint64_t end, const ReadAheadOptions& options)
    : size_(end - begin), bell_(std::make_shared<Bell>(concrete(executor))) {
    if (end < begin || options.block == 0 || options.blocks == 0 || !read) {
        throw std::logic_error{"a range that cannot be read ahead"};
    }
    const std::uint64_t needed = size_ / options.block + 2;
    state_ = std::make_shared<State>(pool, std::move(read), begin, end, options.block,
                                     static_cast<std::size_t>(std::min<std::uint64_t>(options.blocks, needed)));
}

ReadAhead::~ReadAhead() {
    cancel();
}

std::optional<std::uint64_t> ReadAhead::size() const {
    return size_;
}

void ReadAhead::cancel() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->abandoned = true;
        state_->waiting = false;
        state_->bell.reset();  // nor may the bell be destroyed on the pool
        if (!state_->failure) {
            state_->failure = model::Error{"cancelled"};
        }
    }
    bell_->ring();
}

asio::awaitable<model::Result<std::size_t>> ReadAhead::read(std::span<char> buffer) {
    const auto state = state_;
    const auto bell = bell_;
    for (;;) {
        State::Block* front = nullptr;
        {
            const std::lock_guard lock(state->mutex);
            if (state->abandoned) {
                co_return *state->failure;
            }
            if (state->full > 0) {
                front = &state->blocks[state->first];
            } else if (state->next == state->end || buffer.empty()) {
                co_return std::size_t{0};
            } else if (state->failure) {
                co_return *state->failure;
            } else {
                state->go_on();
                state->waiting = true;
                state->bell = bell;
            }
        }
        if (front != nullptr) {
            const auto count = std::min(buffer.size(), front->size - taken_);
            std::memcpy(buffer.data(), front->bytes.get() + taken_, count);
            taken_ += count;
            if (taken_ == front->size) {
                taken_ = 0;
                const std::lock_guard lock(state->mutex);
                state->first = (state->first + 1) % state->blocks.size();
                --state->full;
                state->go_on();
            }
            co_return count;
        }
        bell->rung = false;
        bell->timer.expires_at(Bell::Clock::time_point::max());
        boost::system::error_code error;
        co_await bell->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (!bell->rung) {
            {
                const std::lock_guard lock(state->mutex);
                state->waiting = false;
            }
            throw boost::system::system_error{error};  // cancelled through Asio
        }
    }
}

}  // namespace lihandover::http
