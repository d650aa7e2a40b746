#include "upload_queue.hpp"

#include <algorithm>

#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

UploadQueue::~UploadQueue() {
    for (auto& list : lists_) {
        list.clear();
    }
}

Upload& UploadQueue::add(const store::QueuedObject& object) {
    const auto [found, made] = uploads_.try_emplace(object.id, object);
    auto& upload = found->second;
    if (made) {
        upload.number = next_number_++;
        by_number_.emplace(upload.number, &upload);
        append(upload);
        by_deadline_.insert(&upload);
    } else if (upload.state == Upload::State::settling) {
        upload.object = object;  // in no list, as long as it settles
        upload.failures = upload.wasted = upload.last_status = 0;
        upload.withdrawn = upload.set_aside = false;
        upload.again = true;
    } else if (upload.set_aside) {
        const bool running = upload.state == Upload::State::running;
        if (!running) {
            settle(upload);  // its deadline may be another one
        }
        upload.object = object;
        upload.failures = upload.wasted = 0;
        upload.set_aside = false;
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

Upload* UploadQueue::take(bool large) {
    for (std::size_t i = 0; i < lists_.size(); ++i) {
        if (!lists_[i].empty() && (large || i % 2 == 0)) {
            auto& upload = lists_[i].front();
            settle(upload);
            upload.state = Upload::State::running;
            return &upload;
        }
    }
    return nullptr;
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
    return lists_[(upload.object.emergency ? 0U : 2U) + (upload.small() ? 0U : 1U)];
}

void UploadQueue::append(Upload& upload) {
    LIHANDOVER_INVARIANT(!upload.is_linked(), "an upload waits in one place");
    upload.state = Upload::State::ready;
    list_of(upload).push_back(upload);
}

}  // namespace lihandover::delivery
