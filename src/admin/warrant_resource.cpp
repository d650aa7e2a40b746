#include "warrant_resource.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "lihandover/base/background.hpp"
#include "query.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

void write_warrant(JsonWriter& json, const warrants::InForce& in_force, model::Instant now) {
    const auto& warrant = *in_force.warrant;
    json.open_object()
        .text("destination", warrant.destination)
        .text("liid", warrant.liid)
        .text("state", word_of(warrants::state_names, warrants::state_at(warrant, now)))
        .time("valid_from", warrant.valid_from)
        .time("valid_until", warrant.valid_until)
        .text("priority", warrant.priority == warrants::Priority::emergency ? "emergency" : "routine")
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
        .text("reference", warrant.reference)
        .text("file", in_force.file)
        .boolean("stale", in_force.stale)
        .boolean("missing", in_force.missing)
        .close_object();
}

using WarrantKey = std::tuple<const std::string&, const std::string&>;

WarrantKey key_of(const warrants::InForce& in_force) {
    return std::tie(in_force.warrant->destination, in_force.warrant->liid);
}

/// One page of warrants, by destination and LIID.
void write_warrants(std::string& out, const WarrantList* list, std::size_t limit, const WarrantKey& after,
                    model::Instant now) {
    std::vector<const warrants::InForce*> page;
    if (list != nullptr) {
        for (const auto& in_force : *list) {
            if (key_of(in_force) > after) {
                page.push_back(&in_force);
            }
        }
    }
    const auto size = std::min(limit, page.size());
    std::partial_sort(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(size), page.end(),
                      [](const auto* left, const auto* right) { return key_of(*left) < key_of(*right); });
    const bool more = page.size() > size;
    page.resize(size);
    JsonWriter json(out);
    json.open_object().key("warrants").open_array();
    for (const auto* in_force : page) {
        write_warrant(json, *in_force, now);
    }
    json.close_array().key("next");
    if (more) {
        json.text(page.back()->warrant->destination + "/" + page.back()->warrant->liid);
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
    auto write = [list = control_.warrants(), limit, destination, liid, now = clock_.wall()] {
        Answer result;
        write_warrants(result.body, list.get(), limit, std::tie(destination, liid), now);
        return result;
    };
    co_return co_await base::run_on(worker_, std::move(write));
}

}  // namespace lihandover::admin
