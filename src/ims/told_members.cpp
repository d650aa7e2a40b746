#include "told_members.hpp"

#include <algorithm>

#include "conference_keys.hpp"
#include "uri_key.hpp"

namespace lihandover::ims {

std::optional<TableKey> ToldMembers::key_of(std::string_view uri) const {
    const std::string key = user_key(uri);
    if (key.find("@anonymous.invalid") != std::string::npos) {
        return std::nullopt;
    }
    return conference_key(*secret_, ConferenceKey::member).add(key).finish();
}

std::optional<ToldMembers::Member> ToldMembers::find(const Uris& uris) const {
    for (const std::string_view uri : uris.list()) {
        const auto key = key_of(uri);
        const auto found = key ? index_.find(*key) : index_.end();
        if (found != index_.end()) {
            return found->second;
        }
    }
    return std::nullopt;
}

std::optional<ToldMembers::Member> ToldMembers::find_or_add(const Uris& uris) {
    auto member = find(uris);
    for (const std::string_view uri : uris.list()) {
        const auto key = key_of(uri);
        if (!key || index_.size() >= 4 * most) {
            continue;
        }
        if (!member) {
            if (members_.size() >= most) {
                return std::nullopt;
            }
            member = static_cast<Member>(members_.size());
            members_.emplace_back();
        }
        index_.try_emplace(*key, *member);
    }
    return member;
}

void ToldMembers::tell_by_call(Told& told, Where where, bool roster_known) {
    told.by_roster = false;
    told.where = where;
    if (roster_known && told.expected.size() < most_expected) {
        told.expected.push_back(where);
    }
}

bool ToldMembers::call_joins(Member member, bool roster_known) {
    Told& told = members_[member];
    if (told.where == Where::there && told.by_roster) {
        told.by_roster = false;
        return false;
    }
    tell_by_call(told, Where::there, roster_known);
    return true;
}

bool ToldMembers::call_leaves(Member member, bool roster_known) {
    Told& told = members_[member];
    if (told.where == Where::gone) {
        return false;
    }
    tell_by_call(told, Where::gone, roster_known);
    return true;
}

bool ToldMembers::roster_says(Member member, bool there) {
    Told& told = members_[member];
    const Where where = there ? Where::there : Where::gone;
    const auto expected = std::ranges::find(told.expected, where);
    if (expected != told.expected.end()) {
        told.expected.erase(told.expected.begin(), expected + 1);
        return false;
    }
    if (told.where == where) {
        return false;
    }
    told.where = where;
    told.by_roster = true;
    return true;
}

bool ToldMembers::takes_nickname(Member member, std::string_view nickname) {
    Told& told = members_[member];
    if (told.named && told.nickname == nickname) {
        return false;
    }
    told.named = true;
    told.nickname = nickname.substr(0, 1024);
    return true;
}

void ToldMembers::forget_expected() {
    for (Told& told : members_) {
        told.expected.clear();
    }
}

}  // namespace lihandover::ims
