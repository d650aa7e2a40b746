#pragma once

#include <string>
#include <string_view>

#include "content.hpp"
#include "digest.hpp"
#include "lihandover/ims/assembly.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::ims {

/// The content of a message that is too large for memory: one object, taken out of message/cpim where it is wrapped in
/// that.
struct SpooledContent {
    Content content;
    std::string type;
    std::string file_name;
    Bytes bytes;
    std::string beginning;  ///< what the content views
};
/// Where the disk fails, the object is what came, with its wrapping.
[[nodiscard]] SpooledContent read_spooled_content(std::string_view content_type, std::string_view disposition,
                                                  const Bytes& bytes, Spools& spools);

[[nodiscard]] model::Result<Digest> digest_of(const Bytes& bytes);

/// In memory, where it is no more than `most` and the disk gives it.
[[nodiscard]] Bytes brought_in(Bytes bytes, std::size_t most);

}  // namespace lihandover::ims
