#include "warrant_list.hpp"

#include <algorithm>

namespace lihandover::admin {

namespace {

WarrantKey key_of_one(const warrants::InForce* in_force) {
    return std::tie(in_force->warrant->destination, in_force->warrant->liid);
}

WarrantKey key_of_one(const store::StoredRevocation* revocation) {
    return std::tie(revocation->destination, revocation->liid);
}

WarrantKey key_of_one(const PendingWarrant* pending) {
    return std::tie(pending->kept.destination, pending->kept.liid);
}

}  // namespace

WarrantKey key_of(const WarrantRow& row) {
    return std::visit([](const auto* what) { return key_of_one(what); }, row);
}

const PendingWarrant* WarrantLists::find_pending(const WarrantKey& key) const {
    if (pending == nullptr) {
        return nullptr;
    }
    const auto found = std::ranges::lower_bound(*pending, key, {}, [](const auto& one) { return key_of_one(&one); });
    return found != pending->end() && key_of_one(&*found) == key ? &*found : nullptr;
}

std::pair<std::vector<WarrantRow>, bool> page_of(const WarrantLists& lists, std::size_t limit,
                                                 const WarrantKey& after) {
    std::vector<WarrantRow> page;
    const auto add = [&](const auto& all, const auto& wanted) {
        if (all != nullptr) {
            for (const auto& one : *all) {
                if (key_of_one(&one) > after && wanted(one)) {
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
                      [](const WarrantRow& left, const WarrantRow& right) { return key_of(left) < key_of(right); });
    const bool more = page.size() > size;
    page.resize(size);
    return {std::move(page), more};
}

}  // namespace lihandover::admin
