#include "console/pages.hpp"
#include "lihandover/hi1/error_codes.hpp"

namespace lihandover::admin {

namespace {

void write_review(Html& html, const store::HeldFor& held) {
    write_fact(html, "Review",
               held.review == store::Review::dual ? "two people have to decide alike" : "one person has to decide");
    if (!held.first_who.empty()) {
        html.element("dt", "First word").open("dd").words(held.first_rejects ? "rejected by " : "approved by ");
        html.foreign(held.first_who);
        if (!held.first_why.empty()) {
            html.words(": ").foreign(held.first_why);
        }
        html.close();
    }
}

void write_refusal(Html& html, const store::Refusal& refusal, bool delivered) {
    html.element("dt", delivered ? "The LEA's answer" : "Why").open("dd");
    html.words(std::string(store::name_of(refusal.kind)) + " " + std::to_string(refusal.code));
    if (refusal.kind == store::Refusal::Kind::hi1_error) {
        html.words(" (" + std::string(hi1::meaning_of(refusal.code)) + ")");
    }
    if (!refusal.words.empty()) {
        html.words(": ").foreign(refusal.words);
    }
    html.close();
}

void write_facts(Html& html, const store::ItemView& item) {
    html.open("dl");
    write_fact(html, "State", store::name_of(item.state));
    if (item.emergency) {
        html.element("dt", "Priority").open("dd").element("strong", "emergency", {{"class", "emergency"}}).close();
    }
    write_fact(html, "LIID", item.liid);
    write_fact(html, "Destination", item.destination);
    if (item.object_of) {
        html.element("dt", "Binary object of").open("dd");
        html.element("a", item.object_of->to_string(), {{"href", Link("/items").step(item.object_of->to_string())}});
        html.close();
    }
    html.element("dt", "Received").open("dd");
    write_time(html, item.received_at);
    html.close().element("dt", "In this state since").open("dd");
    write_time(html, item.changed_at);
    html.close();
    if (item.correlation) {
        write_fact(html, "Correlation",
                   std::to_string(item.correlation->level_id) + ", message " +
                       std::to_string(item.correlation->sequence_number));
    }
    if (item.held) {
        write_review(html, *item.held);
    }
    if (item.refusal) {
        write_refusal(html, *item.refusal, item.state == store::ItemState::delivered);
    }
    if (!item.who.empty()) {
        write_fact(html, "Decided by", item.who);
    }
    if (!item.why.empty()) {
        write_fact(html, "Reason", item.why);
    }
    html.close();
}

void begin_decision(Html& html, const View& view, const std::string& id, store::ItemState state) {
    open_form(html, view, Link("/decide"));
    html.lone("input", {{"type", "hidden"}, {"name", "id"}, {"value", id}});
    html.lone("input", {{"type", "hidden"}, {"name", "state"}, {"value", store::name_of(state)}});
}

void write_orders(Html& html, const View& view, const store::ItemView& item) {
    const bool held = item.state == store::ItemState::held;
    const bool stuck = item.state == store::ItemState::refused || item.state == store::ItemState::set_aside;
    if ((!held && !stuck && item.state != store::ItemState::queued) || (held && !view.person.review)) {
        return;
    }
    const std::string id = item.object_id.to_string();
    html.open("section", {{"aria-label", "Decide"}}).element("h2", "Decide");
    if (held && view.person.review) {
        begin_decision(html, view, id, item.state);
        html.element("button", "Approve", {{"type", "submit"}, {"name", "action"}, {"value", "approve"}}).close();
    }
    if (stuck && view.person.operate) {
        begin_decision(html, view, id, item.state);
        html.element("button", "Try again", {{"type", "submit"}, {"name", "action"}, {"value", "retry"}}).close();
    }
    begin_decision(html, view, id, item.state);
    html.open("p").element("label", "Reason, to reject", {{"for", "reason"}});
    html.lone("input",
              {{"id", "reason"}, {"name", "reason"}, {"maxlength", "1000"}, {"required", ""}, {"autocomplete", "off"}});
    html.element("button", "Reject", {{"type", "submit"}, {"name", "action"}, {"value", "reject"}, {"class", "grave"}});
    html.close().close().close();
}

void write_look(Html& html, const View& view, const store::ItemView& item) {
    const bool ended = item.state == store::ItemState::delivered || item.state == store::ItemState::rejected;
    if (!view.person.review || ended || item.object_of) {
        return;
    }
    html.open("section", {{"aria-label", "Content"}}).element("h2", "Content");
    html.element("p", "Each look is an entry in the audit record, with your name.");
    open_form(html, view, Link("/items").step(item.object_id.to_string()).step("content"));
    html.element("button", "Show the content", {{"type", "submit"}, {"name", "form"}, {"value", "fields"}});
    html.element("button", "Show the document", {{"type", "submit"}, {"name", "form"}, {"value", "document"}});
    html.close().close();
}

void write_entry(Html& html, const Happened& entry) {
    html.open("tr").open("td");
    write_time(html, entry.at);
    html.close().element("td", entry.kind);
    html.open("td");
    if (entry.who.empty()) {
        html.words("the daemon");
    } else {
        html.foreign(entry.who);
    }
    html.close().open("td").foreign(entry.why);
    if (entry.refusal) {
        html.words(" " + std::string(store::name_of(entry.refusal->kind)) + " " + std::to_string(entry.refusal->code) +
                   " ");
        html.foreign(entry.refusal->words);
    }
    html.close().close();
}

void write_history(Html& html, const std::string& id, const History& history) {
    html.open("section", {{"aria-label", "History"}}).element("h2", "History");
    if (!history.problem.empty()) {
        html.open("p", {{"class", "wrong"}}).foreign(history.problem).close().close();
        return;
    }
    html.open("div",
              {{"class", "wide"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Table of the history"}});
    html.open("table").element("caption", history.goes_on ? "Later entries of the audit record about it, oldest first"
                                                          : "Entries of the audit record about it, oldest first");
    html.open("thead").open("tr");
    for (const std::string_view head : {"When", "What", "Who", "Why"}) {
        html.element("th", head, {{"scope", "col"}});
    }
    html.close().close().open("tbody");
    for (const Happened& entry : history.entries) {
        write_entry(html, entry);
    }
    html.close().close().close();
    html.open("p");
    if (history.goes_on) {
        html.element("a", "To the first entries", {{"href", Link("/items").step(id)}}).words(" ");
    }
    if (!history.next.empty()) {
        html.words("The record is long, and there may be more. ");
        html.element("a", "Look further", {{"href", Link("/items").step(id).with("after", history.next)}});
    }
    html.close().close();
}

}  // namespace

Page item_page(const View& view, const store::ItemView& item, const History& history) {
    const std::string id = item.object_id.to_string();
    Html html = begin_page(view, (item.object_of ? "Binary object " : "Item ") + id, "/items");
    write_facts(html, item);
    write_look(html, view, item);
    write_orders(html, view, item);
    write_history(html, id, history);
    return end_page(html);
}

Page decision_page(const View& view, ItemDecisions::Kind kind, const Decision& decision, const Link& back) {
    const bool rejects = kind == ItemDecisions::Kind::reject;
    const std::string_view done = kind == ItemDecisions::Kind::retry ? "in the queue again"
                                  : rejects                          ? "rejected"
                                                                     : "approved";
    const bool some = decision.counted && decision.decided.done + decision.decided.first != 0;
    Html html = begin_page(view, decision.status == 200 ? "Done" : some ? "Done in part" : "Not done", "");
    if (!decision.sentence.empty()) {
        html.open("p", {{"class", "wrong"}, {"role", "status"}}).foreign(decision.sentence).close();
    }
    if (decision.counted && decision.decided.done != 0) {
        html.element("p", counted(decision.decided.done, "item") + " " + std::string(done) + ".",
                     {{"class", "done"}, {"role", "status"}});
    }
    if (decision.counted && decision.decided.first != 0) {
        html.element("p",
                     counted(decision.decided.first, "item") + (rejects ? " rejected" : " approved") +
                         " by you first: another person has to say the same.",
                     {{"class", "done"}, {"role", "status"}});
    }
    if (!decision.wrong.empty()) {
        html.open("ul");
        for (const Decision::Wrong& wrong : decision.wrong) {
            html.open("li").element("code", wrong.id).words(" is " + words_of(wrong.state));
            if (!wrong.who.empty()) {
                html.words(", decided by ").foreign(wrong.who);
            }
            html.close();
        }
        html.close();
    }
    html.open("p").element("a", "Back to the items", {{"href", back}}).close();
    return end_page(html, decision.status);
}

}  // namespace lihandover::admin
