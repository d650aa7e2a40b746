#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/config/yaml.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/warrants/loader.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// Enough of a SHA-256 to tell texts apart.
using ShortDigest = std::array<std::uint8_t, 16>;
[[nodiscard]] ShortDigest short_digest_of(std::string_view bytes);
[[nodiscard]] ShortDigest short_digest_of(const config::FileStamp& stamp);

/// What is known of the files of warrants from before the daemon's start, so that a start reads only what has changed:
/// reading a file costs 55 µs of YAML, and there can be a million. No terms and no identifiers are in it, only names,
/// stamps and digests; the warrants themselves are in the store, and an entry counts only together with one of those.
/// Whether it is there, old or broken changes nothing but how long the first reload takes.
///
/// The file: 16 bytes of magic with the version, then for each warrant file in the order of their names 16 bytes of
/// its stamp's digest, 16 of its text's, 32 of its warrant's, two of the length of its name (least significant first)
/// and the name; at the end the SHA-256 of all that. Where the store is encrypted, all of it is sealed.
struct ParseCache {
    struct Entry {
        std::string name;
        ShortDigest stamp{};
        ShortDigest text{};
        Digest warrant{};
    };
    std::vector<Entry> entries;  ///< in the order of names

    [[nodiscard]] const Entry* find(std::string_view name) const;
};

/// Empty if there is none, or none that this version of the program can trust.
[[nodiscard]] ParseCache read_parse_cache(const std::string& path, const CacheCipher& cipher = {});
/// Replaces the file. Not synced: one that is lost is written again.
[[nodiscard]] model::Status write_parse_cache(const std::string& path, const ParseCache& cache,
                                              const CacheCipher& cipher = {});

}  // namespace lihandover::warrants
