#include <algorithm>
#include <unordered_map>
#include <utility>

#include "lihandover/ims/conference.hpp"
#include "text.hpp"
#include "uri_key.hpp"

namespace lihandover::ims {

namespace {

/// Beyond so many users in a document an index of the members pays.
constexpr std::size_t few = 4;
/// Of one member, whatever many documents add.
constexpr std::size_t max_endpoints = 64;

bool is_there(const ConferenceEndpoint& endpoint) {
    const std::string_view status = endpoint.status;
    return status.empty() || same_name(status, "connected") || same_name(status, "on-hold") ||
           same_name(status, "muted-via-focus") || same_name(status, "disconnecting");
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += text.empty() ? "" : " ";
        text += word;
    }
    return text;
}

bool same_roles(std::vector<std::string> left, std::vector<std::string> right) {
    std::ranges::sort(left);
    std::ranges::sort(right);
    return left == right;
}

void replace_where_told(std::string& to, const std::string& from) {
    to = from.empty() ? to : from;
}

/// Merges what an endpoint says into the one that is there.
void merge(const ConferenceEndpoint& from, ConferenceEndpoint& to) {
    replace_where_told(to.status, from.status);
    replace_where_told(to.joining, from.joining);
    replace_where_told(to.disconnection, from.disconnection);
    replace_where_told(to.joined_by, from.joined_by);
    replace_where_told(to.disconnected_by, from.disconnected_by);
}

void take_endpoint(const ConferenceEndpoint& endpoint, std::vector<ConferenceEndpoint>& out) {
    const auto found = std::ranges::find(out, endpoint.entity, &ConferenceEndpoint::entity);
    if (endpoint.state == InfoState::deleted) {
        if (found != out.end()) {
            out.erase(found);
        }
    } else if (found == out.end()) {
        if (out.size() < max_endpoints) {
            out.push_back(endpoint);
        }
    } else if (endpoint.state == InfoState::partial) {
        merge(endpoint, *found);
    } else {
        *found = endpoint;
    }
}

using Change = Roster::Change;

/// How the endpoints of a user say that it came, or went.
struct Passage {
    std::string way;
    std::string by;
};
Passage way_in(const std::vector<ConferenceEndpoint>& endpoints) {
    Passage passage;
    for (const ConferenceEndpoint& endpoint : endpoints) {
        if (is_there(endpoint) && endpoint.state != InfoState::deleted) {
            replace_where_told(passage.way, endpoint.joining);
            replace_where_told(passage.by, endpoint.joined_by);
        }
    }
    return passage;
}
Passage way_out(const std::vector<ConferenceEndpoint>& endpoints) {
    Passage passage;
    for (const ConferenceEndpoint& endpoint : endpoints) {
        replace_where_told(passage.way, endpoint.disconnection);
        replace_where_told(passage.by, endpoint.disconnected_by);
    }
    return passage;
}

}  // namespace

bool Roster::Member::present() const {
    return endpoints.empty() ? !endpoints_told : std::ranges::any_of(endpoints, is_there);
}

/// One document being applied.
class Roster::Update {
  public:
    Update(Roster& roster, const ConferenceInfo& info)
        : roster_(roster), info_(info), seen_(roster.members_.size()), gone_(roster.members_.size()) {
        if (info.users.size() > few) {
            for (std::size_t i = 0; i < roster.keys_.size(); ++i) {
                index_.emplace(roster.keys_[i], i);
            }
        }
    }

    std::vector<Change> run() {
        take_names();
        const bool whole = is_whole();
        for (const ConferenceUser& user : info_.users) {
            take(user);
        }
        if (whole) {
            for (std::size_t i = 0; i < seen_.size(); ++i) {
                if (!seen_[i] && !gone_[i]) {
                    remove(i, {});
                }
            }
        }
        compact();
        return std::move(changes_);
    }

    /// Everybody leaves.
    std::vector<Change> end() {
        for (std::size_t i = 0; i < seen_.size(); ++i) {
            remove(i, {});
        }
        compact();
        return std::move(changes_);
    }

  private:
    /// Whether those whom it does not list are no members any more.
    [[nodiscard]] bool is_whole() const {
        if (info_.state == InfoState::full) {
            return info_.has_users && info_.users_state != InfoState::partial;
        }
        return info_.users_state == InfoState::full || info_.users_state == InfoState::deleted;
    }

    void take_names() {
        const std::string before = roster_.subject();
        roster_.subject_ = info_.subject.value_or(roster_.subject_);
        roster_.display_text_ = info_.display_text.value_or(roster_.display_text_);
        if (roster_.subject() != before) {
            Change change{Change::Kind::subject, {}, before, roster_.subject(), {}, {}, {}};
            changes_.push_back(std::move(change));
        }
    }

