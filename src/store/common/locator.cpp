#include "locator.hpp"

#include <algorithm>
#include <unordered_map>

#include "lihandover/base/thread_name.hpp"

namespace lihandover::store {

namespace {

bool is_to_be_found(const Meant& one) {
    return one.row == 0 && one.as.has(ItemState::queued);
}

}  // namespace

bool Locator::is_needed(const std::vector<Meant>& items) {
    return std::ranges::any_of(items, is_to_be_found);
}

void Locator::locate(std::vector<Meant> items, Done done) {
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_) {
            waiting_.push_back({std::move(items), std::move(done)});
            if (!thread_.joinable()) {
                thread_ = std::thread([this] { run(); });
            }
            wake_.notify_one();
            return;
        }
    }
    done(std::nullopt);
}

void Locator::decide_located(std::vector<Meant> items, DoneDecided done,
                             std::function<void(std::vector<Meant>, DoneDecided)> decide) {
    if (!is_needed(items)) {
        decide(std::move(items), std::move(done));
        return;
    }
    locate(std::move(items),
           [done = std::move(done), decide = std::move(decide)](std::optional<std::vector<Meant>> located) {
               if (located) {
                   decide(std::move(*located), done);
               } else if (done) {
                   done(Outcome::failed, {});
               }
           });
}

void Locator::end() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
}

void Locator::stop() {
    end();
    std::thread ending;
    {
        const std::lock_guard lock(mutex_);
        ending = std::move(thread_);
    }
    if (ending.joinable()) {
        ending.join();
    }
}

bool Locator::is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void Locator::run() {
    base::name_thread("store search");
    while (true) {
        std::vector<Search> searches;
        bool stopping = false;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            // One look is for all that wait: who asks again does not make the others wait longer.
            searches = std::exchange(waiting_, {});
            stopping = stopping_;
        }
        const bool whole = !stopping && look_for(searches);
        for (Search& search : searches) {
            search.done(whole ? std::optional(std::move(search.items)) : std::nullopt);
        }
        if (stopping) {
            return;
        }
    }
}

bool Locator::look_for(std::vector<Search>& searches) {
    std::unordered_multimap<model::Uuid, Meant*> wanted;
    for (Search& search : searches) {
        for (Meant& one : search.items) {
            if (is_to_be_found(one)) {
                wanted.emplace(one.id, &one);
            }
        }
    }
    const auto end = std::chrono::steady_clock::now() + most_;
    std::vector<model::Uuid> ids;
    std::optional<RowId> after = 0;
    while (after && !wanted.empty()) {
        if (is_stopping() || std::chrono::steady_clock::now() >= end) {
            return false;
        }
        ids.clear();
        for (const auto& [id, one] : wanted) {
            if (ids.empty() || ids.back() != id) {
                ids.push_back(id);
            }
        }
        const model::Result<Step> step = look_(ids, *after);
        if (!step) {
            return false;
        }
        for (const auto& [id, row] : step->found) {
            const auto [first, last] = wanted.equal_range(id);
            std::for_each(first, last, [row = row](const auto& one) { one.second->row = row; });
            wanted.erase(first, last);
        }
        after = step->last;
    }
    return true;
}

}  // namespace lihandover::store
