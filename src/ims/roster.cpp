#include <algorithm>
#include <unordered_map>
#include <utility>

#include "lihandover/ims/conference.hpp"
#include "text.hpp"
#include "uri_key.hpp"

namespace lihandover::ims {

namespace {

/// Beyond so many users in a document an index of the members pays.
constexpr std::size_t few_searches = 4;
/// Of one member, whatever many documents add.
constexpr std::size_t max_endpoints = 64;

bool is_there(const ConferenceEndpoint& endpoint) {
    const std::string_view status = endpoint.status;
    return status.empty() || same_name(status, "connected") || same_name(status, "on-hold") ||
           same_name(status, "muted-via-focus") || same_name(status, "disconnecting");
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
    Update(Roster& roster, const ConferenceInfo& info) : roster_(roster), info_(info) {}

    std::vector<Change> run() {
        if (is_whole(info_)) {
            replace_names();
            replace_members();
        } else {
            change_names();
            change_members();
        }
        return std::move(changes_);
    }

    /// Everybody leaves.
    std::vector<Change> end() {
        for (const Member& member : roster_.members_) {
            leave(member, {});
        }
        return std::move(changes_);
    }

  private:
    /// Members by their keys: through an index where there is much to find.
    class Finder {
      public:
        Finder(const std::vector<std::string>& keys, std::size_t searches)
            : keys_(keys), indexed_(searches > few_searches) {
            for (std::size_t i = 0; indexed_ && i < keys.size(); ++i) {
                index_.emplace(keys[i], i);
            }
        }
        [[nodiscard]] std::optional<std::size_t> find(const std::string& key) const {
            if (indexed_) {
                const auto found = index_.find(key);
                return found == index_.end() ? std::nullopt : std::optional(found->second);
            }
            const auto found = std::ranges::find(keys_, key);
            return found == keys_.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - keys_.begin()));
        }
        /// The last of the keys was added.
        void add() {
            if (indexed_) {
                index_.emplace(keys_.back(), keys_.size() - 1);
            }
        }

      private:
        const std::vector<std::string>& keys_;
        bool indexed_;
        std::unordered_map<std::string, std::size_t> index_;
    };

    void replace_names() {
        const std::string before = roster_.subject();
        roster_.subject_ = info_.subject.value_or(std::string());
        roster_.display_text_ = info_.display_text.value_or(std::string());
        tell_subject(before);
    }
    void change_names() {
        const std::string before = roster_.subject();
        roster_.subject_ = info_.subject.value_or(roster_.subject_);
        roster_.display_text_ = info_.display_text.value_or(roster_.display_text_);
        tell_subject(before);
    }
    void tell_subject(const std::string& before) {
        if ((info_.subject || info_.display_text) && roster_.subject() != before) {
            changes_.push_back({Change::Kind::subject, {}, before, roster_.subject(), {}, {}, {}});
        }
    }

    // ---- a whole list

    void replace_members() {
        const std::vector<Member> old = std::exchange(roster_.members_, {});
        const std::vector<std::string> old_keys = std::exchange(roster_.keys_, {});
        list_members();
        const Finder before(old_keys, roster_.keys_.size());
        std::vector<bool> listed(old.size());
        for (std::size_t i = 0; i < roster_.members_.size(); ++i) {
            const Member& member = roster_.members_[i];
            const auto at = before.find(roster_.keys_[i]);
            if (!at) {
                if (roster_.listed_) {
                    join(member);
                }
                continue;
            }
            listed[*at] = true;
            compare(old[*at], member, said_[i], member.endpoints);
        }
        for (std::size_t i = 0; i < old.size(); ++i) {
            if (!listed[i]) {
                leave(old[i], {});
            }
        }
    }

    /// Makes the members anew, in the document's order.
    void list_members() {
        Finder known(roster_.keys_, info_.users.size());
        const bool endpoints_told =
            std::ranges::any_of(info_.users, [](const ConferenceUser& user) { return !user.endpoints.empty(); });
        for (const ConferenceUser& user : info_.users) {
            if (user.state == InfoState::deleted) {
                continue;
            }
            std::string key = user_key(user.entity);
            auto at = known.find(key);
            if (!at) {
                at = roster_.members_.size();
                roster_.members_.emplace_back();
                roster_.keys_.push_back(std::move(key));
                said_.push_back(nullptr);
                known.add();
            }
            roster_.members_[*at] = Member{};
            set(roster_.members_[*at], user);
            roster_.members_[*at].endpoints_told = endpoints_told;
            said_[*at] = &user;
        }
    }