    void take(const ConferenceUser& user) {
        std::string key = user_key(user.entity);
        const std::size_t at = find(key);
        const bool known = at < roster_.members_.size();
        if (user.state == InfoState::deleted || info_.users_state == InfoState::deleted) {
            if (known && !gone_[at]) {
                remove(at, user.endpoints);
            }
            return;
        }
        if (!known) {
            add(std::move(key), user);
            return;
        }
        seen_[at] = true;
        if (gone_[at]) {
            // Listed twice, once as deleted: it is there.
            gone_[at] = false;
            roster_.members_[at] = Member{};
            roster_.members_[at].entity = user.entity;
            set(roster_.members_[at], user, true);
            if (roster_.members_[at].present()) {
                tell_joined(roster_.members_[at]);
            }
            return;
        }
        change(roster_.members_[at], user);
    }

    [[nodiscard]] std::size_t find(const std::string& key) const {
        if (info_.users.size() > few) {
            const auto found = index_.find(key);
            return found == index_.end() ? roster_.members_.size() : found->second;
        }
        return static_cast<std::size_t>(std::ranges::find(roster_.keys_, key) - roster_.keys_.begin());
    }

    void add(std::string key, const ConferenceUser& user) {
        if (roster_.members_.size() >= max_conference_users) {
            return;
        }
        if (info_.users.size() > few) {
            index_.emplace(key, roster_.members_.size());
        }
        roster_.keys_.push_back(std::move(key));
        Member& member = roster_.members_.emplace_back();
        member.entity = user.entity;
        seen_.push_back(true);
        gone_.push_back(false);
        set(member, user, true);
        if (member.present()) {
            tell_joined(member);
        }
    }

    void change(Member& member, const ConferenceUser& user) {
        const bool was_there = member.present();
        const std::vector<std::string> roles = member.roles;
        const std::string nickname = member.nickname;
        set(member, user, user.state == InfoState::full);
        const bool is_there_now = member.present();
        const bool leaves = was_there && !is_there_now;
        if (is_there_now && !was_there) {
            tell_joined(member);
        } else if (leaves) {
            tell_left(member, user.endpoints);
        }
        if (!leaves && !same_roles(roles, member.roles)) {
            tell(Change::Kind::roles, member, joined(roles), joined(member.roles));
        }
        if (nickname != member.nickname) {
            tell(Change::Kind::nickname, member, nickname, member.nickname);
        }
    }

    void set(Member& member, const ConferenceUser& user, bool replace) const {
        replace_where_told(member.display_text, user.display_text);
        if (user.has_roles) {
            member.roles = user.roles;
        }
        if (!user.aors.empty()) {
            member.aors = user.aors;
        }
        member.nickname = user.nickname.value_or(member.nickname);
        const bool all_endpoints = replace && (info_.state == InfoState::full || !user.endpoints.empty());
        if (all_endpoints) {
            member.endpoints.clear();
        }
        for (const ConferenceEndpoint& endpoint : user.endpoints) {
            member.endpoints_told = true;
            take_endpoint(endpoint, member.endpoints);
        }
    }

    void remove(std::size_t at, const std::vector<ConferenceEndpoint>& endpoints) {
        gone_[at] = true;
        if (roster_.members_[at].present()) {
            tell_left(roster_.members_[at], endpoints);
        }
    }

    void tell_joined(const Member& member) {
        Passage passage = way_in(member.endpoints);
        tell(Change::Kind::joined, member, {}, std::move(passage.way), std::move(passage.by));
    }
    void tell_left(const Member& member, const std::vector<ConferenceEndpoint>& endpoints) {
        Passage passage = way_out(endpoints);
        tell(Change::Kind::left, member, {}, std::move(passage.way), std::move(passage.by));
    }
    void tell(Change::Kind kind, const Member& member, std::string before, std::string after, std::string by = {}) {
        changes_.push_back({kind, member.entity, std::move(before), std::move(after), std::move(by),
                            member.display_text, member.aors});
    }

    void compact() {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < gone_.size(); ++i) {
            if (gone_[i]) {
                continue;
            }
            if (kept != i) {
                roster_.members_[kept] = std::move(roster_.members_[i]);
                roster_.keys_[kept] = std::move(roster_.keys_[i]);
            }
            ++kept;
        }
        roster_.members_.resize(kept);
        roster_.keys_.resize(kept);
    }

    Roster& roster_;
    const ConferenceInfo& info_;
    std::vector<bool> seen_;
    std::vector<bool> gone_;
    std::unordered_map<std::string, std::size_t> index_;
    std::vector<Change> changes_;
};

std::vector<Roster::Change> Roster::apply(const ConferenceInfo& info, bool* gap) {
    if (gap != nullptr) {
        *gap = false;
    }
    if (known_ && info.version && *info.version <= version_) {
        return {};
    }
    if (gap != nullptr && info.state == InfoState::partial) {
        *gap = !known_ || (info.version && *info.version > version_ + std::uint64_t{1});
    }
    std::vector<Change> changes;
    if (info.state == InfoState::deleted) {
        changes = Update(*this, info).end();
        *this = Roster();
        return changes;
    }
    const bool first = !known_;
    known_ = true;
    version_ = info.version.value_or(version_);
    changes = Update(*this, info).run();
    if (first) {
        changes.clear();
    }
    return changes;
}

}  // namespace lihandover::ims
