#include <algorithm>
#include <array>

#include "bounded_xml.hpp"
#include "lihandover/ims/conference.hpp"
#include "resource_list.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

constexpr std::size_t max_policy = std::size_t{4} << 20;

template <std::size_t Size>
bool is_one_of(std::string_view name, const std::array<std::string_view, Size>& names) {
    return std::ranges::find(names, name) != names.end();
}

/// Roles that may do more than take part: of RFC 6501, and as the field calls them.
constexpr std::array<std::string_view, 9> privileged_roles{
    "administrator", "admin", "moderator", "chair", "chairman", "host", "owner", "creator", "privileged"};

/// Actions of a rule that give more than taking part (the drafts on conference policy; OMA).
constexpr std::array<std::string_view, 6> privileged_actions{
    "is-key-participant", "is-floor-moderator", "is-moderator", "allow-expelling", "allow-modify-conference-policy",
    "moderator"};

/// Actions that say whether somebody may come in.
constexpr std::array<std::string_view, 3> joining_actions{"join-handling", "allow-join", "access-control"};
constexpr std::array<std::string_view, 5> refusals{"block", "false", "deny", "reject", "0"};

void add(std::string uri, std::vector<std::string>& out) {
    if (!uri.empty() && out.size() < max_conference_users) {
        out.push_back(std::move(uri));
    }
}

void read_identity(XmlElement identity, std::vector<std::string>& out) {
    for (XmlElement each = identity.first(); each; each = each.next()) {
        if (each.name() == "one") {
            add(std::string(each.attribute("id")), out);
        } else if (each.name() == "id" || each.name() == "uri") {
            add(each.text(), out);
        }
    }
}

/// A rule of common policy (RFC 4745 7): whom it is about, and what they may do.
void read_rule(XmlElement rule, PolicyDocument& out) {
    std::vector<std::string> concerned;
    const XmlElement conditions = rule.child("conditions");
    for (XmlElement each = conditions.first(); each; each = each.next()) {
        if (each.name() == "identity") {
            read_identity(each, concerned);
        }
    }
    bool refuses = false;
    bool privileged = false;
    for (XmlElement each = rule.child("actions").first(); each; each = each.next()) {
        const std::string value = lowered(each.text());
        const bool no = is_one_of(value, refusals);
        refuses = refuses || (no && is_one_of(each.name(), joining_actions));
        privileged = privileged || (!no && is_one_of(each.name(), privileged_actions));
    }
    for (const std::string& uri : concerned) {
        add(uri, refuses ? out.refused : out.members);
        if (privileged && !refuses) {
            add(uri, out.moderators);
        }
    }
}

void read_rules(XmlElement rules, PolicyDocument& out) {
    for (XmlElement each = rules.first(); each; each = each.next()) {
        if (each.name() == "rule") {
            read_rule(each, out);
        }
    }
}

/// URIs in whatever form the drafts had them: `<target uri=…>`, `<entry uri=…>`, an element whose text is one.
void read_uris(XmlElement list, std::vector<std::string>& out) {
    for (XmlElement each = list.first(); each; each = each.next()) {
        if (!each.attribute("uri").empty()) {
            add(std::string(each.attribute("uri")), out);
        } else if (each.first()) {
            read_uris(each, out);
        } else {
            add(each.text(), out);
        }
    }
}

void read_conference(XmlElement element, PolicyDocument& out);

/// One element of a conference's policy; others are looked into, since the drafts nest them differently.
void read_policy_element(XmlElement element, PolicyDocument& out) {
    const std::string name = lowered(element.name());
    if (name == "conference-uri" || name == "conf-uri") {
        out.conference = out.conference.empty() ? element.text() : out.conference;
    } else if (name == "subject") {
        if (!out.subject) {
            out.subject = element.text();
        }
    } else if (name == "dialout-list" || name == "dial-out-list" || name == "refer-list" || name == "dl" ||
               name == "allowed-users-list" || name == "acl-allowed") {
        read_uris(element, out.members);
    } else if (name == "blocked-users-list" || name == "acl-blocked") {
        read_uris(element, out.refused);
    } else if (name == "moderators" || name == "moderator" || name == "privileges" || name == "pcl") {
        read_uris(element, out.moderators);
    } else if (name == "ruleset" || name == "authorization-rules") {
        read_rules(element, out);
    } else if (name == "list") {
        add_entries(element, max_conference_users, out.members);
    } else {
        read_conference(element, out);
    }
}

void read_conference(XmlElement element, PolicyDocument& out) {
    for (XmlElement each = element.first(); each; each = each.next()) {
        read_policy_element(each, out);
    }
}

/// A group of OMA's: `<group><list-service uri=…>` with a name, a list and rules.
void read_group(XmlElement group, PolicyDocument& out) {
    const XmlElement service = group.child("list-service");
    out.conference = service.attribute("uri");
    read_conference(service, out);
    if (const XmlElement name = service.child("display-name"); name && !out.subject) {
        out.subject = name.text();
    }
}

PolicyDocument from_info(ConferenceInfo info) {
    PolicyDocument policy;
    policy.conference = std::move(info.entity);
    policy.subject = info.subject ? std::move(info.subject) : std::move(info.display_text);
    for (ConferenceUser& user : info.users) {
        if (user.state == InfoState::deleted) {
            continue;
        }
        const bool privileged = std::ranges::any_of(
            user.roles, [](const std::string& role) { return is_one_of(lowered(role), privileged_roles); });
        if (privileged) {
            policy.moderators.push_back(user.entity);
        }
        policy.members.push_back(std::move(user.entity));
    }
    return policy;
}

/// A piece of a document (RFC 4825 6.3).
bool read_piece(XmlElement root, PolicyDocument& out) {
    const std::string_view name = root.name();
    if (name == "list") {
        add_entries(root, max_conference_users, out.members);
    } else if (name == "entry") {
        add(std::string(root.attribute("uri")), out.members);
    } else if (name == "rule") {
        read_rule(root, out);
    } else if (name == "subject") {
        out.subject = root.text();
    } else {
        return false;
    }
    return true;
}

bool is_of_pieces(std::string_view content_type) {
    constexpr std::string_view type = "application/xcap-el+xml";
    return starts_with_name(content_type, type);
}

}  // namespace

std::optional<PolicyDocument> read_policy(std::string_view xml, std::string_view content_type) {
    BoundedXml document;
    if (!document.read(xml, max_policy)) {
        return std::nullopt;
    }
    PolicyDocument policy;
    const XmlElement root = document.root();
    const std::string_view name = root.name();
    if (name == "conference-info") {
        auto info = read_conference_info(xml);
        return info ? std::optional(from_info(std::move(*info))) : std::nullopt;
    }
    if (name == "resource-lists") {
        add_entries(root, max_conference_users, policy.members);
    } else if (name == "ruleset") {
        read_rules(root, policy);
    } else if (name == "conference-policy" || name == "conference") {
        policy.conference = root.attribute("uri");
        read_conference(root, policy);
    } else if (name == "group" && root.child("list-service")) {
        read_group(root, policy);
    } else if (!is_of_pieces(content_type) || !read_piece(root, policy)) {
        return std::nullopt;
    }
    return policy;
}

}  // namespace lihandover::ims
