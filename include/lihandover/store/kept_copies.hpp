#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
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
    /// One whose id is kept already replaces that: so the same changes can be made again after Outcome::failed.
    std::vector<KeptCopy> keep;
    std::vector<std::uint64_t> let_go;  ///< ids, of `keep` too; unknown ones do no harm

    [[nodiscard]] bool empty() const { return keep.empty() && let_go.empty(); }
};

/// For doors whose sources get no answer, so that what was read cannot be asked for again. Thread-safe.
class KeptCopies {
  public:
    virtual ~KeptCopies() = default;

    /// As ItemIntake::submit, with the changes in the same transaction: on a failure neither is known to be on disk.
    /// Where only room is short (ItemIntake::accepting() is false, and commits work), a submission that lets go of
    /// something is taken all the same, since it makes room.
    virtual void submit(std::vector<NewItem> items, const Arrival& arrival, std::string_view source,
                        KeptChanges changes, Done done) = 0;

    /// Hands over all that is kept of a source, in the order of their ids; for a start. What cannot be unsealed any
    /// more is let go, and the log says how much that was. Blocks.
    [[nodiscard]] virtual model::Status for_each_kept(std::string_view source,
                                                      const std::function<void(KeptCopy copy)>& visit) = 0;
    /// The same in one list.
    [[nodiscard]] model::Result<std::vector<KeptCopy>> kept(std::string_view source) {
        std::vector<KeptCopy> all;
        const model::Status status = for_each_kept(source, [&all](KeptCopy copy) { all.push_back(std::move(copy)); });
        return status ? model::Result<std::vector<KeptCopy>>(std::move(all))
                      : model::Result<std::vector<KeptCopy>>(status.error());
    }
    /// The sources of which something is kept, in the order of their names. Blocks.
    [[nodiscard]] virtual model::Result<std::vector<std::string>> sources() = 0;
};

}  // namespace lihandover::store
