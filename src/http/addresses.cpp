#include "addresses.hpp"

#include <algorithm>
#include <utility>

namespace lihandover::http {
namespace {

/// The family of the first, then the other, and so on, each family in the order given.
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

std::vector<Endpoint> AddressOrder::sorted(const std::vector<Endpoint>& addresses, Time now) {
    std::erase_if(failures_, [&](const auto& failure) {
        return now - failure.second >= memory || std::ranges::find(addresses, failure.first) == addresses.end();
    });
    std::vector<Endpoint> good;
    std::vector<std::pair<Time, Endpoint>> bad;
    for (const auto& address : addresses) {
        if (const auto failure = failures_.find(address); failure != failures_.end()) {
            bad.emplace_back(failure->second, address);
        } else {
            good.push_back(address);
        }
    }
    std::vector<Endpoint> result = by_turns(good);
    std::ranges::stable_sort(bad, {}, &std::pair<Time, Endpoint>::first);
    for (auto& [failed_at, address] : bad) {
        result.push_back(std::move(address));
    }
    return result;
}

}  // namespace lihandover::http
