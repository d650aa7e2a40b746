#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// What a door has read and not finished with: part of a session or of a message that is still open. Kept sealed, so
/// that nothing of it is lost or made wrong by a restart, and gone beyond recovery once it is let go.
struct KeptCopy {
    std::uint64_t id = 0;  ///< given by the door, unique within the source, growing
    std::string bytes;
};

struct KeptChanges {
    std::vector<KeptCopy> keep;
    std::vector<std::uint64_t> let_go;  ///< ids; unknown ones do no harm

    [[nodiscard]] bool empty() const { return keep.empty() && let_go.empty(); }
};

/// For doors whose sources get no answer, so that what was read cannot be asked for again. Thread-safe.
class KeptCopies {
  public:
    virtual ~KeptCopies() = default;

    /// As ItemIntake::submit, with the changes in the same transaction.
    virtual void submit(std::vector<NewItem> items, const Arrival& arrival, std::string_view source,
                        KeptChanges changes, Done done) = 0;

    /// All that is kept of a source, in the order of their ids; for a start. Blocks.
    [[nodiscard]] virtual model::Result<std::vector<KeptCopy>> kept(std::string_view source) = 0;
};

}  // namespace lihandover::store
