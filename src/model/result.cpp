#include "lihandover/model/result.hpp"

#include <stdexcept>

namespace lihandover::model {

void throw_exception_from_error(const Error& error, const boost::source_location& /*location*/) {
    throw std::logic_error(error.message);
}

}  // namespace lihandover::model
