#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "order.hpp"

namespace lihandover::admin {

/// POST /v1/content: the content of one waiting item, for members of admin.reviewers. The entry that says who has seen
/// it is durable before it is shown. On the server's thread; reads the store on `worker`.
class ContentResource {
  public:
    ContentResource(const Parts& parts, boost::asio::any_io_executor worker)
        : parts_(parts), worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> show(http::Exchange& exchange) const;

  private:
    /// An answer that nobody has seen yet.
    struct Prepared {
        Answer answer;  ///< not 200: there is nothing to be seen
        store::RowId row = 0;
        std::string who;
    };

    // On the worker:
    [[nodiscard]] Prepared prepare(const Order& order, const http::Peer& peer, const std::string& reviewers) const;
    [[nodiscard]] Prepared write(const store::ItemView& view, const store::StoredItem& item,
                                 std::string_view form) const;

    Parts parts_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
