#include "gather.hpp"

#include <algorithm>

namespace lihandover::http {

std::size_t Gather::pieces(std::span<std::string_view> pieces) const {
    std::size_t count = 0;
    for (std::size_t index = 0; index < parts_.size() && count < pieces.size(); ++index) {
        const auto piece = index == 0 ? front() : parts_[index];
        if (!piece.empty()) {
            pieces[count++] = piece;
        }
    }
    return count;
}

void Gather::advance(std::size_t count) {
    while (count > 0) {
        const std::size_t step = std::min(count, front().size());
        offset_ += step;
        count -= step;
        skip_empty();
    }
}

void Gather::skip_empty() {
    while (!parts_.empty() && offset_ == parts_.front().size()) {
        parts_ = parts_.subspan(1);
        offset_ = 0;
    }
}

}  // namespace lihandover::http
