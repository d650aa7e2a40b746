#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lihandover::http {

/// Sockets and timers of this room use it instead of any_io_executor, which costs an indirection per step.
using Executor = boost::asio::io_context::executor_type;

/// The io_context's own executor behind `executor`; std::invalid_argument for anything else.
[[nodiscard]] Executor concrete(const boost::asio::any_io_executor& executor);

/// Compares ASCII, ignoring case.
[[nodiscard]] bool same_name(std::string_view left, std::string_view right);

/// Appends `name: value` and a line end. A name or value that would break the message is a programming mistake:
/// std::logic_error.
void append_field(std::string& head, std::string_view name, std::string_view value);

/// Appends `name: number` and a line end.
void append_field(std::string& head, std::string_view name, std::uint64_t number);

/// Appends how a body of `length` bytes is framed; nullopt means by the chunked coding.
void append_framing(std::string& head, std::optional<std::uint64_t> length);

/// Appends a Date field for now; the text is made once a second.
void append_date(std::string& head);

}  // namespace lihandover::http
