#include "content_resource.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

#include "lihandover/base/background.hpp"
#include "lihandover/handover/writer.hpp"
#include "lihandover/hi1/writer.hpp"
#include "order.hpp"

namespace lihandover::admin {

namespace {

void wipe_text(std::string& text) {
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

Viewer viewer_of(const http::Peer& peer, const Order& order, const std::string& reviewers) {
    Viewer viewer{refusal_for(peer, reviewers), name_of_peer(peer, order.operator_name)};
    if (!viewer.refusal.empty()) {
        spdlog::warn("control: content was refused to a user who may not look at it uid={}",
                     peer.process ? std::to_string(peer.process->uid) : "unknown");
    }
    return viewer;
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

model::Status read_part(store::ObjectReader& reader, const ObjectPart& part, ObjectLook& look) {
    look.size = reader.size();
    const bool small = look.size <= part.most;
    // At once, so that no copy stays behind where it grows.
    look.bytes.reserve(small ? static_cast<std::size_t>(look.size) : part.first);
    for (const bool rest : {false, true}) {
        const std::size_t begin = look.bytes.size();
        if (rest && (!small || begin == look.size || !part.wants_all(look.bytes))) {
            break;
        }
        look.bytes.resize(static_cast<std::size_t>(rest ? look.size : std::min<std::uint64_t>(look.size, part.first)));
        const auto read = reader.read(begin, std::span(look.bytes).subspan(begin));
        if (!read) {
            return read.error();
        }
        if (begin + *read != look.bytes.size()) {
            return model::Error{"the object is shorter than it should be"};
        }
    }
    return {};
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
    auto viewer = [&peer = exchange.peer(), &order, reviewers = parts_.control.reviewers()] {
        return viewer_of(peer, order, reviewers);
    };
    const bool text = order.form == "text";
    Look look = co_await this->look(order.ids.front(), text ? Form::fields : Form::document, std::move(viewer));
    if (look.status != 200) {
        co_return refuse(look.status, look.sentence);
    }
    std::string content = text ? content_text(look.content) : std::move(look.document);
    Answer answer;
    JsonWriter(answer.body)
        .open_object()
        .text("id", order.ids.front().to_string())
        .text("state", store::name_of(look.view.state))
        .text("form", text ? "text" : "document")
        .text("content", content)
        .close_object();
    answer.body += '\n';
    answer.content = true;
    wipe_text(content);
    wipe(look.content);
    co_return answer;
}

/// Says what of it was seen, before it is.
template <typename Prepared>
boost::asio::awaitable<bool> ContentResource::record(Prepared& prepared, const model::Uuid& id,
                                                     std::string what) const {
    auto start = [this, &prepared, &id, &what](store::DoneCount done) {
        parts_.items.shown(prepared.row, id, prepared.who, std::move(what), std::move(done));
    };
    const auto [outcome, count] = co_await base::await_callback<store::Outcome, std::size_t>(std::move(start));
    if (outcome == store::Outcome::committed && count == 1) {
        co_return true;
    }
    const bool failed = outcome != store::Outcome::committed;
    prepared.status = failed ? 503 : 409;
    prepared.sentence =
        failed ? "the store cannot commit now, and content is shown only on record" : "the item went its way meanwhile";
    co_return false;
}

boost::asio::awaitable<Look> ContentResource::look(model::Uuid id, Form form, std::function<Viewer()> viewer) const {
    auto look = [this, &id, form, &viewer] { return prepare(id, form, viewer); };
    Look prepared = co_await base::run_on(worker_, std::move(look));
    const char* const what = form == Form::document ? "the document" : "the fields";
    if (prepared.status == 200 && !co_await record(prepared, id, what)) {
        wipe(prepared.content);
        wipe_text(prepared.document);
    }
    co_return prepared;
}

boost::asio::awaitable<ObjectLook> ContentResource::look_at_object(model::Uuid id, model::Uuid object, ObjectPart part,
                                                                   std::function<Viewer()> viewer) const {
    auto look = [this, &id, &object, &part, &viewer] { return prepare(id, object, part, viewer); };
    ObjectLook prepared = co_await base::run_on(worker_, std::move(look));
    if (prepared.status == 200 && !co_await record(prepared, id, "binary object " + object.to_string())) {
        wipe_text(prepared.bytes);
    }
    co_return prepared;
}

Look ContentResource::prepare(const model::Uuid& id, Form form, const std::function<Viewer()>& viewer) const {
    Look look;
    Viewer who = viewer();
    if (!who.refusal.empty()) {
        look.status = 403;
        look.sentence = std::move(who.refusal);
        return look;
    }
    auto view = parts_.items.find(id);
    if (!view || !*view) {
        look.status = view ? 404 : 500;
        look.sentence = view ? "no such item" : view.error().message;
        return look;
    }
    auto item = parts_.items.content(id);
    if (!item || !*item) {
        look.status = item ? 409 : 500;
        look.sentence = item ? "it has no content any more, or is a binary object" : item.error().message;
        return look;
    }
    look.view = std::move(**view);
    look.row = (*item)->row;
    look.who = std::move(who.who);
    write(look, **item, form);
    wipe_text((*item)->share);
    return look;
}

void ContentResource::write(Look& look, store::StoredItem& item, Form form) const {
    const model::Instant now = parts_.clock.wall();
    const auto profile = parts_.profiles.find_profile(item.profile);
    model::Share share;
    if (!profile || !model::decode_share(item.share, share)) {
        look.status = 500;
        look.sentence = "the item cannot be read";
        return;
    }
    const auto objects = objects_of(item, now);
    if (item.objects) {
        look.objects = *item.objects;
    }
    if (form == Form::fields) {
        look.content = content_fields(share, objects);
        return;
    }
    const model::ItemIdentity identity{item.object_id, look.view.liid, item.correlation, item.carries_schema};
    if (const model::Status written = append_document(look.document, share, identity, *profile, objects, now);
        !written) {
        look.status = 500;
        look.sentence = written.error().message;
    }
}

ObjectLook ContentResource::prepare(const model::Uuid& id, const model::Uuid& object, const ObjectPart& part,
                                    const std::function<Viewer()>& viewer) const {
    ObjectLook look;
    const auto refuse_with = [&look](unsigned status, std::string sentence) {
        look.status = status;
        look.sentence = std::move(sentence);
        return look;
    };
    Viewer who = viewer();
    if (!who.refusal.empty()) {
        return refuse_with(403, std::move(who.refusal));
    }
    auto item = parts_.items.content(id);
    if (!item) {
        return refuse_with(500, item.error().message);
    }
    if (!*item || !(*item)->objects) {
        return refuse_with(404, "no waiting item has such a binary object");
    }
    wipe_text((*item)->share);
    const auto found = std::ranges::find_if(
        *(*item)->objects, [&object](const store::StoredObject& one) { return one.described.id == object; });
    if (found == (*item)->objects->end()) {
        return refuse_with(404, "no waiting item has such a binary object");
    }
    if (!found->sealed) {
        return refuse_with(409, "its bytes are not there: they are still being copied, or were lost");
    }
    const auto reader = parts_.objects.open(*found->sealed);
    if (!reader) {
        return refuse_with(500, reader.error().message);
    }
    if (const auto read = read_part(**reader, part, look); !read) {
        wipe_text(look.bytes);
        return refuse_with(500, read.error().message);
    }
    look.row = (*item)->row;
    look.who = std::move(who.who);
    return look;
}

}  // namespace lihandover::admin
