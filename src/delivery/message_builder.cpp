#include "message_builder.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "lihandover/handover/writer.hpp"
#include "lihandover/hi1/writer.hpp"
#include "lihandover/store/objects.hpp"

namespace lihandover::delivery {

namespace {

/// Releases buffers that one huge message enlarged.
constexpr std::size_t kept_buffer = std::size_t{1} << 20;

}  // namespace

void MessageBuilder::clear() {
    explicit_bzero(message_.data(), message_.size());
    message_.clear();
    if (message_.capacity() > kept_buffer) {
        message_ = {};
    }
    head_size_ = 0;
    profile_.reset();
    objects_.clear();
}

MessageBuilder::Added MessageBuilder::add(const store::StoredItem& item, std::string_view liid,
                                          const LoadedProfile* profile, std::size_t max_size, model::Instant now) {
    if (profile == nullptr || !profile->problem.empty()) {
        problem_ = profile == nullptr ? "the item's profile is unknown" : profile->problem;
        return Added::impossible;
    }
    if (!objects_.empty() && !same_header(*profile_, *profile->profile)) {
        return Added::full;
    }
    if (auto decoded = model::decode_share(item.share, share_); !decoded) {
        problem_ = std::move(decoded).error().message;
        return Added::impossible;
    }
    if (objects_.empty()) {
        profile_ = profile->profile;
        renew_head(now);
    }
    const auto before = message_.size();
    if (!write_action(item, liid, *profile->profile)) {
        message_.resize(before);
        return Added::impossible;
    }
    if (!objects_.empty() && message_.size() + hi1::message_tail.size() > max_size) {
        message_.resize(before);
        return Added::full;
    }
    objects_.push_back(item.object_id);
    return Added::added;
}

bool MessageBuilder::write_action(const store::StoredItem& item, std::string_view liid, const model::Profile& profile) {
    hi1::append_action_head(message_, objects_.size());
    binaries_.clear();
    if (item.objects) {
        std::ranges::transform(*item.objects, std::back_inserter(binaries_), &store::StoredObject::described);
    }
    const model::ItemIdentity identity{item.object_id, liid, item.correlation, item.carries_schema};
    if (auto written = handover::append_deliver(message_, share_, identity, profile, binaries_); !written) {
        problem_ = std::move(written).error().message;
        return false;
    }
    message_ += hi1::action_tail;
    return true;
}

void MessageBuilder::finish() {
    message_ += hi1::message_tail;
}

void MessageBuilder::renew_head(model::Instant now) {
    transaction_ = model::Uuid::random();
    head_.clear();
    handover::append_message_head(head_, *profile_, transaction_, now);
    message_.replace(0, head_size_, head_);
    head_size_ = head_.size();
}

}  // namespace lihandover::delivery
