#include "warrant_resource.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "lihandover/base/background.hpp"
#include "lihandover/base/hex.hpp"
#include "lihandover/warrants/terms.hpp"
#include "query.hpp"
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

using WarrantKey = std::tuple<const std::string&, const std::string&>;
using Row = std::variant<const warrants::InForce*, const store::StoredRevocation*, const PendingWarrant*>;

WarrantKey key_of(const warrants::InForce* in_force) {
    return std::tie(in_force->warrant->destination, in_force->warrant->liid);
}

WarrantKey key_of(const store::StoredRevocation* revocation) {
    return std::tie(revocation->destination, revocation->liid);
}

WarrantKey key_of(const PendingWarrant* pending) {
    return std::tie(pending->kept.destination, pending->kept.liid);
}

WarrantKey key_of(const Row& row) {
    return std::visit([](const auto* what) { return key_of(what); }, row);
}

/// What there is to list; any of it may be missing.
struct Lists {
    std::shared_ptr<const WarrantList> in_force;
    std::shared_ptr<const RevocationList> revoked;
    std::shared_ptr<const PendingList> pending;

    [[nodiscard]] const PendingWarrant* find_pending(const WarrantKey& key) const {
        if (pending == nullptr) {
            return nullptr;
        }
        const auto found = std::ranges::lower_bound(*pending, key, {}, [](const auto& one) { return key_of(&one); });
        return found != pending->end() && key_of(&*found) == key ? &*found : nullptr;
    }
};

/// One page of warrants, of what was revoked and what waits for approval, by destination and LIID.
void write_warrants(std::string& out, const Lists& lists, std::size_t limit, const WarrantKey& after,
                    model::Instant now) {
    std::vector<Row> page;
    const auto add = [&](const auto& all, const auto& wanted) {
        if (all != nullptr) {
            for (const auto& one : *all) {
                if (key_of(&one) > after && wanted(one)) {
                    page.emplace_back(&one);
                }
            }
        }
    };
    const auto any = [](const auto& /*one*/) { return true; };
    add(lists.in_force, any);
    add(lists.revoked, any);
    // What is to replace one in force is listed with that.
    add(lists.pending, [](const PendingWarrant& one) { return one.before == nullptr; });
    const auto size = std::min(limit, page.size());
    std::partial_sort(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(size), page.end(),
                      [](const Row& left, const Row& right) { return key_of(left) < key_of(right); });
    const bool more = page.size() > size;
    page.resize(size);
    JsonWriter json(out);
    json.open_object().key("warrants").open_array();
    for (const Row& row : page) {
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
    auto write = [lists = Lists{control_.warrants(), control_.revocations(), control_.pending_warrants()}, limit,
                  destination, liid, now = clock_.wall()] {
        Answer result;
        write_warrants(result.body, lists, limit, std::tie(destination, liid), now);
        return result;
    };
    co_return co_await base::run_on(worker_, std::move(write));
}

}  // namespace lihandover::admin
