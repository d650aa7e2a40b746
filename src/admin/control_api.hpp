#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "machine_door.hpp"

namespace lihandover::admin {

/// What an operator asks to be done with items: the body of /v1/retry, /v1/reject and /v1/approve.
struct Decision {
    std::vector<model::Uuid> ids;  ///< each once, in the order given
    std::string destination;       ///< retry only, instead of ids
    std::optional<std::uint64_t> code;
    std::string reason;         ///< reject only
    std::string operator_name;  ///< empty: the peer's user alone
};

/// Reads a body. The error is for the operator. What belongs to which request is checked by the caller.
[[nodiscard]] model::Result<Decision> parse_decision(std::string_view body);

/// The JSON API on the control socket (docs/control-api.md). One object, on the server's thread.
class ControlApi final : public http::Handler {
  public:
    ControlApi(const Parts& parts, WorkerStrand worker, std::unique_ptr<store::Reader> reader,
               std::function<Readiness()> readiness);

    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

    static constexpr std::size_t max_body = std::size_t{128} << 10;
    static constexpr std::size_t max_ids = 1000;      ///< of one decision
    static constexpr std::size_t max_page = 1000;     ///< items or warrants of one answer
    static constexpr std::size_t max_scan = 100'000;  ///< items looked at for one answer
    static constexpr std::size_t max_reason = 1000;   ///< bytes
    static constexpr std::size_t max_operator = 64;   ///< bytes

  private:
    struct Answer {
        unsigned status = 200;
        std::string body;
    };
    enum class Kind : std::uint8_t { retry, reject, approve };
    struct Checked;
    struct Page;

    boost::asio::awaitable<Answer> answer(http::Exchange& exchange);
    boost::asio::awaitable<Answer> get_status();
    boost::asio::awaitable<Answer> get_warrants(std::string_view query);
    boost::asio::awaitable<Answer> get_items(std::string_view query);
    boost::asio::awaitable<Answer> get_item(std::string_view id);
    boost::asio::awaitable<Answer> decide(http::Exchange& exchange, Kind kind);
    boost::asio::awaitable<Answer> retry_all(Decision decision, std::string who);
    boost::asio::awaitable<Answer> reload(http::Exchange& exchange);

    // On the worker:
    [[nodiscard]] Answer write_status(const Status& status, Readiness readiness) const;
    [[nodiscard]] Answer write_items(const Page& page) const;
    [[nodiscard]] Answer write_item(const model::Uuid& id) const;
    [[nodiscard]] Checked check(const Decision& decision, Kind kind, const http::Peer& peer) const;
    [[nodiscard]] std::string count_rejected(const std::vector<model::Uuid>& ids) const;

    static Answer refuse(unsigned status, std::string_view sentence);

    Parts parts_;
    WorkerStrand worker_;
    std::unique_ptr<store::Reader> reader_;  ///< used on the worker only
    std::function<Readiness()> readiness_;
};

}  // namespace lihandover::admin
