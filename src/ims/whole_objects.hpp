#pragma once

#include <string_view>

#include "notifications.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// Bytes that cannot be read, as an object of what they should be, marked.
///   content_type   a literal: message/sip or message/msrp
void add_unreadable(const Take& take, std::string_view content_type, std::string_view bytes);

/// A body that came by itself (payload format MIME).
void take_body(const Take& take, ImdnIds& ids);

}  // namespace lihandover::ims
