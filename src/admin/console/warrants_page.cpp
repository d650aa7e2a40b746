#include "console/pages.hpp"
#include "lihandover/warrants/warrant.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

constexpr std::int64_t day = 86'400;

std::string days_of(const warrants::Warrant& warrant, model::Instant now) {
    switch (warrants::state_at(warrant, now)) {
        case warrants::State::pending:
            return "begins in " +
                   counted(static_cast<std::uint64_t>((warrant.valid_from.seconds - now.seconds) / day), "day");
        case warrants::State::active:
            return counted(static_cast<std::uint64_t>((warrant.valid_until.seconds - now.seconds) / day), "day") +
                   " left";
        case warrants::State::expired:
            return "expired";
    }
    return {};
}

std::string delivered_by(const model::Deliver& deliver) {
    std::string text;
    const auto add = [&text](bool ordered, std::string_view what) {
        if (ordered) {
            text.append(text.empty() ? "" : ", ").append(what);
        }
    };
    add(deliver.metadata, "metadata");
    add(deliver.content, "content");
    add(deliver.binary, "binary");
    add(deliver.location, "location");
    return text;
}

void write_window(Html& html, const warrants::Warrant& warrant, std::string_view left) {
    html.open("td");
    write_time(html, warrant.valid_from);
    html.close().open("td");
    write_time(html, warrant.valid_until);
    html.close().element("td", left);
    html.open("td");
    if (warrant.priority == warrants::Priority::emergency) {
        html.element("strong", "emergency", {{"class", "emergency"}});
    } else {
        html.words("routine");
    }
    html.close().element("td", word_of(warrants::review_names, warrant.review));
    html.element("td", delivered_by(warrant.deliver));
}

void write_in_force(Html& html, const warrants::InForce& in_force, const PendingWarrant* pending, model::Instant now) {
    const warrants::Warrant& warrant = *in_force.warrant;
    html.element("td", word_of(warrants::state_names, warrants::state_at(warrant, now)));
    write_window(html, warrant, days_of(warrant, now));
    html.open("td").foreign(warrant.reference);
    html.words(warrant.test ? " test intercept" : "").words(in_force.stale ? " its file is bad" : "");
    html.words(in_force.missing ? " its file is gone" : "")
        .words(pending != nullptr ? " a change waits for approval" : "");
    html.close();
}

void write_waiting(Html& html, const PendingWarrant& pending) {
    html.element("td", pending.kept.refused ? "refused approval" : "waits for approval");
    write_window(html, *pending.warrant, "–");
    html.open("td").foreign(pending.warrant->reference);
    for (const store::StoredApproval& approval : pending.kept.approvals) {
        html.words(" approved by ").foreign(approval.who);
    }
    if (pending.kept.refused) {
        html.words(" refused by ").foreign(pending.kept.who).words(": ").foreign(pending.kept.why);
    }
    html.close();
}

void write_revoked(Html& html, const store::StoredRevocation& revocation) {
    html.element("td", "revoked").open("td");
    write_time(html, revocation.valid_from);
    html.close().open("td");
    write_time(html, revocation.at);
    html.close();
    for (int column = 0; column < 4; ++column) {
        html.element("td", "–");
    }
    html.open("td").words("by ").foreign(revocation.who).words(": ").foreign(revocation.why).close();
}

void write_row(Html& html, const View& view, const WarrantLists& lists, const WarrantRow& row, model::Instant now) {
    const WarrantKey key = key_of(row);
    html.open("tr").open("th", {{"scope", "row"}}).foreign(std::get<1>(key)).close();
    html.open("td").foreign(std::get<0>(key)).close();
    const auto* const in_force = std::get_if<const warrants::InForce*>(&row);
    if (in_force != nullptr) {
        write_in_force(html, **in_force, lists.find_pending(key), now);
    } else if (const auto* const pending = std::get_if<const PendingWarrant*>(&row)) {
        write_waiting(html, **pending);
    } else {
        write_revoked(html, *std::get<const store::StoredRevocation*>(row));
    }
    if (view.person.operate) {
        html.open("td");
        if (in_force != nullptr) {
            html.element(
                "a", "Revoke …",
                {{"href",
                  Link("/warrants/revoke").with("destination", std::get<0>(key)).with("liid", std::get<1>(key))},
                 {"aria-label", "Revoke " + made_visible(std::get<1>(key)) + " for " + std::get<0>(key)}});
        }
        html.close();
    }
    html.close();
}

