#include "receive_buffer.hpp"

#include <cstring>

#include "lihandover/base/invariant.hpp"

namespace lihandover::http {

void ReceiveBuffer::release() {
    LIHANDOVER_INVARIANT(empty(), "a buffer with unread bytes keeps its memory");
    clear();
    std::vector<char>{}.swap(bytes_);
}

void ReceiveBuffer::begin_message() {
    kept_ = 0;
    static_cast<void>(make_room());
}

bool ReceiveBuffer::make_room() {
    if (begin_ == end_) {
        begin_ = end_ = kept_;
    } else if (begin_ > kept_) {
        std::memmove(bytes_.data() + kept_, bytes_.data() + begin_, end_ - begin_);
        end_ -= begin_ - kept_;
        begin_ = kept_;
    }
    return end_ < bytes_.size();
}

bool ReceiveBuffer::replace(std::size_t size, std::string_view text) {
    if (end_ - size + text.size() > bytes_.size()) {
        return false;
    }
    char* const front = bytes_.data() + begin_;
    std::memmove(front + text.size(), front + size, end_ - begin_ - size);
    std::memcpy(front, text.data(), text.size());
    end_ = end_ - size + text.size();
    return true;
}

}  // namespace lihandover::http
