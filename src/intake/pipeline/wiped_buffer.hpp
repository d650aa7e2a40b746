#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>

namespace lihandover::intake {

/// A buffer for bytes that nobody may find in memory later: wiped when it goes.
class WipedBuffer {
  public:
    WipedBuffer() = default;
    explicit WipedBuffer(std::size_t size) : bytes_(size, '\0') {}
    WipedBuffer(const WipedBuffer&) = delete;
    WipedBuffer& operator=(const WipedBuffer&) = delete;
    ~WipedBuffer() { explicit_bzero(bytes_.data(), bytes_.size()); }

    /// Once, while it is empty.
    void allocate(std::size_t size) { bytes_.resize(size); }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] std::span<char> bytes() { return bytes_; }

  private:
    std::string bytes_;
};

}  // namespace lihandover::intake
