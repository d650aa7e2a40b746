#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/register.hpp"

namespace lihandover::delivery {

/// A profile as messages need it.
struct LoadedProfile {
    std::shared_ptr<const model::Profile> profile;
    /// Why no document can be made with it; empty if one can.
    std::string problem;
};

/// Reads items when their turn is near: several at a time, since a call into the store costs as much as several rows.
/// Keeps what was read ahead until it is taken, within bounds that all destinations share: what has been kept longest
/// goes first, and is read again when its turn comes. On one thread.
class ItemLoader {
  public:
    static constexpr std::size_t max_ahead = 64;                          ///< items per read
    static constexpr std::size_t ahead_bytes = std::size_t{2} << 20;      ///< of shares per read, by the average seen
    static constexpr std::size_t max_kept = 4096;                         ///< items read and not taken
    static constexpr std::size_t max_kept_bytes = std::size_t{16} << 20;  ///< of their shares

    ItemLoader(store::Outbox& outbox, const store::Register& profiles, std::size_t most_kept = max_kept);

    [[nodiscard]] bool has(store::RowId row) const { return kept_.contains(row); }
    /// How many rows to ask for in one fill().
    [[nodiscard]] std::size_t ahead() const;
    enum class Filled : std::uint8_t {
        there,
        gone,     ///< from the store
        not_now,  ///< it cannot be read at present, while others can
    };
    /// Reads them, and says of the first, the one needed, what came of it: the others will be there or not. If reading
    /// all of them fails, it is tried alone.
    [[nodiscard]] model::Result<Filled> fill(std::span<const store::RowId> rows);
    /// An item that the store passed on.
    void offer(store::StoredItem&& item);
    /// False if it is not there.
    bool take(store::RowId row, store::StoredItem& out);
    /// For an item that could not go yet.
    void put_back(store::StoredItem&& item);
    void forget(store::RowId row);

    /// nullptr when the store does not know it.
    [[nodiscard]] const LoadedProfile* profile(store::ProfileId id);

  private:
    struct Kept {
        store::StoredItem item;
        std::uint64_t number = 0;  ///< of `order_`
    };

    void keep(store::StoredItem&& item);
    void make_room(std::size_t bytes);

    store::Outbox& outbox_;
    const store::Register& register_;
    std::size_t most_kept_;
    std::unordered_map<store::RowId, Kept> kept_;
    /// As they came, by number; also those that were taken meanwhile.
    std::deque<std::pair<std::uint64_t, store::RowId>> order_;
    std::uint64_t next_number_ = 1;
    std::size_t kept_bytes_ = 0;
    std::size_t average_ = 1024;
    std::unordered_map<store::ProfileId, LoadedProfile> profiles_;
};

/// Whether items of both may share a message: everything in the header is the same.
[[nodiscard]] bool same_header(const model::Profile& a, const model::Profile& b);

}  // namespace lihandover::delivery
