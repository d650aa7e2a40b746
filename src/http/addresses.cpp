#include "addresses.hpp"

#include <algorithm>
#include <utility>

namespace lihandover::http {
namespace {

/// Alternates between the first address's family and the other, keeping the given order within each.
std::vector<Endpoint> by_turns(const std::vector<Endpoint>& addresses) {
    std::vector<Endpoint> first;
    std::vector<Endpoint> second;
    for (const auto& address : addresses) {
        const bool same = address.protocol().family() == addresses.front().protocol().family();
        (same ? first : second).push_back(address);
    }
    std::vector<Endpoint> result;
    result.reserve(addresses.size());
    for (std::size_t index = 0; index < std::max(first.size(), second.size()); ++index) {
        if (index < first.size()) {
            result.push_back(first[index]);
        }
        if (index < second.size()) {
            result.push_back(second[index]);
        }
    }
    return result;
}

}  // namespace

bool AddressOrder::all_failed(const std::vector<Endpoint>& addresses) const {
    return !addresses.empty() &&
           std::ranges::all_of(addresses, [&](const auto& address) { return failures_.contains(address); });
}

void AddressOrder::overtaken(const Endpoint& address, Time now) {
    auto& one = overtaken_[address];
    ++one.times;
    one.last = now;
}

std::vector<Endpoint> AddressOrder::sorted(const std::vector<Endpoint>& addresses, Time now) {
    const auto is_old = [&](const Endpoint& address, Time since) {
        return now - since >= memory || std::ranges::find(addresses, address) == addresses.end();
    };
    std::erase_if(failures_, [&](const auto& failure) { return is_old(failure.first, failure.second); });
    std::erase_if(overtaken_, [&](const auto& one) { return is_old(one.first, one.second.last); });
    std::vector<Endpoint> good;
    using Since = std::pair<Time, Endpoint>;
    std::vector<Since> slow;
    std::vector<Since> bad;
    for (const auto& address : addresses) {
        const auto overtaken = overtaken_.find(address);
        if (const auto failure = failures_.find(address); failure != failures_.end()) {
            bad.emplace_back(failure->second, address);
        } else if (overtaken != overtaken_.end() && overtaken->second.times >= times_to_be_slow) {
            slow.emplace_back(overtaken->second.last, address);
        } else {
            good.push_back(address);
        }
    }
    std::vector<Endpoint> result = by_turns(good);
    for (auto* later : {&slow, &bad}) {
        std::ranges::stable_sort(*later, {}, &Since::first);
        for (auto& [since, address] : *later) {
            result.push_back(std::move(address));
        }
    }
    return result;
}

}  // namespace lihandover::http
