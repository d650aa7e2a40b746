#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "lihandover/ims/sip.hpp"

namespace lihandover::ims {

/// Notes that something had to be mended, each phrase once.
void note_mended(SipMessage& message, std::string_view phrase);
/// Keeps a text that is not so in the bytes as long as the message lives.
[[nodiscard]] std::string_view keep(SipMessage& message, std::string text);

/// Reads the one address that a value is (From, To): a comma in it separates nothing. false: it has none.
[[nodiscard]] bool read_address(std::string_view value, SipMessage& message, SipAddress& out);

/// Reads the addresses that a value lists, in order, and appends them to `out`, at most `left` of them, which is
/// counted down. false: there are more.
[[nodiscard]] bool read_addresses(std::string_view value, SipMessage& message, std::vector<SipAddress>& out,
                                  std::size_t& left);

/// The first value of a comma list.
[[nodiscard]] std::string_view first_of_list(std::string_view value);

}  // namespace lihandover::ims
