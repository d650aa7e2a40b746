#include <algorithm>

#include "bounded_xml.hpp"
#include "lihandover/ims/conference.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

constexpr std::size_t max_document = std::size_t{4} << 20;
/// Of one user.
constexpr std::size_t max_of_user = 64;
constexpr std::size_t max_uris = 16;

std::optional<InfoState> state_of(XmlElement element) {
    const std::string_view state = element.attribute("state");
    if (same_name(state, "partial")) {
        return InfoState::partial;
    }
    if (same_name(state, "deleted")) {
        return InfoState::deleted;
    }
    return state.empty() ? std::nullopt : std::optional(InfoState::full);
}

std::optional<std::uint32_t> version_of(XmlElement element) {
    return read_number<std::uint32_t>(element.attribute("version"));
}

/// The texts of `uri` in each `entry`.
void add_uris(XmlElement list, std::size_t most, std::vector<std::string>& out) {
    for (XmlElement each = list.first(); each && out.size() < most; each = each.next()) {
        std::string uri = each.name() == "entry" ? each.child("uri").text() : std::string();
        if (!uri.empty()) {
            out.push_back(std::move(uri));
        }
    }
}

void read_roles(XmlElement roles, ConferenceUser& out) {
    out.has_roles = true;
    for (XmlElement each = roles.first(); each && out.roles.size() < max_of_user; each = each.next()) {
        std::string role = each.name() == "entry" ? each.text() : std::string();
        if (!role.empty()) {
            out.roles.push_back(std::move(role));
        }
    }
}

ConferenceEndpoint read_endpoint(XmlElement element) {
    ConferenceEndpoint endpoint;
    endpoint.entity = element.attribute("entity");
    endpoint.state = state_of(element).value_or(InfoState::full);
    std::string referred_by;
    for (XmlElement each = element.first(); each; each = each.next()) {
        const std::string_view name = each.name();
        if (name == "status") {
            endpoint.status = each.text();
        } else if (name == "joining-method") {
            endpoint.joining = each.text();
        } else if (name == "disconnection-method") {
            endpoint.disconnection = each.text();
        } else if (name == "joining-info") {
            endpoint.joined_by = each.child("by").text();
        } else if (name == "disconnection-info") {
            endpoint.disconnected_by = each.child("by").text();
        } else if (name == "referred") {
            referred_by = each.child("by").text();
        }
    }
    if (endpoint.joined_by.empty()) {
        endpoint.joined_by = std::move(referred_by);
    }
    return endpoint;
}

ConferenceUser read_user(XmlElement element) {
    ConferenceUser user;
    user.entity = element.attribute("entity");
    user.state = state_of(element).value_or(InfoState::full);
    for (XmlElement each = element.first(); each; each = each.next()) {
        const std::string_view name = each.name();
        if (name == "display-text") {
            user.display_text = each.text();
        } else if (name == "associated-aors") {
            add_uris(each, max_of_user, user.aors);
        } else if (name == "roles") {
            read_roles(each, user);
        } else if (name == "nickname") {
            user.nickname = each.text();
        } else if (name == "endpoint" && user.endpoints.size() < max_of_user) {
            user.endpoints.push_back(read_endpoint(each));
        }
    }
    if (user.entity.empty() && !user.aors.empty()) {
        user.entity = user.aors.front();
    }
    return user;
}

void read_users(XmlElement element, ConferenceInfo& out) {
    out.has_users = true;
    out.users_state = state_of(element);
    for (XmlElement each = element.first(); each && out.users.size() < max_conference_users; each = each.next()) {
        if (each.name() != "user") {
            continue;
        }
        ConferenceUser user = read_user(each);
        if (!user.entity.empty()) {
            out.users.push_back(std::move(user));
        }
    }
}

void read_description(XmlElement element, ConferenceInfo& out) {
    for (XmlElement each = element.first(); each; each = each.next()) {
        if (each.name() == "subject") {
            out.subject = each.text();
        } else if (each.name() == "display-text") {
            out.display_text = each.text();
        } else if (each.name() == "conf-uris") {
            add_uris(each, max_uris, out.uris);
        }
    }
}

}  // namespace

std::optional<ConferenceInfo> read_conference_info(std::string_view xml) {
    BoundedXml document;
    if (!document.read(xml, max_document) || document.root().name() != "conference-info") {
        return std::nullopt;
    }
    const XmlElement root = document.root();
    ConferenceInfo info;
    info.entity = root.attribute("entity");
    info.state = state_of(root).value_or(InfoState::full);
    info.version = version_of(root);
    for (XmlElement each = root.first(); each; each = each.next()) {
        if (each.name() == "conference-description") {
            read_description(each, info);
        } else if (each.name() == "conference-state") {
            if (const std::string active = each.child("active").text(); !active.empty()) {
                info.active = same_name(active, "true") || active == "1";
            }
        } else if (each.name() == "users") {
            read_users(each, info);
        }
    }
    return info;
}

}  // namespace lihandover::ims
