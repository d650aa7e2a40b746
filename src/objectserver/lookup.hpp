#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/strand.hpp>
#include <optional>

#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/downloads.hpp"

namespace lihandover::objectserver {

/// Finds objects in the store, on the pool: on the I/O thread a cold page of the database would delay every delivery
/// and download there for as long as the disk takes. One lookup at a time, so that many take no more than one thread.
class Lookup {
  public:
    Lookup(const boost::asio::any_io_executor& pool, store::ObjectDownloads& objects)
        : strand_(boost::asio::make_strand(pool)), objects_(objects) {}

    using Found = model::Result<std::optional<store::StoredObject>>;
    /// Costs the same whatever `id` is, except for what comes with an object that exists.
    [[nodiscard]] boost::asio::awaitable<Found> find(model::Uuid id) const;

  private:
    boost::asio::any_io_executor strand_;
    store::ObjectDownloads& objects_;
};

}  // namespace lihandover::objectserver
