#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/store/types.hpp"
#include "order.hpp"

namespace lihandover::admin {

/// What came of a decision about items.
struct Decision {
    /// An item that the decision cannot be about.
    struct Wrong {
        std::string id;
        std::string_view state;  ///< `unknown` if there is none; `elsewhere`: queued, ended or unknown, which would
                                 ///< take long to find out
        std::string who = {};    // NOLINT(readability-redundant-member-init): who decided about it last, where known
    };

    unsigned status = 200;  ///< 400, 404 if an item is unknown, 409 if one is in another state, 500, 503
    // Initialisers, because GCC warns if a designated initialiser leaves one out.
    std::string sentence = {};      // NOLINT(readability-redundant-member-init): what is wrong; empty with 200
    std::vector<Wrong> wrong = {};  // NOLINT(readability-redundant-member-init): these were left as they are
    bool counted = false;           ///< `decided` is known
    store::Decided decided = {};    // NOLINT(readability-redundant-member-init)
};

/// An operator decides about items: retry, reject, approve. Where two people have to agree, the store knows who has
/// said what, and what an item has become meanwhile. On the server's thread; looks up the items on `worker`, for a
/// bounded time.
class ItemDecisions {
  public:
    enum class Kind : std::uint8_t { retry, reject, approve };
    /// Where some of the items can no longer be decided about: nothing is changed, as far as that can be known in
    /// advance, or the others are decided about, and the decision says who was there first.
    enum class Rest : std::uint8_t { stays, is_decided };

    ItemDecisions(const Parts& parts, boost::asio::any_io_executor worker)
        : parts_(parts), worker_(std::move(worker)) {}

    /// POST /v1/retry, /v1/reject and /v1/approve.
    [[nodiscard]] boost::asio::awaitable<Answer> decide(http::Exchange& exchange, Kind kind) const;
    ///   reviewer  called on the worker, since it may have to look the name up
    ///   shown     as what the items were seen: one that is something else by now is left as it is
    [[nodiscard]] boost::asio::awaitable<Decision> decide(Order order, Kind kind,
                                                          std::function<store::Reviewer()> reviewer,
                                                          std::optional<store::ItemState> shown = std::nullopt,
                                                          Rest rest = Rest::stays) const;

  private:
    /// What is known of the items before anything is changed.
    struct Checked {
        store::Reviewer reviewer;
        Decision decision;                  ///< not 200: nothing is to be changed
        std::vector<store::Meant> open;     ///< what can be decided about, as it was seen
        std::vector<Decision::Wrong> left;  ///< what cannot
        std::string why_left;
    };

    [[nodiscard]] boost::asio::awaitable<Decision> retry(Order order, std::string who) const;
    [[nodiscard]] boost::asio::awaitable<Decision> review(Order order, Kind kind, Checked checked) const;
    [[nodiscard]] boost::asio::awaitable<Decision> retry_all(Order order, std::string who) const;

    [[nodiscard]] boost::asio::awaitable<Decision> carry_out(Order order, Kind kind, Checked checked) const;

    // On the worker:
    [[nodiscard]] Checked check(const Order& order, Kind kind, const std::function<store::Reviewer()>& reviewer,
                                std::optional<store::ItemState> shown, Rest rest) const;
    /// Puts it with those that can be decided about, or with those that cannot.
    static void judge(const model::Uuid& id, const std::optional<store::ItemView>& found, bool whole, Kind kind,
                      std::optional<store::ItemState> shown, Checked& checked);
    void tell_who(std::vector<Decision::Wrong>& wrong, model::Instant since) const;

    Parts parts_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
