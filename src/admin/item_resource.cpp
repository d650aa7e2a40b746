#include "item_resource.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "item_list.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/hi1/error_codes.hpp"
#include "query.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

/// How far people have come with a held item.
void write_review(JsonWriter& json, const store::HeldFor& held) {
    json.key("review")
        .open_object()
        .number("needed", held.review == store::Review::dual ? 2 : 1)
        .text("first", held.first_who.empty() ? ""
                       : held.first_rejects   ? "rejected"
                                              : "approved");
    if (!held.first_who.empty()) {
        json.text("who", held.first_who);
    }
    if (!held.first_why.empty()) {
        json.text("why", held.first_why);
    }
    if (held.withheld) {
        json.boolean("withheld", true);
    }
    json.close_object();
}

void write_item_fields(JsonWriter& json, const store::ItemView& item) {
    json.open_object()
        .text("id", item.object_id.to_string())
        .text("liid", item.liid)
        .text("destination", item.destination)
        .text("state", store::name_of(item.state))
        .number("row", static_cast<std::uint64_t>(item.row))
        .time("received_at", item.received_at)
        .time("changed_at", item.changed_at);
    if (item.object_of) {
        json.text("object_of", item.object_of->to_string());
    }
    if (item.state != store::ItemState::delivered && item.state != store::ItemState::rejected) {
        json.boolean("emergency", item.emergency);
    }
    if (item.held) {
        write_review(json, *item.held);
    }
    if (item.correlation) {
        json.number("application_level_id", item.correlation->level_id)
            .number("application_sequence_number", item.correlation->sequence_number);
    }
    if (item.refusal) {
        // Of an item that the LEA had already, it is no refusal.
        json.key(item.state == store::ItemState::delivered ? "answer" : "refusal")
            .open_object()
            .text("kind", store::name_of(item.refusal->kind))
            .number("code", item.refusal->code)
            .text("words", item.refusal->words);
        if (item.refusal->kind == store::Refusal::Kind::hi1_error) {
            json.text("meaning", hi1::meaning_of(item.refusal->code));
        }
        json.close_object();
    }
    if (!item.who.empty()) {
        json.text("who", item.who);
    }
    if (!item.why.empty()) {
        json.text("why", item.why);
    }
    json.close_object();
}

}  // namespace

struct ItemResource::Page : ItemsWanted {
    std::optional<model::Uuid> after_id;
};

boost::asio::awaitable<Answer> ItemResource::list(std::string_view query) const {
    const auto pairs = parse_query(query);
    if (!pairs) {
        co_return refuse(400, "the query cannot be read");
    }
    Page page;
    for (const auto& [name, value] : *pairs) {
        if (name == "limit") {
            const auto number = parse_limit(value, max_page);
            if (!number) {
                co_return refuse(400, "limit: 1 to 1000");
            }
            page.limit = *number;
        } else if (name == "state") {
            page.state = parse_state(value);
            if (!page.state) {
                co_return refuse(400, "state: held, queued, set_aside, refused, delivered or rejected");
            }
        } else if (name == "destination") {
            page.destination = value;
        } else if (name == "since" || name == "until") {
            const auto time = model::parse_rfc3339(value);
            if (!time) {
                co_return refuse(400, "since, until: a time as 2026-03-01T00:00:00Z");
            }
            (name == "since" ? page.since : page.until) = time->instant;
        } else if (name == "after") {
            page.after_id = model::Uuid::parse(value);
            if (!page.after_id) {
                const auto place = parse_place(value);
                if (!place) {
                    co_return refuse(400, "after: an ObjectIdentifier, or what an earlier answer gave as next");
                }
                page.after = *place;
            }
        } else {
            co_return refuse(400, "an unknown parameter; known are state, destination, since, until, limit and after");
        }
    }
    auto write = [this, page] { return write_items(page); };
    co_return co_await base::run_on(worker_, std::move(write));
}

/// Where a list goes on behind an item that was in it; nullopt where nobody can say: an item that is approved gets
/// another place.
model::Result<std::optional<store::ListPlace>> ItemResource::place_after(const Page& page,
                                                                         const store::ItemView& item) const {
    const bool ended = item.state == store::ItemState::delivered || item.state == store::ItemState::rejected;
    if (page.state == store::ItemState::held && item.state != store::ItemState::held) {
        return std::optional<store::ListPlace>();
    }
    store::ListPlace place = item.place();
    if (ended && page.state != item.state) {
        // Its record does not know whether it was an emergency. While others wait behind it, rather some come again
        // than that those are left out.
        const auto next = items_.items(page.state, {false, place.row}, 1);
        if (!next) {
            return next.error();
        }
        place.routine = next->empty() || !next->front().emergency;
    }
    return std::optional(place);
}

Answer ItemResource::write_items(const Page& page) const {
    ItemsWanted wanted = page;
    if (page.after_id) {
        const auto found = items_.find(*page.after_id);
        if (!found) {
            return refuse(500, found.error().message);
        }
        if (!*found) {
            return refuse(404, "after: no such item");
        }
        const auto place = place_after(page, **found);
        if (!place) {
            return refuse(500, place.error().message);
        }
        if (!*place) {
            return refuse(409, "after: the item is held no longer; begin anew, or go on with an answer's next");
        }
        wanted.after = **place;
    }
    const auto list = list_items(items_, wanted);
    if (!list) {
        return refuse(500, list.error().message);
    }
    Answer result;
    JsonWriter json(result.body);
    json.open_object().key("items").open_array();
    for (const store::ItemView& item : list->items) {
        write_item_fields(json, item);
    }
    json.close_array().key("next");
    if (list->next) {
        json.text(text_of(*list->next));
    } else {
        json.null();
    }
    json.close_object();
    result.body += '\n';
    return result;
}

boost::asio::awaitable<Answer> ItemResource::show(std::string_view id) const {
    const auto uuid = model::Uuid::parse(id);
    if (!uuid) {
        co_return refuse(400, "an item is named by its ObjectIdentifier, a UUID");
    }
    auto write = [this, wanted = *uuid] { return write_item(wanted); };
    co_return co_await base::run_on(worker_, std::move(write));
}

Answer ItemResource::write_item(const model::Uuid& id) const {
    const auto found = items_.find(id);
    if (!found) {
        return refuse(500, found.error().message);
    }
    if (!*found) {
        return refuse(404, "no such item: neither waiting nor on record here");
    }
    Answer result;
    JsonWriter json(result.body);
    write_item_fields(json, **found);
    result.body += '\n';
    return result;
}

}  // namespace lihandover::admin
