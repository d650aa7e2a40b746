#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace lihandover::http {

/// Bytes to send, in several places; keeps the position when only some could be sent.
class Gather {
  public:
    explicit Gather(std::span<const std::string_view> parts) : parts_(parts) { skip_empty(); }
    [[nodiscard]] bool done() const { return parts_.empty(); }
    [[nodiscard]] std::string_view front() const { return parts_.front().substr(offset_); }
    /// The remaining pieces, at most `pieces.size()` of them; returns how many.
    [[nodiscard]] std::size_t pieces(std::span<std::string_view> pieces) const;
    void advance(std::size_t count);

  private:
    void skip_empty();
    std::span<const std::string_view> parts_;
    std::size_t offset_ = 0;
};

}  // namespace lihandover::http
