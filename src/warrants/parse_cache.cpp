#include "parse_cache.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "lihandover/base/descriptor.hpp"
#include "warrant_file.hpp"

namespace lihandover::warrants {

namespace {

// What counts as good changes with the program: a cache of another version is not read.
constexpr std::string_view magic = "lhwarrants";
constexpr std::size_t header_size = 16;
constexpr std::size_t fixed_size = 16 + 16 + 32 + 2;
constexpr std::size_t max_name = 255;

Digest sha256(std::string_view bytes) {
    Digest digest{};
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        std::abort();  // SHA-256 of memory fails only where OpenSSL itself is broken
    }
    return digest;
}

std::string header() {
    std::string text(magic);
    text += std::to_string(parse_rules_version);
    text.resize(header_size, '\0');
    return text;
}

template <typename Bytes>
void append(std::string& out, const Bytes& bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <typename Bytes>
void take(std::string_view& from, Bytes& bytes) {
    std::memcpy(bytes.data(), from.data(), bytes.size());
    from.remove_prefix(bytes.size());
}

/// The whole contents of a file; empty if it cannot be read.
std::string contents_of(const std::string& path) {
    const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));  // NOLINT(*-vararg)
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return {};
    }
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t length = 0;
    while (length < bytes.size()) {
        const ssize_t got = ::read(file.get(), bytes.data() + length, bytes.size() - length);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return {};
        }
        length += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return bytes;
}

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    return true;
}

}  // namespace

ShortDigest short_digest_of(std::string_view bytes) {
    const Digest whole = sha256(bytes);
    ShortDigest digest{};
    std::copy_n(whole.begin(), digest.size(), digest.begin());
    return digest;
}

ShortDigest short_digest_of(const config::FileStamp& stamp) {
    const std::array<std::uint64_t, 5> numbers{stamp.device, stamp.inode, stamp.size,
                                               static_cast<std::uint64_t>(stamp.modified_nanos),
                                               static_cast<std::uint64_t>(stamp.changed_nanos)};
    return short_digest_of({reinterpret_cast<const char*>(numbers.data()), sizeof numbers});
}

const ParseCache::Entry* ParseCache::find(std::string_view name) const {
    const auto found =
        std::ranges::lower_bound(entries, name, {}, [](const Entry& entry) { return std::string_view(entry.name); });
    return found != entries.end() && found->name == name ? &*found : nullptr;
}

ParseCache read_parse_cache(const std::string& path, const CacheCipher& cipher) {
    std::string bytes = contents_of(path);
    if (cipher.unseal) {
        ::unlink((path + ".new").c_str());  // what a crash left
    }
    if (cipher.unseal && !bytes.empty()) {
        auto opened = cipher.unseal(bytes);
        if (!opened) {
            // Of a time when it was not encrypted: names of files may tell who is a target.
            ::unlink(path.c_str());
            return {};
        }
        bytes = std::move(*opened);
    }
    if (bytes.size() < header_size + sizeof(Digest)) {
        return {};
    }
    std::string_view rest = std::string_view(bytes).substr(0, bytes.size() - sizeof(Digest));
    const Digest sum = sha256(rest);
    if (std::memcmp(sum.data(), bytes.data() + rest.size(), sum.size()) != 0 || !rest.starts_with(header())) {
        return {};
    }
    rest.remove_prefix(header_size);
    ParseCache cache;
    while (rest.size() >= fixed_size) {
        ParseCache::Entry& entry = cache.entries.emplace_back();
        take(rest, entry.stamp);
        take(rest, entry.text);
        take(rest, entry.warrant);
        std::array<std::uint8_t, 2> length{};
        take(rest, length);
        const std::size_t size = length[0] | static_cast<std::size_t>(length[1]) << 8U;
        entry.name = rest.substr(0, size);
        rest.remove_prefix(std::min(size, rest.size()));
    }
    const bool sorted = std::ranges::is_sorted(cache.entries, {}, &ParseCache::Entry::name);
    return rest.empty() && sorted ? cache : ParseCache{};
}

model::Status write_parse_cache(const std::string& path, const ParseCache& cache, const CacheCipher& cipher) {
    std::string bytes = header();
    bytes.reserve(header_size + cache.entries.size() * (fixed_size + 32) + sizeof(Digest));
    for (const ParseCache::Entry& entry : cache.entries) {
        if (entry.name.size() > max_name) {
            continue;
        }
        append(bytes, entry.stamp);
        append(bytes, entry.text);
        append(bytes, entry.warrant);
        bytes.push_back(static_cast<char>(entry.name.size()));
        bytes.push_back('\0');
        bytes += entry.name;
    }
    append(bytes, sha256(bytes));
    if (cipher.seal) {
        bytes = cipher.seal(bytes);
    }
    const std::string fresh = path + ".new";
    base::Descriptor file(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));  // NOLINT(*-vararg)
    if (!file || !write_all(file.get(), bytes) || std::rename(fresh.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(fresh.c_str());
        return model::Error{path + ": " + std::generic_category().message(error)};
    }
    return {};
}

}  // namespace lihandover::warrants
