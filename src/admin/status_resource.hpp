#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <utility>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"

namespace lihandover::admin {

/// GET /v1/status. On the server's thread; reads the store on `worker`.
class StatusResource {
  public:
    StatusResource(const Parts& parts, boost::asio::any_io_executor worker, std::function<Readiness()> readiness)
        : parts_(parts), worker_(std::move(worker)), readiness_(std::move(readiness)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> get() const;

  private:
    [[nodiscard]] Answer write(const Status& status, Readiness readiness) const;
    void write_store(JsonWriter& json, const store::Statistics& statistics) const;
    void write_destinations(JsonWriter& json, const Status& status, const store::Statistics& statistics) const;

    Parts parts_;
    boost::asio::any_io_executor worker_;
    std::function<Readiness()> readiness_;
};

/// The result of a reload, as one object.
void write_report(JsonWriter& json, const ReloadReport& report);

}  // namespace lihandover::admin
