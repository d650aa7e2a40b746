// Conference-info documents one after another, between lines of two hyphens, and the roster that they give. Who is
// there has to follow from the changes that are told, but for those of whom the first whole document after parts tells:
// they may have been there for long. The same document again changes nothing; and the last whole document with those
// after it gives the same roster.

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.hpp"
#include "lihandover/ims/conference.hpp"
#include "uri_key.hpp"

namespace {

using namespace lihandover;
using fuzz::must;
using Kind = ims::Roster::Change::Kind;

std::set<std::string> there(const ims::Roster& roster) {
    std::set<std::string> keys;
    for (const auto& member : roster.members()) {
        if (member.present()) {
            keys.insert(ims::user_key(member.entity));
        }
    }
    return keys;
}

void check_members(const ims::Roster& roster) {
    std::set<std::string> keys;
    for (const auto& member : roster.members()) {
        must(!member.entity.empty(), "a member has a URI");
        must(member.endpoints.size() <= 64, "endpoints have their bound");
        must(keys.insert(ims::user_key(member.entity)).second, "a member is listed once");
    }
    must(keys.size() <= ims::max_conference_users, "members have their bound");
}

bool same(const ims::Roster& left, const ims::Roster& right) {
    return left.subject() == right.subject() &&
           std::ranges::equal(left.members(), right.members(), [](const auto& one, const auto& other) {
               return one.entity == other.entity && one.roles == other.roles && one.nickname == other.nickname &&
                      one.aors == other.aors && one.display_text == other.display_text &&
                      one.endpoints.size() == other.endpoints.size() && one.present() == other.present();
           });
}

class Follower {
  public:
    void take(const ims::ConferenceInfo& info) {
        const bool stale = roster_.known() && info.version && *info.version <= version_;
        version_ = stale ? version_ : info.version.value_or(version_);
        const bool known = roster_.known();
        const std::string subject = roster_.subject();
        std::set<std::string> expected = there(roster_);
        const auto changes = roster_.apply(info);
        check_members(roster_);
        must(known || changes.empty(), "the first document changes nothing");
        for (const auto& change : changes) {
            if (change.kind == Kind::joined) {
                must(expected.insert(ims::user_key(change.entity)).second, "nobody joins twice");
            } else if (change.kind == Kind::left) {
                must(expected.erase(ims::user_key(change.entity)) == 1, "only who was there leaves");
            } else if (change.kind == Kind::subject) {
                must(change.before == subject && change.after == roster_.subject(), "the subject changes so");
            }
        }
        const bool lists_others = !listed_ && !stale && ims::Roster::is_whole(info);
        must(!known || (lists_others ? std::ranges::includes(there(roster_), expected) : expected == there(roster_)),
             "who is there follows from the changes");
        listed_ = roster_.known() && (listed_ || lists_others);
        if (info.version && info.state != ims::InfoState::deleted) {
            ims::Roster again = roster_;
            must(again.apply(info).empty() && same(again, roster_), "a repeat changes nothing");
        }
        if (!roster_.known()) {
            version_ = 0;
        }
        if (!stale) {
            check_restart(info);
        }
    }

  private:
    void check_restart(const ims::ConferenceInfo& info) {
        if (!roster_.known() || ims::Roster::is_whole(info)) {
            since_.clear();
        }
        since_.push_back(info);
        if (!roster_.known() || !ims::Roster::is_whole(since_.front())) {
            return;
        }
        ims::Roster after;
        for (const auto& one : since_) {
            after.apply(one);
        }
        must(same(after, roster_), "the last whole document and those after it give the same roster");
    }

    ims::Roster roster_;
    std::uint32_t version_ = 0;
    bool listed_ = false;  ///< a whole document was among those applied
    std::vector<ims::ConferenceInfo> since_;
};

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    Follower follower;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find("\n--\n"), rest.size());
        const Exact document(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 4, rest.size()));
        if (const auto info = ims::read_conference_info(document.view())) {
            must(info->users.size() <= ims::max_conference_users, "users have their bound");
            must(std::ranges::none_of(info->users, [](const auto& user) { return user.entity.empty(); }),
                 "a user has a URI");
            follower.take(*info);
        }
    }
}
