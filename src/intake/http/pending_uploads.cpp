#include "http/pending_uploads.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>
#include <utility>

#include "lihandover/base/invariant.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// A reload may have shortened the wait, so the timer also checks in between.
constexpr std::chrono::milliseconds longest_look = std::chrono::minutes(1);
constexpr std::chrono::milliseconds shortest_look = std::chrono::milliseconds(10);

}  // namespace

PendingUploads::PendingUploads(const CurrentSnapshot& snapshot, const model::Clock& clock,
                               const asio::any_io_executor& executor, asio::any_io_executor workers,
                               const store::ObjectIntake* store, std::size_t limit)
    : snapshot_(snapshot),
      clock_(clock),
      timer_(executor),
      workers_(std::move(workers)),
      store_(store),
      limit_(limit) {}

bool PendingUploads::has_room(std::string_view id) {
    expire();
    return places_.size() + claimed_ < limit_ || places_.contains(id);
}

bool PendingUploads::Arriving::take(std::uint64_t bytes) {
    if (uploads_.store_ != nullptr) {
        const std::uint64_t room = uploads_.store_->room();
        if (bytes > room || uploads_.held_ + bytes > room - bytes) {
            return false;
        }
    }
    bytes_ += bytes;
    uploads_.held_ += bytes;
    return true;
}

PendingUploads::Put PendingUploads::put(std::string id, Sealed object) {
    if (!has_room(id)) {
        drop({std::move(object)});
        return Put::full;
    }
    std::vector<Sealed> gone;
    if (const auto found = places_.find(id); found != places_.end()) {
        remove(found->second, gone);
    }
    held_ += object->size();
    entries_.push_back({std::move(id), std::move(object), clock_.steady()});
    places_.emplace(entries_.back().id, std::prev(entries_.end()));
    wait();
    const Put outcome = gone.empty() ? Put::added : Put::replaced;
    drop(std::move(gone));
    return outcome;
}

PendingUploads::Sealed PendingUploads::find(std::string_view id) {
    expire();
    const auto found = places_.find(id);
    return found == places_.end() ? nullptr : found->second->object;
}

PendingUploads::Sealed PendingUploads::Claims::find(std::string_view id) {
    const auto own = std::ranges::find(again_, id, &Entry::id);
    return own != again_.end() ? own->object : uploads_.find(id);
}

void PendingUploads::Claims::take(std::string_view id) {
    if (const auto own = std::ranges::find(again_, id, &Entry::id); own != again_.end()) {
        entries_.splice(entries_.end(), again_, own);
    } else {
        uploads_.move_out(id, entries_);
    }
}

void PendingUploads::close() {
    closed_ = true;
    places_.clear();
    std::vector<Sealed> gone;
    for (Entry& entry : entries_) {
        let_go(entry, gone);
    }
    entries_.clear();
    timer_.cancel();
    timing_ = false;
    drop(std::move(gone));
}

void PendingUploads::move_out(std::string_view id, Entries& to) {
    const auto found = places_.find(id);
    if (found == places_.end()) {
        return;
    }
    const auto entry = found->second;
    places_.erase(found);
    to.splice(to.end(), entries_, entry);
    ++claimed_;
}

// To their places by age; one that was uploaded again meanwhile stays as it is now.
void PendingUploads::give_back(Entries& claimed) {
    std::vector<Sealed> gone;
    LIHANDOVER_INVARIANT(claimed.size() <= claimed_, "every claim is counted");
    claimed_ -= claimed.size();
    claimed.sort([](const Entry& a, const Entry& b) { return a.since < b.since; });
    // Once through from the youngest, however many come back.
    auto place = entries_.end();
    while (!claimed.empty()) {
        const auto entry = std::prev(claimed.end());
        if (closed_ || places_.contains(entry->id)) {
            let_go(*entry, gone);
            claimed.pop_back();
            continue;
        }
        while (place != entries_.begin() && std::prev(place)->since > entry->since) {
            --place;
        }
        entries_.splice(place, claimed, entry);
        places_.emplace(entry->id, entry);
        place = entry;
    }
    if (!entries_.empty()) {
        wait();
    }
    drop(std::move(gone));
}

void PendingUploads::use_up(Entries& claimed, std::vector<Sealed>& used) {
    LIHANDOVER_INVARIANT(claimed.size() <= claimed_, "every claim is counted");
    claimed_ -= claimed.size();
    for (Entry& entry : claimed) {
        let_go(entry, used);
    }
    claimed.clear();
}

void PendingUploads::remove(Entries::iterator entry, std::vector<Sealed>& gone) {
    places_.erase(entry->id);
    let_go(*entry, gone);
    entries_.erase(entry);
}

void PendingUploads::let_go(Entry& entry, std::vector<Sealed>& to) {
    held_ -= entry.object->size();
    to.push_back(std::move(entry.object));
}

void PendingUploads::expire() {
    if (entries_.empty()) {
        return;
    }
    const auto latest = clock_.steady() - snapshot_.get()->limits.object_wait;
    std::vector<Sealed> gone;
    while (!entries_.empty() && entries_.front().since <= latest) {
        remove(entries_.begin(), gone);
    }
    drop(std::move(gone));
}

void PendingUploads::wait() {
    if (timing_) {
        return;
    }
    timing_ = true;
    const auto left = entries_.front().since + snapshot_.get()->limits.object_wait - clock_.steady();
    timer_.expires_after(std::clamp<model::Clock::SteadyTime::duration>(left, shortest_look, longest_look));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;  // cleared or gone: none of it may be touched
        }
        timing_ = false;
        expire();
        if (!entries_.empty()) {
            wait();
        }
    });
}

// The last handle of an object removes its file, which may take a while for a large one.
void PendingUploads::drop(std::vector<Sealed> gone) {
    if (!gone.empty()) {
        asio::post(workers_, [held = std::move(gone)] {});
    }
}

}  // namespace lihandover::intake
