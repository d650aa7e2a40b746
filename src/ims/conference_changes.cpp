#include <algorithm>
#include <chrono>
#include <utility>

#include "conference_making.hpp"
#include "conference_state.hpp"
#include "text.hpp"
#include "uri_key.hpp"

namespace lihandover::ims {

namespace {

using Change = Roster::Change;
using Kind = Roster::Change::Kind;

/// Beyond so many who join or leave at once, one event tells of all.
constexpr std::size_t few_passages = 64;
/// Of the members of one event.
constexpr std::size_t most_members = 10'000;

constexpr std::string_view booted = "booted";

// How long after a REFER somebody may come, or go, because of it.
constexpr std::chrono::minutes keep_wish{5};

model::EventType event_type_of(Kind kind) {
    switch (kind) {
        case Kind::joined:
            return model::EventType::group_joined;
        case Kind::left:
            return model::EventType::group_left;
        case Kind::roles:
            return model::EventType::group_admin_changed;
        case Kind::subject:
            return model::EventType::group_title_changed;
        case Kind::nickname:
            break;
    }
    return model::EventType::nickname_changed;
}

bool is_passage(const Change& change) {
    return change.kind == Kind::joined || change.kind == Kind::left;
}

Uris uris_of(const Change& change) {
    Uris uris;
    uris.add(change.entity);
    for (const std::string& aor : change.aors) {
        uris.add(aor);
    }
    return uris;
}

/// What a document is named by, whatever copy of it.
Naming naming_of(const Take& take, const Conference& conference, const ConferenceDocument& document,
                 std::string_view what) {
    Naming naming = event_naming(take.copy, what);
    naming.add(conference.uri);
    if (document.notify != nullptr) {
        naming.add(document.notify->call_id).add(std::uint64_t{document.notify->cseq});
    } else {
        naming.add(document.digest);
    }
    return naming.add(std::uint64_t{document.version.value_or(0)});
}

/// Who was told by a NOTIFY: whom it went to.
Uris watcher_of(const Take& take, const ConferenceDocument& document) {
    Uris watcher;
    if (document.notify != nullptr) {
        watcher.add(document.notify->to.uri);
        watcher.add(document.notify->called_party);
    }
    if (take.copy.direction == Direction::to_target) {
        for (const std::string_view matched : take.copy.matched) {
            watcher.add(matched);
        }
    }
    return watcher;
}

class RosterEvents {
  public:
    RosterEvents(const Take& take, Conference& conference, const ConferenceDocument& document)
        : take_(take), conference_(conference), document_(document), watcher_(watcher_of(take, document)) {}

    void tell(const std::vector<Change>& changes) {
        std::vector<const Change*> news;
        for (const Change& change : changes) {
            if (is_news(change)) {
                news.push_back(&change);
            }
        }
        const auto passages = std::ranges::count_if(news, [](const Change* change) { return is_passage(*change); });
        const bool many = passages > static_cast<std::ptrdiff_t>(few_passages);
        if (many) {
            tell_many(news, Kind::joined);
            tell_many(news, Kind::left);
        }
        for (const Change* change : news) {
            if (!many || !is_passage(*change)) {
                tell_one(*change);
            }
        }
    }

  private:
    [[nodiscard]] bool is_news(const Change& change) {
        if (change.kind == Kind::subject) {
            return std::exchange(conference_.title, change.after) != change.after;
        }
        if (change.kind == Kind::roles) {
            return true;
        }
        const auto member = conference_.told->find_or_add(uris_of(change));
        if (!member) {
            return true;
        }
        return change.kind == Kind::nickname ? conference_.told->takes_nickname(*member, change.after)
                                             : conference_.told->roster_says(*member, change.kind == Kind::joined);
    }

    [[nodiscard]] ConferenceEvent begin(Kind kind, const Digest& id) const {
        ConferenceEvent event(take_, event_type_of(kind), id, conference_.uri, conference_.title);
        event.set_watcher(watcher_);
        return event;
    }

    [[nodiscard]] Digest name(Kind kind, const Change& change) const {
        return naming_of(take_, conference_, document_, name_of(event_type_of(kind)))
            .add(user_key(change.entity))
            .finish();
    }

    void tell_one(const Change& change) {
        ConferenceEvent event = begin(change.kind, name(change.kind, change));
        MadeEvent& made = event.made();
        switch (change.kind) {
            case Kind::joined:
                add_joined(event, change);
                break;
            case Kind::left:
                add_left(event, change);
                break;
            case Kind::roles:
                event.add(model::PartyRole::member, uris_of(change), change.name);
                add_parameter(made, roles_parameter, change.after);
                add_parameter(made, previous_roles_parameter, change.before);
                break;
            case Kind::subject:
                event.set_titles(change.before, change.after);
                event.add(model::PartyRole::member, watcher_);
                break;
            case Kind::nickname:
                event.add(model::PartyRole::actor, uris_of(change), change.after);
                add_parameter(made, previous_nickname_parameter, change.before);
                break;
        }
        event.add_to_substance(change.before);
        event.add_to_substance(change.after);
        event.finish();
    }

    void add_joined(ConferenceEvent& event, const Change& change) {
        const Uris member = uris_of(change);
        const std::string referrer = conference_.take_referral(member, false, take_.now);
        event.add(model::PartyRole::sender, change.by.empty() ? referrer : change.by);
        event.add(model::PartyRole::actor, member, change.name);
        event.set_status(change.after);
    }

