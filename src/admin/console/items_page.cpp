#include <algorithm>
#include <array>

#include "console/pages.hpp"

namespace lihandover::admin {

namespace {

constexpr std::array<std::string_view, 6> listed_states = {"held",   "set_aside", "refused",
                                                           "queued", "delivered", "rejected"};

std::string_view state_of(const ItemsWanted& wanted) {
    return wanted.state ? store::name_of(*wanted.state) : std::string_view("waiting");
}

std::string_view priority_of(const ItemsWanted& wanted) {
    return !wanted.emergency ? "" : *wanted.emergency ? "emergency" : "routine";
}

Link link_to(const ItemsWanted& wanted) {
    return Link("/items")
        .with("state", state_of(wanted))
        .with("destination", wanted.destination)
        .with("liid", wanted.liid)
        .with("priority", priority_of(wanted));
}

void write_option(Html& html, std::string_view value, std::string_view words, bool selected) {
    if (selected) {
        html.element("option", words, {{"value", value}, {"selected", ""}});
    } else {
        html.element("option", words, {{"value", value}});
    }
}

void write_filter(Html& html, const ItemsWanted& wanted) {
    html.open("form", {{"method", "get"}, {"action", Link("/items")}, {"class", "filter"}, {"role", "search"}});
    html.open("p").element("label", "State", {{"for", "state"}}).open("select", {{"id", "state"}, {"name", "state"}});
    for (const std::string_view state : listed_states) {
        write_option(html, state, words_of(state), state == state_of(wanted));
    }
    write_option(html, "waiting", "all that wait", !wanted.state);
    html.close().close();
    html.open("p").element("label", "Destination", {{"for", "destination"}});
    html.lone("input", {{"id", "destination"},
                        {"name", "destination"},
                        {"value", wanted.destination},
                        {"maxlength", "64"},
                        {"autocomplete", "off"}});
    html.close().open("p").element("label", "LIID", {{"for", "liid"}});
    html.lone("input",
              {{"id", "liid"}, {"name", "liid"}, {"value", wanted.liid}, {"maxlength", "50"}, {"autocomplete", "off"}});
    html.close().open("p").element("label", "Priority", {{"for", "priority"}});
    html.open("select", {{"id", "priority"}, {"name", "priority"}});
    write_option(html, "", "any", !wanted.emergency);
    write_option(html, "emergency", "emergency", wanted.emergency == true);
    write_option(html, "routine", "routine", wanted.emergency == false);
    html.close().close().open("p").element("button", "Show", {{"type", "submit"}}).close().close();
}

/// Who has said what, or what the LEA said.
void write_remarks(Html& html, const store::ItemView& item) {
    html.open("td");
    if (item.held) {
        const bool dual = item.held->review == store::Review::dual;
        if (item.held->first_who.empty()) {
            html.words(dual ? "two people have to decide" : "one person has to decide");
        } else {
            html.words(item.held->first_rejects ? "rejected by " : "approved by ").foreign(item.held->first_who);
            html.words("; another person has to decide");
        }
    } else if (item.refusal) {
        html.words(std::string(store::name_of(item.refusal->kind)) + " " + std::to_string(item.refusal->code) + " ");
        html.foreign(item.refusal->words);
    } else if (!item.why.empty()) {
        html.foreign(item.why);
    }
    html.close();
}

void write_row(Html& html, const store::ItemView& item, bool selectable) {
    const std::string id = item.object_id.to_string();
    html.open("tr");
    if (selectable) {
        html.open("td").lone("input",
                             {{"type", "checkbox"}, {"name", "id"}, {"value", id}, {"aria-label", "Select " + id}});
        html.close();
    }
    html.open("th", {{"scope", "row"}});
    html.element("a", id, {{"href", Link("/items").step(id)}, {"class", "id"}});
    if (item.object_of) {
        html.words(" (binary object)");
    }
    html.close();
    html.open("td");
    if (item.emergency) {
        html.element("strong", "emergency", {{"class", "emergency"}});
    } else {
        html.words(item.state == store::ItemState::delivered || item.state == store::ItemState::rejected ? "–"
                                                                                                         : "routine");
    }
    html.close().element("td", words_of(store::name_of(item.state)));
    html.open("td").foreign(item.liid).close();
    html.open("td").foreign(item.destination).close();
    html.open("td");
    write_time(html, item.received_at);
    html.close();
    write_remarks(html, item);
    html.close();
}

struct May {
    bool approve = false;
    bool reject = false;
    bool retry = false;

