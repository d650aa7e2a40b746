#include "lookup.hpp"

#include <exception>

#include "on_pool.hpp"

namespace lihandover::objectserver {

boost::asio::awaitable<Lookup::Found> Lookup::find(model::Uuid id) const {
    auto look = [reader = reader_, id]() -> Found {
        try {
            return reader->object(id);
        } catch (const std::exception&) {
            return model::Error{"looking for a binary object failed"};
        }
    };
    co_return co_await on_pool<Found>(strand_, std::move(look));
}

}  // namespace lihandover::objectserver
