#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace lihandover::http {

/// Bytes received and not used yet. The head of the message at hand lies in front of them and stays where it is, since
/// its fields are looked at where they lie.
class ReceiveBuffer {
  public:
    /// Memory for so many bytes in all, where there is none.
    void reserve(std::size_t size) {
        if (bytes_.empty()) {
            bytes_.resize(size);
        }
    }
    /// Gives the memory back. Only when empty().
    void release();

    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] std::string_view unread() const { return {bytes_.data() + begin_, end_ - begin_}; }
    /// Bytes in it, used ones of the message at hand included.
    [[nodiscard]] std::size_t filled() const { return end_; }
    void consume(std::size_t count) { begin_ += count; }
    void clear() { begin_ = end_ = kept_ = 0; }

    /// Where more can be received; empty when it is full.
    [[nodiscard]] std::span<char> room() { return {bytes_.data() + end_, bytes_.size() - end_}; }
    void received(std::size_t count) { end_ += count; }

    /// What is unread begins a message: it moves to the front.
    void begin_message();
    /// The head ends before what is unread.
    void end_head() { kept_ = begin_; }
    [[nodiscard]] std::string_view head() const { return {bytes_.data(), kept_}; }
    /// Moves what is unread up to the head, for more room behind it. False: there is none.
    bool make_room();
    /// `text` instead of the first `size` unread bytes. False: there is no room for it.
    bool replace(std::size_t size, std::string_view text);

  private:
    std::vector<char> bytes_;
    std::size_t kept_ = 0;  ///< bytes of the head
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace lihandover::http