    void add_left(ConferenceEvent& event, const Change& change) {
        const Uris member = uris_of(change);
        const std::string referrer = conference_.take_referral(member, true, take_.now);
        const std::string& by = change.by.empty() ? referrer : change.by;
        const bool removed = !by.empty() || change.after == booted;
        event.add(model::PartyRole::actor, by);
        event.add(removed ? model::PartyRole::member : model::PartyRole::actor, member, change.name);
        event.set_status(change.after.empty() && removed ? booted : std::string_view(change.after));
    }

    void tell_many(const std::vector<const Change*>& changes, Kind kind) {
        Naming naming = naming_of(take_, conference_, document_, name_of(event_type_of(kind)));
        std::size_t count = 0;
        for (const Change* change : changes) {
            if (change->kind == kind) {
                naming.add(change->entity);
                ++count;
            }
        }
        const Digest id = naming.finish();
        if (count == 0) {
            return;
        }
        ConferenceEvent event = begin(kind, id);
        std::size_t added = 0;
        for (const Change* change : changes) {
            if (change->kind == kind && added++ < most_members) {
                event.add(model::PartyRole::member, uris_of(*change), change->name);
            }
        }
        event.finish();
    }

    const Take& take_;
    Conference& conference_;
    const ConferenceDocument& document_;
    Uris watcher_;
};

// ---- policies

class PolicyEvents {
  public:
    PolicyEvents(const Take& take, Conference& conference, const ConferenceDocument& document,
                 std::string_view content_type)
        : take_(take), conference_(conference), document_(document), content_type_(content_type) {
        if (is_of_target()) {
            for (const std::string_view matched : take.copy.matched) {
                target_.add(matched);
            }
        } else {
            watcher_ = watcher_of(take, document);
        }
    }

    [[nodiscard]] bool is_of_target() const { return take_.copy.direction == Direction::from_target; }

    void tell_created(const PolicyDocument& policy) {
        conference_.title = policy.subject.value_or(std::string());
        ConferenceEvent event = begin(model::EventType::group_created, {});
        event.add(model::PartyRole::receiver, policy.conference);
        event.add(model::PartyRole::actor, target_);
        event.sent_copy();
        std::size_t added = 0;
        for (const std::string& uri : policy.members) {
            if (added++ < most_members) {
                event.add(model::PartyRole::member, uri);
            }
        }
        finish(event);
    }

    void tell_subject(const std::string& after) {
        const std::string before = std::exchange(conference_.title, after);
        ConferenceEvent event = begin(model::EventType::group_title_changed, {});
        event.set_titles(before, after);
        event.add(model::PartyRole::actor, target_);
        event.sent_copy();
        event.add_to_substance(after);
        finish(event);
    }

    void tell_list(const ConferencePolicy::Change& change) {
        ConferenceEvent event = begin(model::EventType::group_admin_changed, change.list);
        event.add(model::PartyRole::actor, target_);
        event.sent_copy();
        std::size_t added = 0;
        for (const auto* uris : {&change.added, &change.removed}) {
            for (const std::string& uri : *uris) {
                if (added++ < most_members) {
                    event.add(model::PartyRole::member, uri);
                }
            }
        }
        add_parameter(event.made(), list_parameter, change.list);
        add_parameter(event.made(), added_parameter, spaced(change.added));
        add_parameter(event.made(), removed_parameter, spaced(change.removed));
        finish(event);
    }

  private:
    [[nodiscard]] ConferenceEvent begin(model::EventType type, std::string_view what) const {
        const Digest id = event_naming(take_.copy, name_of(type))
                              .add(conference_.uri)
                              .add(conference_.policy.run())
                              .add(what)
                              .finish();
        ConferenceEvent event(take_, type, id, conference_.uri, conference_.title);
        event.set_watcher(watcher_);
        return event;
    }

    /// The first event that a document of the target makes has it as an object.
    void finish(ConferenceEvent& event) {
        if (is_of_target() && !attached_) {
            attached_ = true;
            add_object(event.made(), content_type_, {}, Bytes(std::string(document_.bytes)));
        }
        event.finish();
    }

    const Take& take_;
    Conference& conference_;
    const ConferenceDocument& document_;
    std::string_view content_type_;
    Uris target_;
    Uris watcher_;
    bool attached_ = false;
};

}  // namespace

std::string Conference::take_referral(const Uris& member, bool removes, SteadyTime now) {
    std::erase_if(referrals, [now](const Referral& referral) { return referral.at + keep_wish < now; });
    for (const std::string_view one : member.list()) {
        const std::string key = user_key(one);
        const auto found = std::ranges::find_if(referrals, [&key, removes](const Referral& referral) {
            return referral.removes == removes && referral.user == key;
        });
        if (found != referrals.end()) {
            std::string by = std::move(found->by);
            referrals.erase(found);
            return by;
        }
    }
    return {};
}

void tell_changes(const Take& take, Conference& conference, const ConferenceDocument& document,
                  const std::vector<Roster::Change>& changes) {
    RosterEvents(take, conference, document).tell(changes);
}

void tell_policy(const Take& take, Conference& conference, const PolicyDocument& policy,
                 const ConferenceDocument& document, std::string_view content_type, bool created) {
    const auto changes = conference.policy.take(policy, document.digest);
    if (changes.repeat) {
        take.repeat();
        return;
    }
    PolicyEvents events(take, conference, document, content_type);
    if (created && events.is_of_target()) {
        events.tell_created(policy);
        return;
    }
    if (changes.first && !events.is_of_target()) {
        // The state as it is.
        conference.title = policy.subject && conference.title.empty() ? *policy.subject : conference.title;
        return;
    }
    if (policy.subject && *policy.subject != conference.title) {
        events.tell_subject(*policy.subject);
    }
    for (const ConferencePolicy::Change& change : changes.lists) {
        events.tell_list(change);
    }
}

}  // namespace lihandover::ims
