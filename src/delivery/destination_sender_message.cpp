#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "destination_sender.hpp"
#include "dispatcher.hpp"
#include "lihandover/handover/writer.hpp"
#include "lihandover/hi1/writer.hpp"

// How an sender makes a message out of what waits.

namespace lihandover::delivery {

namespace {

/// Of the messages, but not oftener than so: a validation takes as long as ten messages.
constexpr std::uint64_t sample_one_in = 100;
constexpr std::chrono::milliseconds sample_interval{100};

}  // namespace

Lane* DestinationSender::next_lane(const Ticket& ticket) {
    if (ticket.probe) {
        const auto pause = health_.pause_number();
        auto* lane = scheduler_.take_preferring([pause](const Lane& one) { return one.blamed != pause; });
        return lane != nullptr ? lane : scheduler_.take_resting();
    }
    if (!suspects_.empty()) {
        return scheduler_.take_preferring([](const Lane& one) { return one.doubts == 0; });
    }
    return scheduler_.take();
}

void DestinationSender::fill(Worker& worker, const Ticket& ticket) {
    worker.batch.clear();
    worker.objects.clear();
    const bool lone = ticket.probe || !suspects_.empty();
    const std::size_t most = lone ? 1 : std::max(target_->destination.options.max_actions_per_message, 1U);
    auto* lane = next_lane(ticket);
    while (lane != nullptr) {
        const bool alone = lone || lane->alone > 0;
        const auto before = worker.batch.size();
        const auto taken = take_items(worker, *lane, alone ? 1 : most - before);
        if (taken == Taken::waits) {
            scheduler_.park(*lane);
        } else if (worker.batch.size() == before) {
            release(*lane, false, 0);
        }
        if (taken == Taken::message_full || worker.batch.size() >= most || (alone && !worker.batch.empty())) {
            break;
        }
        const auto* next = scheduler_.peek();
        if (next == nullptr || (next->alone > 0 && !worker.batch.empty())) {
            break;
        }
        lane = scheduler_.take();
    }
    if (!worker.batch.empty()) {
        worker.message += hi1::message_tail;
    }
}

DestinationSender::Taken DestinationSender::take_items(Worker& worker, Lane& lane, std::size_t most) {
    auto& loader = dispatcher_.loader();
    store::StoredItem item;
    std::size_t count = 0;
    while (count < most && !lane.rows.empty()) {
        const auto row = lane.rows.front().row();
        if (!loader.has(row) && !load(lane)) {
            return Taken::message_full;
        }
        if (!loader.take(row, item)) {  // gone from the store: an operator's decision that we have not heard of yet
            scheduler_.pop(lane);
            continue;
        }
        if ((item.preparing || item.objects) && !dispatcher_.stamps().ready(item)) {
            return count > 0 ? Taken::something : Taken::waits;
        }
        switch (append_item(worker, lane, item)) {
            case Taken::something:
                ++count;
                break;
            case Taken::nothing:
            case Taken::waits:
                break;
            case Taken::message_full:
                loader.put_back(std::move(item));
                return Taken::message_full;
        }
    }
    return count > 0 ? Taken::something : Taken::nothing;
}

bool DestinationSender::load(Lane& lane) {
    auto& loader = dispatcher_.loader();
    const auto most = loader.ahead();
    const std::size_t per_lane = std::max(target_->destination.options.max_actions_per_message, 1U);
    std::array<store::RowId, ItemLoader::max_ahead> rows{};
    std::size_t count = 0;
    const auto ask = [&](const Lane& of, std::size_t from, std::size_t to) {
        for (auto i = from; i < std::min(to, of.rows.size()) && count < most; ++i) {
            if (const auto row = of.rows[i].row(); !loader.has(row)) {
                rows[count++] = row;
            }
        }
    };
    ask(lane, 0, per_lane);
    std::size_t seen = 0;
    scheduler_.for_each_ready([&](const Lane& next) {
        ask(next, 0, per_lane);
        return count < most && ++seen < ItemLoader::max_ahead;
    });
    ask(lane, per_lane, lane.rows.size());
    const auto status = loader.fill(std::span(rows).first(count));
    if (!status) {
        dispatcher_.read_failed(name_, status.error());
        return false;
    }
    return true;
}

DestinationSender::Taken DestinationSender::append_item(Worker& worker, Lane& lane, store::StoredItem& item) {
    const auto* profile = dispatcher_.loader().profile(item.profile);
    std::string problem;
    if (profile == nullptr) {
        problem = "the item's profile is unknown";
    } else if (!profile->problem.empty()) {
        problem = profile->problem;
    } else if (!worker.batch.empty() && !same_header(*worker.profile, *profile->profile)) {
        return Taken::message_full;
    } else if (auto decoded = model::decode_share(item.share, dispatcher_.share()); !decoded) {
        problem = std::move(decoded).error().message;
    } else {
        if (worker.batch.empty()) {
            worker.profile = profile->profile;
            worker.message.clear();
            worker.head_size = 0;
            write_head(worker);
        }
        const auto before = worker.message.size();
        hi1::append_action_head(worker.message, worker.batch.size());
        const model::ItemIdentity identity{item.object_id, dispatcher_.liid(lane), item.correlation,
                                           item.carries_schema};
        std::vector<model::BinaryObject> objects;
        if (item.objects) {
            std::ranges::transform(*item.objects, std::back_inserter(objects), &store::StoredObject::described);
        }
        if (auto written =
                handover::append_deliver(worker.message, dispatcher_.share(), identity, *profile->profile, objects);
            !written) {
            problem = std::move(written).error().message;
            worker.message.resize(before);
        } else {
            worker.message += hi1::action_tail;
            if (!worker.batch.empty() &&
                worker.message.size() + hi1::message_tail.size() > target_->destination.options.max_message_size) {
                worker.message.resize(before);
                return Taken::message_full;
            }
        }
    }
    const auto waiting = scheduler_.pop(lane);
    if (!problem.empty()) {
        metrics_.documents_invalid.add();
        spdlog::error("document cannot be written destination={} object={} problem=\"{}\"", name_,
                      item.object_id.to_string(), problem);
        dispatcher_.refuse(lane, item.row, waiting.emergency(),
                           {0, store::Refusal::Kind::invalid_document, std::move(problem)});
        left(lane);
        return Taken::nothing;
    }
    worker.batch.push_back({&lane, item.row, waiting.emergency(), item.carries_schema, false, item.profile,
                            item.received_at, item.objects && !item.objects->empty()});
    worker.objects.push_back(item.object_id);
    return Taken::something;
}

void DestinationSender::write_head(Worker& worker) {
    worker.transaction = model::Uuid::random();
    worker.head.clear();
    handover::append_message_head(worker.head, *worker.profile, worker.transaction, dispatcher_.clock().wall());
    worker.message.replace(0, worker.head_size, worker.head);
    worker.head_size = worker.head.size();
}

bool DestinationSender::sample_is_due() {
    if (++sample_counter_ < sample_one_in) {
        return false;
    }
    const auto now = dispatcher_.clock().steady();
    if (last_sample_ && now - *last_sample_ < sample_interval) {
        return false;
    }
    sample_counter_ = 0;
    last_sample_ = now;
    return true;
}

bool DestinationSender::wants_validation(Worker& worker) {
    if (dispatcher_.validation() == config::SchemaValidation::off || !dispatcher_.validator()) {
        return false;
    }
    bool wanted = dispatcher_.validation() == config::SchemaValidation::all || sample_is_due();
    for (const auto& item : worker.batch) {
        wanted = wanted || !item.lane->sampled || item.lane->alone > 0 || !sampled_profiles_.contains(item.profile);
    }
    if (wanted) {
        for (const auto& item : worker.batch) {
            item.lane->sampled = true;
            sampled_profiles_.insert(item.profile);
        }
    }
    return wanted;
}

}  // namespace lihandover::delivery
