#include "conference_policy.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lihandover::ims {

namespace {

std::vector<std::string> sorted(std::vector<std::string> uris) {
    std::ranges::sort(uris);
    uris.erase(std::ranges::unique(uris).begin(), uris.end());
    return uris;
}

void compare(std::string_view list, const std::vector<std::string>& before, const std::vector<std::string>& after,
             std::vector<ConferencePolicy::Change>& out) {
    ConferencePolicy::Change change;
    change.list = list;
    std::ranges::set_difference(after, before, std::back_inserter(change.added));
    std::ranges::set_difference(before, after, std::back_inserter(change.removed));
    if (!change.added.empty() || !change.removed.empty()) {
        out.push_back(std::move(change));
    }
}

}  // namespace

ConferencePolicy::Changes ConferencePolicy::take(const PolicyDocument& document, const Digest& digest) {
    Changes changes;
    if (known_ && digest == digest_) {
        changes.repeat = true;
        return changes;
    }
    changes.first = !known_;
    PolicyDocument now;
    now.moderators = sorted(document.moderators);
    now.members = sorted(document.members);
    now.refused = sorted(document.refused);
    compare("moderators", last_.moderators, now.moderators, changes.lists);
    compare("members", last_.members, now.members, changes.lists);
    compare("refused", last_.refused, now.refused, changes.lists);
    run_ = Naming("run of policies").add(run_).add(digest).finish();
    last_ = std::move(now);
    digest_ = digest;
    known_ = true;
    return changes;
}

}  // namespace lihandover::ims
