#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "console/page.hpp"
#include "content_resource.hpp"
#include "health_endpoint.hpp"
#include "item_decisions.hpp"
#include "item_list.hpp"
#include "lihandover/admin/admin.hpp"
#include "overview.hpp"
#include "warrant_list.hpp"

namespace lihandover::admin {

// What each page says. Nothing here reads or decides anything.

struct Overview {
    Readiness readiness{};
    const Status& status;
    const store::Statistics& statistics;
    const std::map<std::string_view, Told>& destinations;
    const std::vector<std::string>& alarms;
    model::Instant now;
};
[[nodiscard]] Page overview_page(const View& view, const Overview& overview);

[[nodiscard]] Page items_page(const View& view, const ItemsWanted& wanted, const ItemList& list);

/// One entry of the audit record.
struct Happened {
    model::Instant at;
    std::string_view kind;
    std::string who;
    std::string why;
    std::optional<store::Refusal> refusal;
};
struct History {
    std::vector<Happened> entries;
    bool goes_on = false;  ///< it does not begin with the item
    std::string next;      ///< where there may be more: not all of the record was looked through
    std::string problem;   ///< why there is none
};
[[nodiscard]] Page item_page(const View& view, const store::ItemView& item, const History& history);

/// Bytes of content on one page.
inline constexpr std::size_t max_text = std::size_t{512} << 10U;
[[nodiscard]] Page content_page(const View& view, const Look& look);
/// An image of a kind that browsers are old hands at, as itself; of anything else the first bytes in hexadecimal.
[[nodiscard]] Page object_page(const View& view, const model::Uuid& item, const model::Uuid& object, ObjectLook look);
/// `image/png`, `image/jpeg`, `image/gif` or `image/webp` as the first bytes say it; empty for anything else.
[[nodiscard]] std::string_view image_type_of(std::string_view bytes);
/// Of a larger object only its beginning is shown.
inline constexpr std::size_t max_image = std::size_t{16} << 20U;
inline constexpr std::size_t max_hex = 4096;

[[nodiscard]] Page warrants_page(const View& view, const WarrantLists& lists, const std::vector<WarrantRow>& rows,
                                 bool more, model::Instant now);
/// Asks whether to revoke a warrant.
///   in_force  what it says; null where none of that key is in force
[[nodiscard]] Page revoke_page(const View& view, const WarrantKey& key, const warrants::InForce* in_force,
                               model::Instant now);

[[nodiscard]] Page decision_page(const View& view, ItemDecisions::Kind kind, const Decision& decision,
                                 const Link& back);

}  // namespace lihandover::admin
