#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lihandover::base {

/// Reads a key that is written as hex digits on one line. The file has to be a regular one, closed to others, which its
/// group may not write to.
///   least, most  how many bytes the key may have
///   key          set where nothing is wrong; to be wiped by whoever owns it
/// Returns what is wrong, to be said behind the file's name; empty if nothing is. Never blocks on a FIFO.
[[nodiscard]] std::string read_key_file(const std::string& path, std::size_t least, std::size_t most,
                                        std::vector<unsigned char>& key);

}  // namespace lihandover::base
