#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace lihandover::intake {

/// Empties a text and wipes its memory, which it keeps.
inline void wipe(std::string& text) {
    explicit_bzero(text.data(), text.size());
    text.clear();
}

/// As text.resize(size), and wipes memory that the text moves out of.
inline void resize_wiping(std::string& text, std::size_t size) {
    if (size <= text.capacity()) {
        text.resize(size);
        return;
    }
    std::string larger;
    larger.reserve(std::max(size, 2 * text.capacity()));
    larger = text;
    larger.resize(size);
    wipe(text);
    text = std::move(larger);
}

/// A buffer for bytes that nobody may find in memory later: wiped when it is destroyed.
class WipedBuffer {
  public:
    WipedBuffer() = default;
    explicit WipedBuffer(std::size_t size) : bytes_(size, '\0') {}
    WipedBuffer(const WipedBuffer&) = delete;
    WipedBuffer& operator=(const WipedBuffer&) = delete;
    ~WipedBuffer() { wipe(bytes_); }

    /// Call once, while it is empty.
    void allocate(std::size_t size) { bytes_.resize(size); }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] std::span<char> bytes() { return bytes_; }

  private:
    std::string bytes_;
};

}  // namespace lihandover::intake
