#include "content_resource.hpp"

#include <spdlog/spdlog.h>

#include <cstring>
#include <vector>

#include "content_text.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/handover/writer.hpp"
#include "lihandover/hi1/writer.hpp"
#include "lihandover/store/objects.hpp"

namespace lihandover::admin {

namespace {

void wipe(std::string& text) {
    explicit_bzero(text.data(), text.size());
    text.clear();
}

/// What is wrong with an order to show content; empty if nothing is.
std::string_view fault_of(const Order& order) {
    if (order.ids.size() != 1) {
        return "ids: one ObjectIdentifier is needed";
    }
    if (!order.form.empty() && order.form != "document" && order.form != "text") {
        return "form: document or text";
    }
    if (!order.destination.empty() || !order.liid.empty() || !order.digest.empty() || order.code ||
        !order.reason.empty() || order.confirm_ended || !order.head.empty()) {
        return "content takes ids, form and operator only";
    }
    return {};
}

/// Why a user may not see content; empty if he may. Asks the system for the group, which may block.
std::string refusal_for(const http::Peer& peer, const std::string& reviewers) {
    if (reviewers.empty()) {
        return "nobody may look at content: admin.reviewers is not configured";
    }
    const auto group = http::group_id(reviewers);
    if (!group) {
        return "nobody may look at content: there is no group " + reviewers;
    }
    if (!peer.process || !peer.process->is_in(*group)) {
        return "only members of " + reviewers + " may look at content (admin.reviewers)";
    }
    return {};
}

/// As the document has them. An expiry is set at the first attempt: here it is the one that an attempt now would set.
std::vector<model::BinaryObject> objects_of(const store::StoredItem& item, model::Instant now) {
    std::vector<model::BinaryObject> objects;
    if (item.objects) {
        for (const store::StoredObject& object : *item.objects) {
            objects.push_back(object.described);
            if (!objects.back().expiry) {
                objects.back().expiry = {now.seconds + object.lifetime.count(), now.nanos};
            }
        }
    }
    return objects;
}

model::Status append_document(std::string& out, const model::Share& share, const model::ItemIdentity& identity,
                              const model::Profile& profile, std::span<const model::BinaryObject> objects,
                              model::Instant now) {
    if (const model::Status good = handover::check_profile(profile); !good) {
        return good;
    }
    handover::append_message_head(out, profile, model::Uuid::random(), now);
    hi1::append_action_head(out, 0);
    if (const model::Status written = handover::append_deliver(out, share, identity, profile, objects); !written) {
        return written;
    }
    out += hi1::action_tail;
    out += hi1::message_tail;
    return {};
}

}  // namespace

boost::asio::awaitable<Answer> ContentResource::show(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (const std::string_view fault = fault_of(order); !fault.empty()) {
        co_return refuse(400, fault);
    }
    auto look = [this, &order, &peer = exchange.peer(), reviewers = parts_.control.reviewers()] {
        return prepare(order, peer, reviewers);
    };
    Prepared prepared = co_await base::run_on(worker_, std::move(look));
    if (prepared.answer.status != 200) {
        co_return std::move(prepared.answer);
    }
    auto record = [this, &order, &prepared](store::DoneCount done) {
        parts_.items.shown(prepared.row, order.ids.front(), prepared.who, std::move(done));
    };
    const auto [outcome, count] = co_await base::await_callback<store::Outcome, std::size_t>(std::move(record));
    if (outcome == store::Outcome::committed && count == 1) {
        co_return std::move(prepared.answer);
    }
    wipe(prepared.answer.body);
    if (outcome != store::Outcome::committed) {
        co_return refuse(503, "the store cannot commit now, and content is shown only on record");
    }
    co_return refuse(409, "the item went its way meanwhile");
}

ContentResource::Prepared ContentResource::prepare(const Order& order, const http::Peer& peer,
                                                   const std::string& reviewers) const {
    if (const std::string refusal = refusal_for(peer, reviewers); !refusal.empty()) {
        spdlog::warn("control: content was refused to a user who may not look at it uid={}",
                     peer.process ? std::to_string(peer.process->uid) : "unknown");
        return {refuse(403, refusal), 0, {}};
    }
    const model::Uuid& id = order.ids.front();
    const auto view = parts_.items.find(id);
    if (!view) {
        return {refuse(500, view.error().message), 0, {}};
    }
    if (!*view) {
        return {refuse(404, "no such item"), 0, {}};
    }
    auto item = parts_.items.content(id);
    if (!item) {
        return {refuse(500, item.error().message), 0, {}};
    }
    if (!*item) {
        return {refuse(409, "it has no content any more, or is a binary object"), 0, {}};
    }
    Prepared prepared = write(**view, **item, order.form);
    prepared.who = name_of_peer(peer, order.operator_name);
    wipe((*item)->share);
    return prepared;
}

ContentResource::Prepared ContentResource::write(const store::ItemView& view, const store::StoredItem& item,
                                                 std::string_view form) const {
    Prepared prepared;
    prepared.row = item.row;
    const model::Instant now = parts_.clock.wall();
    const auto profile = parts_.profiles.find_profile(item.profile);
    model::Share share;
    if (!profile || !model::decode_share(item.share, share)) {
        prepared.answer = refuse(500, "the item cannot be read");
        return prepared;
    }
    const auto objects = objects_of(item, now);
    std::string content;
    if (form == "text") {
        content = content_text(share, objects);
    } else {
        const model::ItemIdentity identity{item.object_id, view.liid, item.correlation, item.carries_schema};
        if (const model::Status written = append_document(content, share, identity, *profile, objects, now); !written) {
            prepared.answer = refuse(500, written.error().message);
            return prepared;
        }
    }
    JsonWriter(prepared.answer.body)
        .open_object()
        .text("id", item.object_id.to_string())
        .text("state", store::name_of(view.state))
        .text("form", form == "text" ? "text" : "document")
        .text("content", content)
        .close_object();
    prepared.answer.body += '\n';
    wipe(content);
    return prepared;
}

}  // namespace lihandover::admin
