#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "message.hpp"

namespace lihandover::x2x3_send {

/// What a sender needs of a message of SIP or MSRP; texts view it.
struct Glance {
    bool request = false;
    std::string_view start;
    std::string_view call_id;
    std::vector<std::string_view> sender;    ///< header values that name who sent a request
    std::vector<std::string_view> receiver;  ///< and whom it is for
    std::vector<std::string_view> paths;     ///< a=path of a description in it, of SIP
    std::string_view to_path;                ///< of MSRP
    std::string_view from_path;
};
[[nodiscard]] Glance glance_at(Kind kind, std::string_view bytes);

/// Numbers sessions from 1: one for each Call-ID, and the same for the MSRP between the paths that its descriptions
/// name. MSRP whose signalling was not seen is a session of its own; anything else has 0.
class Sessions {
  public:
    [[nodiscard]] std::uint64_t number_of(Kind kind, std::string_view bytes);

  private:
    std::uint64_t next_ = 1;
    std::map<std::string, std::uint64_t, std::less<>> numbers_;
};

/// Which way a captured message went for a target, who is known by URIs.
class Sides {
  public:
    /// `sip:alice@example.com`; what is between scheme and parameters is looked for.
    explicit Sides(const std::vector<std::string>& targets);
    [[nodiscard]] Direction direction_of(Kind kind, std::string_view bytes);

  private:
    std::vector<std::string> targets_;
    std::map<std::string, Direction, std::less<>> paths_;  ///< of MSRP: which way what comes from there goes
};

}  // namespace lihandover::x2x3_send
