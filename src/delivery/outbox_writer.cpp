#include "outbox_writer.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

OutboxWriter::OutboxWriter(const asio::any_io_executor& executor, store::Outbox& outbox, std::function<void()> has_room,
                           std::function<void()> none_open)
    : executor_(executor),
      outbox_(outbox),
      room_(std::move(has_room)),
      none_open_(std::move(none_open)),
      shared_(std::make_shared<Shared>()) {}

bool OutboxWriter::has_room() {
    if (shared_->open < max_uncommitted) {
        return true;
    }
    shared_->starved = true;
    return shared_->open < max_uncommitted;  // it may have dropped before anybody saw the flag
}

bool OutboxWriter::is_idle() {
    if (shared_->open == 0) {
        return true;
    }
    shared_->idle_asked = true;
    return shared_->open == 0;
}

void OutboxWriter::accepted(const store::Acceptance& acceptance) {
    acceptances_.push_back(acceptance);
    ++shared_->open;
    if (!flush_posted_) {
        // Runs after everything else in this turn of the loop: all its acceptances go together.
        flush_posted_ = true;
        asio::post(executor_, [self = shared_from_this()] { self->flush(); });
    }
}

void OutboxWriter::flush() {
    flush_posted_ = false;
    if (acceptances_.empty()) {
        return;
    }
    const auto count = acceptances_.size();
    outbox_.accepted(std::exchange(acceptances_, {}),
                     [shared = shared_, weak = weak_from_this(), count](store::Outcome) {
                         // `failed` comes only when the store stops: the LEA gets these items once more.
                         committed(shared, weak, count);
                     });
}

store::Done OutboxWriter::answer(Ended ended) {
    ++shared_->open;
    return [shared = shared_, weak = weak_from_this(), ended = std::move(ended)](store::Outcome outcome) {
        if (const auto self = weak.lock(); self && !shared->closed) {
            asio::post(self->executor_, [self, ended, outcome] {
                ended(outcome);
                committed(self->shared_, self, 1);  // not before: its destination is needed until then
            });
        } else {
            committed(shared, weak, 1);
        }
    };
}

void OutboxWriter::refused(store::RowId row, store::Refusal refusal, Ended ended) {
    outbox_.refused(row, std::move(refusal), answer(std::move(ended)));
}

void OutboxWriter::set_aside(store::RowId row, store::Refusal refusal, Ended ended) {
    outbox_.set_aside(row, std::move(refusal), answer(std::move(ended)));
}

void OutboxWriter::committed(const std::shared_ptr<Shared>& shared, const std::weak_ptr<OutboxWriter>& writer,
                             std::size_t count) {
    const auto before = shared->open.fetch_sub(count);
    LIHANDOVER_INVARIANT(before >= count, "what is on its way to the disk arrives once");
    const auto self = shared->closed ? nullptr : writer.lock();
    if (!self) {
        return;
    }
    if (shared->starved.exchange(false)) {
        asio::post(self->executor_, [self] { self->room_(); });
    }
    if (before == count && shared->idle_asked.exchange(false)) {
        asio::post(self->executor_, [self] { self->none_open_(); });
    }
}

void OutboxWriter::close() {
    flush();
    shared_->closed = true;
}

}  // namespace lihandover::delivery
