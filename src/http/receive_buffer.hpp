#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace lihandover::http {

/// Bytes received and not used yet. The current message's head is in front of them and stays where it is, since its
/// fields are views into it.
class ReceiveBuffer {
  public:
    /// Allocates memory for so many bytes in all, if there is none.
    void reserve(std::size_t size) {
        if (bytes_.empty()) {
            bytes_.resize(size);
        }
    }
    /// Releases the memory. Only when empty().
    void release();

    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] std::string_view unread() const { return {bytes_.data() + begin_, end_ - begin_}; }
    /// Bytes in it, including used ones of the current message.
    [[nodiscard]] std::size_t filled() const { return end_; }
    void consume(std::size_t count) { begin_ += count; }
    void clear() { begin_ = end_ = kept_ = 0; }

    /// Where more can be received; empty if it is full.
    [[nodiscard]] std::span<char> room() { return {bytes_.data() + end_, bytes_.size() - end_}; }
    void received(std::size_t count) { end_ += count; }

    /// The unread bytes begin a message: they move to the front.
    void begin_message();
    /// The head ends where the unread bytes begin.
    void end_head() { kept_ = begin_; }
    [[nodiscard]] std::string_view head() const { return {bytes_.data(), kept_}; }
    /// Moves the unread bytes up to the head, for more room after them. False: there is none.
    bool make_room();
    /// Replaces the first `size` unread bytes by `text`. False: there is no room for it.
    bool replace(std::size_t size, std::string_view text);

  private:
    std::vector<char> bytes_;
    std::size_t kept_ = 0;  ///< bytes of the head
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace lihandover::http
