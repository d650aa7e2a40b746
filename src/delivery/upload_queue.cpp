#include "upload_queue.hpp"

#include <algorithm>

#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

UploadQueue::~UploadQueue() {
    for (auto& list : lists_) {
        list.clear();
    }
}

Upload& UploadQueue::add(const store::QueuedObject& object, bool set_aside) {
    const auto [found, made] = uploads_.try_emplace(object.id, object);
    auto& upload = found->second;
    if (made) {
        upload.number = next_number_++;
        by_number_.emplace(upload.number, &upload);
        upload.set_aside = set_aside;
        append(upload);
        by_deadline_.insert(&upload);
    } else if (upload.state == Upload::State::settling) {
        upload.object = object;  // in no list, as long as it settles
        upload.failures = upload.wasted = upload.last_status = 0;
        upload.withdrawn = upload.set_aside = upload.put_off = false;
        upload.again = true;
    } else if (upload.set_aside) {
        const bool running = upload.state == Upload::State::running;
        if (!running) {
            settle(upload);  // its deadline may be another one
        }
        upload.object = object;
        upload.failures = upload.wasted = 0;
        upload.set_aside = upload.put_off = false;
        if (!running) {
            again(upload);
        }
    }
    return upload;
}

Upload* UploadQueue::find(const model::Uuid& object) {
    const auto found = uploads_.find(object);
    return found == uploads_.end() ? nullptr : &found->second;
}

Upload* UploadQueue::find(std::int64_t number) {
    const auto found = by_number_.find(number);
    return found == by_number_.end() ? nullptr : found->second;
}

void UploadQueue::erase(Upload& upload) {
    settle(upload);
    by_number_.erase(upload.number);
    const auto id = upload.object.id;
    uploads_.erase(id);
}

std::size_t UploadQueue::ready(bool large) const {
    std::size_t count = 0;
    for (std::size_t i = large ? 1 : 0; i < aside; i += 2) {
        count += lists_[i].size();
    }
    return count;
}

std::size_t UploadQueue::first_of(std::size_t begin, std::size_t end, bool large) const {
    for (auto i = begin; i < end; ++i) {
        if (!lists_[i].empty() && (large || i % 2 == 0)) {
            return i;
        }
    }
    return none;
}

std::size_t UploadQueue::first_of_kinds(std::size_t base, std::size_t kind, bool large) const {
    const auto found = first_of(base + kind, base + kinds, large);
    return found != none ? found : first_of(base, base + kind, large);
}

Upload* UploadQueue::take_end(std::size_t list, bool last) {
    if (list == none) {
        return nullptr;
    }
    auto& upload = last ? lists_[list].back() : lists_[list].front();
    settle(upload);
    upload.state = Upload::State::running;
    return &upload;
}

std::size_t UploadQueue::next_put_off(bool large) {
    in_order_ = !in_order_;
    if (!in_order_) {
        other_kind_ = other_kind_ % (kinds - 1) + 1;
    }
    return first_of_kinds(again_kinds, in_order_ ? 0 : other_kind_, large);
}

Upload* UploadQueue::take(const Limits& limits) {
    const auto fresh = first_of(0, kinds, limits.large);
    const bool put_off = limits.put_off && first_of(again_kinds, aside, limits.large) != none;
    turn_of_put_off_ = put_off && (fresh == none || !turn_of_put_off_);
    if (turn_of_put_off_) {
        return take_end(next_put_off(limits.large), false);
    }
    latest_turn_ = limits.other && !latest_turn_;
    return take_end(fresh, latest_turn_);
}

Upload* UploadQueue::take_for_probe(bool large) {
    const auto kind = next_probe_;
    next_probe_ = (next_probe_ + 1) % kinds;
    // Once more per round: else a kind's turn would always come with the same end of its list.
    latest_turn_ = latest_turn_ == (next_probe_ == 0);
    const auto fresh = first_of_kinds(0, kind, large);
    return fresh != none ? take_end(fresh, latest_turn_) : take_end(first_of_kinds(again_kinds, kind, large), false);
}

Upload* UploadQueue::take_aside(bool large) {
    return take_end(first_of(aside, none, large), false);
}

Upload* UploadQueue::take_resting() {
    if (resting_.empty()) {
        return nullptr;
    }
    auto* upload = *resting_.begin();
    settle(*upload);
    upload->state = Upload::State::running;
    return upload;
}

void UploadQueue::again(Upload& upload) {
    settle(upload);
    upload.again = false;
    append(upload);
    by_deadline_.insert(&upload);
}

void UploadQueue::rest(Upload& upload, Time due) {
    settle(upload);
    upload.put_off = true;
    upload.due = due;
    upload.state = Upload::State::resting;
    resting_of(upload).insert(&upload);
    by_deadline_.insert(&upload);
}

void UploadQueue::hurry(Upload& upload, Time due) {
    if (upload.state == Upload::State::resting) {
        resting_of(upload).erase(&upload);
        upload.due = std::min(upload.due, due);
        resting_of(upload).insert(&upload);
    }
}

void UploadQueue::settle(Upload& upload) {
    if (upload.state == Upload::State::ready && upload.is_linked()) {
        list_of(upload).erase(List::s_iterator_to(upload));
    } else if (upload.state == Upload::State::resting) {
        resting_of(upload).erase(&upload);
    }
    by_deadline_.erase(&upload);
    upload.state = Upload::State::settling;
}

void UploadQueue::wake(Time now) {
    wake(resting_, now);
    wake(resting_aside_, now);
}

void UploadQueue::wake(Resting& resting, Time now) {
    while (!resting.empty() && (*resting.begin())->due <= now) {
        auto* upload = *resting.begin();
        resting.erase(resting.begin());
        append(*upload);
    }
}

Upload* UploadQueue::expired(model::Instant now) const {
    const auto first = by_deadline_.begin();
    return first != by_deadline_.end() && (*first)->object.deadline <= now ? *first : nullptr;
}

std::optional<model::Instant> UploadQueue::next_deadline() const {
    return by_deadline_.empty() ? std::nullopt : std::optional((*by_deadline_.begin())->object.deadline);
}

std::optional<UploadQueue::Time> UploadQueue::next_due() const {
    std::optional<Time> next;
    for (const auto* resting : {&resting_, &resting_aside_}) {
        if (!resting->empty() && (!next || (*resting->begin())->due < *next)) {
            next = (*resting->begin())->due;
        }
    }
    return next;
}

UploadQueue::List& UploadQueue::list_of(const Upload& upload) {
    const std::size_t size = upload.small() ? 0 : 1;
    if (upload.set_aside) {
        return lists_[aside + size];
    }
    return lists_[(upload.put_off ? again_kinds : 0) + (upload.object.emergency ? 0 : 2) + size];
}

void UploadQueue::append(Upload& upload) {
    LIHANDOVER_INVARIANT(!upload.is_linked(), "an upload waits in one place");
    upload.state = Upload::State::ready;
    list_of(upload).push_back(upload);
}

}  // namespace lihandover::delivery
