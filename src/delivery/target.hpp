#pragma once

#include <memory>
#include <vector>

#include "lihandover/delivery/delivery.hpp"
#include "lihandover/http/client.hpp"

namespace lihandover::delivery {

/// A destination with its URLs taken apart, and how its messages are checked.
struct Target {
    Destination destination;
    std::vector<http::Url> urls;  ///< of messages
    http::ConnectorOptions connection;
    config::SchemaValidation validation{};
    std::shared_ptr<const handover::Validator> validator;
    bool objects_served = true;  ///< as in Settings
};

}  // namespace lihandover::delivery
