#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>

namespace lihandover::intake {

/// A buffer for octets that nobody may find in memory later: wiped when it goes.
class WipedBuffer {
  public:
    WipedBuffer() = default;
    explicit WipedBuffer(std::size_t size) : octets_(size, '\0') {}
    WipedBuffer(const WipedBuffer&) = delete;
    WipedBuffer& operator=(const WipedBuffer&) = delete;
    ~WipedBuffer() { explicit_bzero(octets_.data(), octets_.size()); }

    /// Once, while it is empty.
    void allocate(std::size_t size) { octets_.resize(size); }
    [[nodiscard]] std::size_t size() const { return octets_.size(); }
    [[nodiscard]] std::span<char> octets() { return octets_; }

  private:
    std::string octets_;
};

}  // namespace lihandover::intake
