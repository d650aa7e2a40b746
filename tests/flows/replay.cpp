#include "replay.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace lihandover::flows {
namespace {

class MemorySpool : public ims::Spool {
  public:
    model::Status append(std::string_view bytes) override {
        bytes_ += bytes;
        return {};
    }
    model::Status read(std::uint64_t at, std::span<char> out) override {
        std::memcpy(out.data(), bytes_.data() + at, out.size());
        return {};
    }
    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

  private:
    std::string bytes_;
};

ims::Copy::Kind kind_of(x2x3_send::Kind kind) {
    switch (kind) {
        case x2x3_send::Kind::sip:
            return ims::Copy::Kind::sip;
        case x2x3_send::Kind::msrp:
            return ims::Copy::Kind::msrp;
        default:
            return ims::Copy::Kind::mime;
    }
}

void add_attribute(ims::Copy& copy, const x2x3_send::Attribute& attribute) {
    constexpr std::uint16_t matched_target = 17;
    constexpr std::uint16_t mime_type = 19;
    constexpr std::uint16_t mime_transfer_encoding = 20;
    if (attribute.type == matched_target) {
        copy.matched.push_back(attribute.value);
    } else if (attribute.type == mime_type) {
        copy.mime_type = attribute.value;
    } else if (attribute.type == mime_transfer_encoding) {
        copy.mime_transfer_encoding = attribute.value;
    }
}

}  // namespace

model::Result<std::unique_ptr<ims::Spool>> MemorySpools::make() {
    return std::make_unique<MemorySpool>();
}

Replay::Replay(ims::TrackerOptions options) : options_(std::move(options)) {
    options_.service = "ims";
    tracker_ = std::make_unique<ims::Tracker>(options_, spools_);
}

void Replay::take(const x2x3_send::Message& message) {
    advance(std::max(now_, message.at));
    constexpr std::int64_t begin = 1'795'000'000;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(message.at);
    for (const auto& xid : message.xids) {
        const auto owned = std::make_shared<Owned>();
        owned->attributes = message.attributes;
        owned->payload = message.bytes;
        ims::Copy& copy = owned->copy;
        copy.xid = xid;
        copy.correlation = message.correlation.value_or(0);
        copy.kind = kind_of(message.kind);
        copy.direction = static_cast<ims::Direction>(message.direction);
        copy.at = model::Instant{begin + seconds.count(), static_cast<std::int32_t>((message.at - seconds).count())};
        copy.received_at = *copy.at;
        copy.payload = owned->payload;
        for (const auto& attribute : owned->attributes) {
            add_attribute(copy, attribute);
        }
        take(std::shared_ptr<const Owned>(owned));
    }
}

void Replay::take(const std::shared_ptr<const Owned>& owned) {
    ims::Made made;
    if (!tracker_->take(owned->copy, steady(), made)) {
        throw std::runtime_error("a spool in memory failed");
    }
    malformed_ += made.outcome == ims::Made::Outcome::malformed ? 1 : 0;
    if (made.kept_by != 0) {
        kept_.push_back({made.kept_by, owned});
    }
    for (const auto& part : made.kept_parts) {
        const auto piece = std::make_shared<Owned>(*owned);
        piece->payload = owned->payload.substr(part.first, part.size);
        piece->copy.payload = piece->payload;
        piece->copy.matched.clear();
        for (const auto& attribute : piece->attributes) {
            add_attribute(piece->copy, attribute);
        }
        kept_.push_back({part.owner, piece});
    }
    use(made);
}

void Replay::use(ims::Made& made) {
    for (const std::uint64_t owner : made.let_go) {
        std::erase_if(kept_, [owner](const Kept& each) { return each.owner == owner; });
    }
    for (auto& event : made.events) {
        if (ids_.emplace(event.xid, event.event.event_id).second) {
            auto& events = events_[event.xid];
            events.push_back(std::move(event));
        }
    }
}

void Replay::advance(std::chrono::nanoseconds to) {
    for (auto due = tracker_->due(); due && *due <= begin_ + to; due = tracker_->due()) {
        now_ = std::max(now_, std::chrono::nanoseconds(*due - begin_));
        ims::Made made;
        if (!tracker_->expire(steady(), made)) {
            throw std::runtime_error("a spool in memory failed");
        }
        use(made);
        if (due == tracker_->due()) {
            throw std::runtime_error("what was due stays due");
        }
    }
    now_ = to;
}

void Replay::finish(std::chrono::hours after) {
    advance(now_ + after);
}

void Replay::restart() {
    tracker_ = std::make_unique<ims::Tracker>(options_, spools_);
    for (const auto& each : std::exchange(kept_, {})) {
        take(each.owned);
    }
}

}  // namespace lihandover::flows
