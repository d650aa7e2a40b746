#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/strand.hpp>
#include <memory>
#include <optional>

#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::objectserver {

/// Finds objects in the store. The reader blocks on the disk and serves one thread at a time, so it works on the pool,
/// on a strand of its own: on the I/O thread a cold page of the database would hold up every delivery and download
/// there, for as long as the disk takes.
class Lookup {
  public:
    Lookup(const boost::asio::any_io_executor& pool, std::unique_ptr<store::Reader> reader)
        : strand_(pool), reader_(std::move(reader)) {}

    using Found = model::Result<std::optional<store::StoredObject>>;
    /// Costs the same whatever `id` is, but for what comes with an object that there is.
    [[nodiscard]] boost::asio::awaitable<Found> find(model::Uuid id) const;

  private:
    boost::asio::strand<boost::asio::any_io_executor> strand_;
    std::shared_ptr<store::Reader> reader_;
};

}  // namespace lihandover::objectserver