    [[nodiscard]] bool anything() const { return approve || reject || retry; }
};

May may_do(const Person& person, std::optional<store::ItemState> state) {
    const bool held = state == store::ItemState::held;
    const bool stuck = state == store::ItemState::refused || state == store::ItemState::set_aside;
    return {held && person.review, (held && person.review) || stuck, stuck && person.operate};
}

void write_orders(Html& html, const May& may) {
    html.open("fieldset", {{"class", "orders"}}).element("legend", "With what is selected");
    // First, since Enter in a field presses the first button of its form, and whoever writes a reason means to reject.
    if (may.reject) {
        html.open("p").element("label", "Reason, to reject", {{"for", "reason"}});
        html.lone("input", {{"id", "reason"}, {"name", "reason"}, {"maxlength", "1000"}, {"autocomplete", "off"}});
        html.element("button", "Reject",
                     {{"type", "submit"}, {"name", "action"}, {"value", "reject"}, {"class", "grave"}});
        html.close();
    }
    if (may.approve) {
        html.element("button", "Approve", {{"type", "submit"}, {"name", "action"}, {"value", "approve"}});
    }
    if (may.retry) {
        html.element("button", "Try again", {{"type", "submit"}, {"name", "action"}, {"value", "retry"}});
    }
    html.close();
}

void write_table(Html& html, const ItemsWanted& wanted, const ItemList& list, bool selectable) {
    html.open("div", {{"class", "wide"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Table of items"}});
    html.open("table").element("caption", "Items " + words_of(state_of(wanted)) + ", emergencies first");
    html.open("thead").open("tr");
    if (selectable) {
        html.open("td", {{"data-part", "select-all"}}).close();
    }
    for (const std::string_view head : {"Item", "Priority", "State", "LIID", "Destination", "Received", "Remarks"}) {
        html.element("th", head, {{"scope", "col"}});
    }
    html.close().close().open("tbody");
    for (const store::ItemView& item : list.items) {
        write_row(html, item, selectable);
    }
    html.close().close().close();
}

void write_paging(Html& html, const ItemsWanted& wanted, const ItemList& list) {
    html.open("nav", {{"aria-label", "Pages of items"}}).open("p");
    html.words(counted(list.items.size(), "item") + " on this page. ");
    if (wanted.after != store::ListPlace{}) {
        html.element("a", "To the first page", {{"href", link_to(wanted)}}).words(" ");
    }
    if (list.next) {
        html.element("a", list.items.size() < wanted.limit ? "Look further" : "Next page",
                     {{"href", link_to(wanted).with("after", text_of(*list.next))}, {"rel", "next"}});
    }
    html.close().close();
}

}  // namespace

Page items_page(const View& view, const ItemsWanted& wanted, const ItemList& list) {
    Html html = begin_page(view, "Items: " + words_of(state_of(wanted)), "/items");
    write_filter(html, wanted);
    if (list.items.empty()) {
        html.element("p", list.next ? "None among the first that were looked at." : "None.");
        write_paging(html, wanted, list);
        return end_page(html);
    }
    const May may = may_do(view.person, wanted.state);
    if (may.anything()) {
        open_form(html, view, Link("/decide"), "items");
        html.lone("input", {{"type", "hidden"}, {"name", "state"}, {"value", state_of(wanted)}});
        // For the way back.
        html.lone("input", {{"type", "hidden"}, {"name", "destination"}, {"value", wanted.destination}});
        html.lone("input", {{"type", "hidden"}, {"name", "liid"}, {"value", wanted.liid}});
        html.lone("input", {{"type", "hidden"}, {"name", "priority"}, {"value", priority_of(wanted)}});
        write_table(html, wanted, list, true);
        write_orders(html, may);
        html.close();
    } else {
        write_table(html, wanted, list, false);
    }
    write_paging(html, wanted, list);
    return end_page(html);
}

}  // namespace lihandover::admin
