#include "upload_queue.hpp"

namespace lihandover::delivery {

void UploadQueue::add(const store::QueuedObject& object) {
    const auto [found, made] = uploads_.try_emplace(object.id, object);
    auto& upload = found->second;
    if (made) {
        append(upload);
        by_deadline_.insert(&upload);
    } else if (upload.state == Upload::State::settling) {
        upload = Upload(object);  // in no list, as long as it settles
        upload.state = Upload::State::settling;
        upload.again = true;
    }
}

Upload* UploadQueue::find(const model::Uuid& object) {
    const auto found = uploads_.find(object);
    return found == uploads_.end() ? nullptr : &found->second;
}

void UploadQueue::erase(Upload& upload) {
    settle(upload);
    uploads_.erase(upload.object.id);
}

Upload* UploadQueue::take(bool large) {
    for (std::size_t i = 0; i < lists_.size(); ++i) {
        auto* upload = lists_[i].first;
        if (upload != nullptr && (large || i % 2 == 0)) {
            settle(*upload);
            upload->state = Upload::State::running;
            return upload;
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
    resting_.insert(&upload);
    by_deadline_.insert(&upload);
}

void UploadQueue::settle(Upload& upload) {
    if (upload.state == Upload::State::ready) {
        unlist(upload);
    } else if (upload.state == Upload::State::resting) {
        resting_.erase(&upload);
    }
    by_deadline_.erase(&upload);
    upload.state = Upload::State::settling;
}

void UploadQueue::wake(Time now) {
    while (!resting_.empty() && (*resting_.begin())->due <= now) {
        auto* upload = *resting_.begin();
        resting_.erase(resting_.begin());
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
    return resting_.empty() ? std::nullopt : std::optional((*resting_.begin())->due);
}

UploadQueue::List& UploadQueue::list_of(const Upload& upload) {
    return lists_[(upload.object.emergency ? 0U : 2U) + (upload.small() ? 0U : 1U)];
}

void UploadQueue::append(Upload& upload) {
    auto& list = list_of(upload);
    upload.state = Upload::State::ready;
    upload.previous = list.last;
    upload.next = nullptr;
    (list.last != nullptr ? list.last->next : list.first) = &upload;
    list.last = &upload;
    ++ready_[upload.small() ? 0 : 1];
}

void UploadQueue::unlist(Upload& upload) {
    auto& list = list_of(upload);
    (upload.previous != nullptr ? upload.previous->next : list.first) = upload.next;
    (upload.next != nullptr ? upload.next->previous : list.last) = upload.previous;
    upload.previous = upload.next = nullptr;
    --ready_[upload.small() ? 0 : 1];
}

}  // namespace lihandover::delivery
