#include "backlog_resource.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include "lihandover/base/background.hpp"
#include "query.hpp"
#include "words.hpp"

namespace lihandover::admin {

boost::asio::awaitable<Answer> BacklogResource::list(std::string_view query) const {
    const auto pairs = parse_query(query);
    if (!pairs) {
        co_return refuse(400, "the query cannot be read");
    }
    delivery::BacklogRequest request;
    request.limit = 20;
    for (const auto& [name, value] : *pairs) {
        if (name == "limit") {
            const auto number = parse_limit(value, max_page);
            if (!number) {
                co_return refuse(400, "limit: 1 to 1000");
            }
            request.limit = *number;
        } else if (name == "by") {
            if (value != "items" && value != "age") {
                co_return refuse(400, "by: items or age");
            }
            request.order = value == "age" ? delivery::BacklogOrder::age : delivery::BacklogOrder::items;
        } else {
            co_return refuse(400, "an unknown parameter; known are by and limit");
        }
    }
    auto start = [this, request](auto done) {
        parts_.control.backlog(request, [done](delivery::Backlog backlog) { done(std::move(backlog)); });
    };
    const auto backlog = co_await base::await_callback<delivery::Backlog>(std::move(start));
    auto work = [this, &backlog, order = request.order] { return write(backlog, order); };
    co_return co_await base::run_on(worker_, std::move(work));
}

Answer BacklogResource::write(const delivery::Backlog& backlog, delivery::BacklogOrder order) const {
    std::vector<store::RowId> rows;
    std::ranges::transform(backlog.lanes, std::back_inserter(rows), [](const auto& lane) { return lane.first.row; });
    // Of one that has gone meanwhile, or where the store cannot be read, nothing is known.
    auto received = parts_.items.received(rows);
    const auto times = received ? std::move(*received) : std::vector<std::optional<model::Instant>>(rows.size());
    Answer result;
    JsonWriter json(result.body);
    json.open_object()
        .time("now", parts_.clock.wall())
        .text("by", order == delivery::BacklogOrder::age ? "age" : "items")
        .number("liids_waiting", backlog.lanes_waiting);
    json.key("liids").open_array();
    for (std::size_t n = 0; n < backlog.lanes.size(); ++n) {
        const delivery::LaneBacklog& lane = backlog.lanes[n];
        json.open_object()
            .text("destination", lane.destination)
            .text("liid", lane.liid)
            .number("queued", lane.items)
            .number("emergencies", lane.emergencies)
            .text("state", delivery::lane_state_names.at(static_cast<std::size_t>(lane.state)))
            .time("oldest_received", times[n])
            .close_object();
    }
    json.close_array().close_object();
    result.body += '\n';
    return result;
}

}  // namespace lihandover::admin
