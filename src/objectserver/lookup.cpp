#include "lookup.hpp"

#include <exception>

#include "lihandover/base/background.hpp"

namespace lihandover::objectserver {

boost::asio::awaitable<Lookup::Found> Lookup::find(model::Uuid id) const {
    auto look = [objects = &objects_, id]() -> Found {
        try {
            return objects->find_object(id);
        } catch (const std::exception&) {
            return model::Error{"looking for a binary object failed"};
        }
    };
    co_return co_await base::run_on(strand_, std::move(look));
}

}  // namespace lihandover::objectserver
