#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit_resource.hpp"
#include "console/access.hpp"
#include "console/form.hpp"
#include "console/page.hpp"
#include "console/pages.hpp"
#include "content_resource.hpp"
#include "daemon_orders.hpp"
#include "item_decisions.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::admin {

/// The reviewers' page (docs/console.md): who gets in, what each may do, and which page answers what. What is decided
/// and read is the control API's; this is another door to it. One object, on the server's thread.
class Console final : public http::Handler {
  public:
    /// Whether our certificate names a host.
    using NamesUs = std::function<bool(const std::string&)>;

    /// `worker` runs what blocks, one task at a time.
    Console(const Parts& parts, const boost::asio::any_io_executor& worker, std::function<Readiness()> readiness,
            NamesUs names_us);

    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

    /// Entries of the audit record that are looked through for one page of an item's history.
    static constexpr std::size_t history_scan = 100'000;

  private:
    /// One request of one of the people.
    struct Call {
        http::Exchange& exchange;
        Person person;
        const std::string token;
        std::vector<std::string> steps;  ///< of the path, decoded
        Form form;                       ///< of a POST

        [[nodiscard]] View view() const { return {person, token}; }
    };
    enum class Need : std::uint8_t { nothing, review, operate };
    struct Route;
    static const std::vector<Route> routes;

    [[nodiscard]] boost::asio::awaitable<Page> answer(http::Exchange& exchange) const;
    [[nodiscard]] boost::asio::awaitable<Page> answer(Call& call) const;
    [[nodiscard]] std::optional<Person> whoever_asks(const http::Exchange& exchange) const;
    [[nodiscard]] Page refuse_stranger(const http::Peer& peer) const;
    [[nodiscard]] static bool may(const Person& person, Need need);
    [[nodiscard]] static Page not_allowed(const Call& call, Need need);
    [[nodiscard]] static const Route* find_route(const Call& call, bool& path_known);
    /// Reads the body of a POST; the page says what is wrong with it.
    [[nodiscard]] boost::asio::awaitable<std::optional<Page>> read_form(Call& call) const;

    [[nodiscard]] boost::asio::awaitable<Page> overview(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> items(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> item(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> content(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> object(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> decide(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> warrants(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> ask_to_revoke(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> revoke(Call& call) const;
    [[nodiscard]] boost::asio::awaitable<Page> deliver(Call& call) const;

    // On the worker:
    [[nodiscard]] History history_of(const store::ItemView& item, const std::optional<AuditPlace>& from) const;

    Parts parts_;
    boost::asio::any_io_executor worker_;
    std::function<Readiness()> readiness_;
    NamesUs names_us_;
    FormTokens tokens_;
    mutable std::int64_t warned_at_ = 0;
    ItemDecisions decisions_;
    DaemonOrders orders_;
    ContentResource content_;
};

}  // namespace lihandover::admin
