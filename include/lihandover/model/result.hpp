#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <utility>

namespace lihandover::model {

/// What went wrong, in a sentence for the operator. It never contains content, a target's or party's identifier, an
/// LIID, a binary URL or anything of an LEA's error text (promise 8), so it may be logged as it is.
struct Error {
    std::string message;
};

/// Called by Result::value() on an error, a programming mistake. Throws std::logic_error with the message.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& location);

/// Success with a value, or an Error. Must not be ignored. Errors are returned as values; exceptions are only for
/// interrupted work (cancelled coroutines, exhausted memory).
template <typename T>
using Result = boost::system::result<T, Error>;

/// Success without a value.
using Status = Result<void>;

/// The same error with context in front: `in "listen": no such interface`.
[[nodiscard]] inline Error prefixed(std::string_view context, Error error) {
    error.message.insert(0, context);
    return error;
}

}  // namespace lihandover::model