    // ---- a part of it

    void change_members() {
        Finder known(roster_.keys_, info_.users.size());
        std::vector<bool> gone(roster_.members_.size());
        std::vector<bool> listed(roster_.members_.size());
        for (const ConferenceUser& user : info_.users) {
            std::string key = user_key(user.entity);
            const auto at = known.find(key);
            const bool deleted = user.state == InfoState::deleted || info_.users_state == InfoState::deleted;
            if (!at && !deleted && roster_.members_.size() < max_conference_users) {
                roster_.keys_.push_back(std::move(key));
                set(roster_.members_.emplace_back(), user);
                join(roster_.members_.back());
                known.add();
                gone.push_back(false);
                listed.push_back(true);
            } else if (at && deleted) {
                remove(*at, user.endpoints, gone);
            } else if (at) {
                listed[*at] = true;
                change(roster_.members_[*at], user, gone[*at]);
                gone[*at] = false;
            }
        }
        if (info_.users_state == InfoState::full || info_.users_state == InfoState::deleted) {
            for (std::size_t i = 0; i < gone.size(); ++i) {
                if (!listed[i]) {
                    remove(i, {}, gone);
                }
            }
        }
        compact(gone);
    }

    void change(Member& member, const ConferenceUser& user, bool gone) {
        if (gone) {
            // Listed twice, once as deleted: it is there.
            member = Member{};
            set(member, user);
            join(member);
            return;
        }
        const Member before = member;
        if (user.state == InfoState::full && !user.endpoints.empty()) {
            member.endpoints.clear();
        }
        set(member, user);
        compare(before, member, &user, user.endpoints);
    }

    void remove(std::size_t at, const std::vector<ConferenceEndpoint>& endpoints, std::vector<bool>& gone) {
        if (!gone[at]) {
            gone[at] = true;
            leave(roster_.members_[at], endpoints);
        }
    }

    void compact(const std::vector<bool>& gone) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < gone.size(); ++i) {
            if (gone[i]) {
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

    // ---- one member

    /// Takes what a user says; what it does not say stays.
    static void set(Member& member, const ConferenceUser& user) {
        replace_where_told(member.entity, member.entity.empty() ? user.entity : std::string());
        replace_where_told(member.display_text, user.display_text);
        if (user.has_roles) {
            member.roles = user.roles;
        }
        if (!user.aors.empty()) {
            member.aors = user.aors;
        }
        member.nickname = user.nickname.value_or(member.nickname);
        for (const ConferenceEndpoint& endpoint : user.endpoints) {
            member.endpoints_told = true;
            take_endpoint(endpoint, member.endpoints);
        }
    }

    /// Tells what is other than before, of what the user says.
    void compare(const Member& before, const Member& now, const ConferenceUser* said,
                 const std::vector<ConferenceEndpoint>& endpoints) {
        const bool leaves = before.present() && !now.present();
        if (leaves) {
            leave(before, endpoints);
        } else if (!before.present()) {
            join(now);
        }
        if (!leaves && said->has_roles && !same_roles(before.roles, now.roles)) {
            tell(Change::Kind::roles, now, spaced(before.roles), {spaced(now.roles), {}});
        }
        if (said->nickname && before.nickname != now.nickname) {
            tell(Change::Kind::nickname, now, before.nickname, {now.nickname, {}});
        }
    }

    void join(const Member& member) {
        if (member.present()) {
            tell(Change::Kind::joined, member, {}, way_in(member.endpoints));
        }
    }
    void leave(const Member& member, const std::vector<ConferenceEndpoint>& endpoints) {
        if (member.present()) {
            tell(Change::Kind::left, member, {}, way_out(endpoints));
        }
    }
    void tell(Change::Kind kind, const Member& member, std::string before, Passage after) {
        changes_.push_back({kind, member.entity, std::move(before), std::move(after.way), std::move(after.by),
                            member.display_text, member.aors});
    }

    Roster& roster_;
    const ConferenceInfo& info_;
    std::vector<const ConferenceUser*> said_;  ///< of each member of a whole list
    std::vector<Change> changes_;
};

bool Roster::is_whole(const ConferenceInfo& info) {
    return info.state == InfoState::full && info.has_users &&
           info.users_state.value_or(InfoState::full) == InfoState::full;
}

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
    listed_ = listed_ || is_whole(info);
    if (first) {
        changes.clear();
    }
    return changes;
}

}  // namespace lihandover::ims
