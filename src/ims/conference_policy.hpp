#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "digest.hpp"
#include "lihandover/ims/conference.hpp"

namespace lihandover::ims {

/// What policy documents of one conference say, one after another.
class ConferencePolicy {
  public:
    /// How a list of a policy changed.
    struct Change {
        std::string_view list;  ///< a literal: moderators, members, refused
        std::vector<std::string> added;
        std::vector<std::string> removed;
    };
    struct Changes {
        bool first = false;
        bool repeat = false;        ///< the same as the last one
        std::vector<Change> lists;  ///< of the first one, all that is in it
    };
    [[nodiscard]] Changes take(const PolicyDocument& document, const Digest& digest);

    /// Names the run of documents up to the last one: the same document after another one has another name.
    [[nodiscard]] const Digest& run() const { return run_; }
    [[nodiscard]] bool known() const { return known_; }

  private:
    PolicyDocument last_;
    Digest digest_{};
    Digest run_{};
    bool known_ = false;
};

}  // namespace lihandover::ims
