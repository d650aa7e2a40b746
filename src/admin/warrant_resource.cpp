#include "warrant_resource.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "lihandover/base/background.hpp"
#include "lihandover/base/hex.hpp"
#include "lihandover/warrants/terms.hpp"
#include "query.hpp"
#include "warrant_list.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

/// What waits for approval: what it would change, and who has said what.
void write_pending(JsonWriter& json, const PendingWarrant& pending) {
    json.key("waiting").open_object().text("file", pending.kept.file).time("since", pending.kept.since);
    json.text("digest", base::to_hex(pending.kept.digest));
    json.time("valid_from", pending.warrant->valid_from).key("difference").open_array();
    for (const std::string& line : warrants::difference_of(pending.before.get(), *pending.warrant)) {
        json.text(line);
    }
    json.close_array().key("approved_by").open_array();
    for (const store::StoredApproval& approval : pending.kept.approvals) {
        json.text(approval.who);
    }
    json.close_array().boolean("refused", pending.kept.refused);
    if (pending.kept.refused) {
        json.text("who", pending.kept.who).text("why", pending.kept.why);
    }
    json.close_object();
}

/// New, and not approved yet.
void write_new(JsonWriter& json, const PendingWarrant& pending) {
    json.open_object()
        .text("destination", pending.kept.destination)
        .text("liid", pending.kept.liid)
        .text("state", "pending")
        .time("valid_from", pending.warrant->valid_from)
        .time("valid_until", pending.warrant->valid_until)
        .text("file", pending.kept.file);
    write_pending(json, pending);
    json.close_object();
}

void write_warrant(JsonWriter& json, const warrants::InForce& in_force, const PendingWarrant* pending,
                   model::Instant now) {
    const auto& warrant = *in_force.warrant;
    json.open_object()
        .text("destination", warrant.destination)
        .text("liid", warrant.liid)
        .text("state", word_of(warrants::state_names, warrants::state_at(warrant, now)))
        .time("valid_from", warrant.valid_from)
        .time("valid_until", warrant.valid_until)
        .text("priority", warrant.priority == warrants::Priority::emergency ? "emergency" : "routine")
        .text("review", word_of(warrants::review_names, warrant.review))
        .number("targets", warrant.targets.size())
        .number("xids", warrant.xids.size());
    json.key("deliver").open_array();
    if (warrant.deliver.metadata) {
        json.text("metadata");
    }
    if (warrant.deliver.content) {
        json.text("content");
    }
    if (warrant.deliver.binary) {
        json.text("binary");
    }
    if (warrant.deliver.location) {
        json.text("location");
    }
    json.close_array().key("services").open_array();
    for (const auto& service : warrant.services) {
        json.text(service);
    }
    json.close_array()
        .boolean("test", warrant.test)
        .text("reference", warrant.reference)
        .text("file", in_force.file)
        .boolean("stale", in_force.stale)
        .boolean("missing", in_force.missing);
    if (pending != nullptr) {
        write_pending(json, *pending);
    }
    json.close_object();
}

void write_revocation(JsonWriter& json, const store::StoredRevocation& revocation) {
    json.open_object()
        .text("destination", revocation.destination)
        .text("liid", revocation.liid)
        .text("state", "revoked")
        .time("valid_from", revocation.valid_from)
        .text("file", revocation.file)
        .time("revoked_at", revocation.at)
        .text("who", revocation.who)
        .text("why", revocation.why)
        .close_object();
}

/// One page of warrants, of what was revoked and what waits for approval, by destination and LIID.
void write_warrants(std::string& out, const WarrantLists& lists, const WarrantSet* set, std::size_t limit,
                    const WarrantKey& after, model::Instant now) {
    const auto [page, more] = page_of(lists, limit, after);
    JsonWriter json(out);
    json.open_object().key("warrants").open_array();
    for (const WarrantRow& row : page) {
        if (const auto* const in_force = std::get_if<const warrants::InForce*>(&row)) {
            write_warrant(json, **in_force, lists.find_pending(key_of(row)), now);
        } else if (const auto* const pending = std::get_if<const PendingWarrant*>(&row)) {
            write_new(json, **pending);
        } else {
            write_revocation(json, *std::get<const store::StoredRevocation*>(row));
        }
    }
    json.close_array().key("next");
    if (more) {
        const WarrantKey last = key_of(page.back());
        json.text(std::get<0>(last) + "/" + std::get<1>(last));
    } else {
        json.null();
    }
    if (set != nullptr) {
        json.key("set").open_object().number("version", set->version);
        if (set->version != 0) {
            json.time("applied_at", set->at).text("who", set->who);
        }
        json.close_object();
    }
    json.close_object();
    out += '\n';
}

}  // namespace

boost::asio::awaitable<Answer> WarrantResource::list(std::string_view query) const {
    const auto pairs = parse_query(query);
    if (!pairs) {
        co_return refuse(400, "the query cannot be read");
    }
    std::size_t limit = 100;
    std::string destination;
    std::string liid;
    for (const auto& [name, value] : *pairs) {
        if (name == "limit") {
            const auto number = parse_limit(value, max_page);
            if (!number) {
                co_return refuse(400, "limit: 1 to 1000");
            }
            limit = *number;
        } else if (name == "after") {
            // Names of destinations contain no slash, LIIDs may.
            const auto slash = value.find('/');
            if (slash == std::string::npos) {
                co_return refuse(400, "after: what an earlier answer gave as next");
            }
            destination = value.substr(0, slash);
            liid = value.substr(slash + 1);
        } else {
            co_return refuse(400, "an unknown parameter; known are limit and after");
        }
    }
    auto write = [lists = WarrantLists{control_.warrants(), control_.revocations(), control_.pending_warrants()},
                  set = control_.warrant_set(), limit, destination, liid, now = clock_.wall()] {
        Answer result;
        write_warrants(result.body, lists, set.get(), limit, std::tie(destination, liid), now);
        return result;
    };
    co_return co_await base::run_on(worker_, std::move(write));
}

}  // namespace lihandover::admin
