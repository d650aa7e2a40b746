#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"

namespace lihandover::admin {

/// Where reading the audit record goes on, as answers and links name it: `NUMBER:HASH:ROW:CHECKPOINT:TO`.
struct AuditPlace {
    store::AuditLog::Place place;
    std::uint64_t to = 0;
};
[[nodiscard]] std::string text_of(const AuditPlace& at);
[[nodiscard]] std::optional<AuditPlace> parse_audit_place(std::string_view text);

/// GET /v1/audit: the chain of audit entries, page by page, as the lines that an export has. On the server's thread;
/// reads the store on `worker`.
class AuditResource {
  public:
    AuditResource(const Parts& parts, boost::asio::any_io_executor worker)
        : audit_(parts.audit), control_(parts.control), clock_(parts.clock), worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> list(std::string_view query) const;

    /// Entries looked at for one answer, and bytes of lines after which it ends.
    static constexpr std::size_t page_entries = 10'000;
    static constexpr std::size_t page_bytes = std::size_t{4} << 20;

  private:
    struct Page;

    // On the worker:
    [[nodiscard]] Answer write(Page page, std::string_view version) const;

    store::AuditLog& audit_;
    Control& control_;
    const model::Clock& clock_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
