#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/operator_view.hpp"

namespace lihandover::admin {

/// GET /v1/items and /v1/items/ID. On the server's thread; reads the store on `worker`.
class ItemResource {
  public:
    ItemResource(store::OperatorView& items, boost::asio::any_io_executor worker)
        : items_(items), worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> list(std::string_view query) const;
    [[nodiscard]] boost::asio::awaitable<Answer> show(std::string_view id) const;

  private:
    struct Page;

    [[nodiscard]] model::Result<std::optional<store::ListPlace>> place_after(const Page& page,
                                                                             const store::ItemView& item) const;
    // On the worker:
    [[nodiscard]] Answer write_items(const Page& page) const;
    [[nodiscard]] Answer write_item(const model::Uuid& id) const;

    store::OperatorView& items_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
