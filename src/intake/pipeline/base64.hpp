#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace lihandover::intake {

/// The number of bytes in a text that is_base64 accepted.
[[nodiscard]] std::size_t base64_size(std::string_view text);

/// Decodes such a text piece by piece, so that an object is never in memory twice.
class Base64Reader {
  public:
    /// Of what next() gives, at most.
    static constexpr std::size_t piece_size = std::size_t{48} * 1024;

    explicit Base64Reader(std::string_view text) : rest_(text) {}
    Base64Reader(const Base64Reader&) = delete;
    Base64Reader& operator=(const Base64Reader&) = delete;
    /// Wipes what it decoded.
    ~Base64Reader() { explicit_bzero(bytes_.data(), bytes_.size()); }

    /// Some bytes; empty at the end. They are valid until the next call.
    [[nodiscard]] std::span<const char> next();

  private:
    std::string_view rest_;
    std::array<char, piece_size> bytes_{};
};

}  // namespace lihandover::intake