/// What somebody should see before he ends it.
void write_terms(Html& html, const warrants::InForce& in_force, model::Instant now) {
    const warrants::Warrant& warrant = *in_force.warrant;
    html.open("dl").element("dt", "From").open("dd");
    write_time(html, warrant.valid_from);
    html.close().element("dt", "Until").open("dd");
    write_time(html, warrant.valid_until);
    html.close();
    write_fact(html, "Left", days_of(warrant, now));
    write_fact(html, "Priority", warrant.priority == warrants::Priority::emergency ? "emergency" : "routine");
    write_fact(html, "Review", word_of(warrants::review_names, warrant.review));
    write_fact(html, "Delivers", delivered_by(warrant.deliver));
    if (!warrant.reference.empty()) {
        write_fact(html, "Reference", warrant.reference);
    }
    if (warrant.test) {
        write_fact(html, "Test", "a test intercept");
    }
    html.close();
}

}  // namespace

Page warrants_page(const View& view, const WarrantLists& lists, const std::vector<WarrantRow>& rows, bool more,
                   model::Instant now) {
    Html html = begin_page(view, "Warrants", "/warrants");
    html.open("div", {{"class", "wide"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Table of warrants"}});
    html.open("table").element("caption", "Warrants, by destination and LIID").open("thead").open("tr");
    for (const std::string_view head :
         {"LIID", "Destination", "State", "From", "Until", "Left", "Priority", "Review", "Delivers", "Remarks"}) {
        html.element("th", head, {{"scope", "col"}});
    }
    if (view.person.operate) {
        html.element("th", "End", {{"scope", "col"}});
    }
    html.close().close().open("tbody");
    for (const WarrantRow& row : rows) {
        write_row(html, view, lists, row, now);
    }
    html.close().close().close();
    html.open("nav", {{"aria-label", "Pages of warrants"}}).open("p");
    html.words(counted(rows.size(), "warrant") + " on this page. ");
    if (more) {
        const WarrantKey last = key_of(rows.back());
        html.element(
            "a", "Next page",
            {{"href", Link("/warrants").with("after", std::get<0>(last) + "/" + std::get<1>(last))}, {"rel", "next"}});
    }
    html.close().close();
    return end_page(html);
}

Page revoke_page(const View& view, const WarrantKey& key, const warrants::InForce* in_force, model::Instant now) {
    const auto& [destination, liid] = key;
    Html html = begin_page(view, "Revoke a warrant", "/warrants");
    html.open("p").words("The warrant ").foreign(liid).words(" for ").foreign(destination);
    html.words(" ends at once, and its file can no longer bring it back. This cannot be undone.");
    html.close();
    if (in_force != nullptr) {
        write_terms(html, *in_force, now);
    } else {
        html.element("p", "No such warrant is in force.", {{"class", "wrong"}, {"role", "status"}});
    }
    open_form(html, view, Link("/warrants/revoke"));
    html.lone("input", {{"type", "hidden"}, {"name", "destination"}, {"value", destination}});
    html.lone("input", {{"type", "hidden"}, {"name", "liid"}, {"value", liid}});
    html.open("p").element("label", "Reason", {{"for", "reason"}});
    html.lone("input",
              {{"id", "reason"}, {"name", "reason"}, {"maxlength", "1000"}, {"required", ""}, {"autocomplete", "off"}});
    html.close();
    html.open("p").element("label", "What is queued", {{"for", "queued"}});
    html.open("select", {{"id", "queued"}, {"name", "queued"}});
    html.element("option", "still goes out", {{"value", "deliver"}});
    html.element("option", "is held, until people decide", {{"value", "hold"}}).close().close();
    html.element("button", "Revoke", {{"type", "submit"}, {"class", "grave"}}).close();
    html.open("p").element("a", "Back to the warrants", {{"href", Link("/warrants")}}).close();
    return end_page(html);
}

}  // namespace lihandover::admin
