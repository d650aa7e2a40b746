#pragma once

#include <string>
#include <string_view>

namespace lihandover::store {

/// SQL with the stored numbers in the place of their names, so that no statement has a bare number of a state or a
/// kind: `state={item.refused}`, `kind={record.item_made}`, `{object.queued}`, `{blob.preparing}`. A name that is none
/// is a programming mistake: std::logic_error.
[[nodiscard]] std::string numbered(std::string_view sql);

}  // namespace lihandover::store
