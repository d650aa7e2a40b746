#include "piece_index.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace lihandover::ims {

std::span<const Piece> PieceIndex::overlapping(std::uint64_t first, std::uint64_t end) const {
    const auto begin = std::ranges::upper_bound(pieces_, first, {}, &Piece::end);
    const auto stop = std::lower_bound(begin, pieces_.end(), end,
                                       [](const Piece& piece, std::uint64_t offset) { return piece.first < offset; });
    return {begin, stop};
}

bool PieceIndex::is_apart(std::uint64_t first, std::uint64_t end) const {
    const auto next = std::ranges::lower_bound(pieces_, first, {}, &Piece::end);
    return next == pieces_.end() || next->first > end;
}

std::size_t PieceIndex::runs() const {
    std::size_t count = pieces_.empty() ? 0 : 1;
    for (std::size_t i = 1; i < pieces_.size(); ++i) {
        count += pieces_[i - 1].end() != pieces_[i].first ? 1 : 0;
    }
    return count;
}

bool PieceIndex::is_in_order(std::uint64_t size) const {
    std::uint64_t at = 0;
    return bytes_ == size && std::ranges::all_of(pieces_, [&at](const Piece& piece) {
               const bool follows = piece.at == at;
               at += piece.size;
               return follows;
           });
}

void PieceIndex::make_room() {
    if (pieces_.capacity() - pieces_.size() < 2) {
        pieces_.reserve(std::max<std::size_t>(pieces_.size() * 2, 4));
    }
}

void PieceIndex::put(Piece piece) {
    bytes_ += piece.size;
    const std::span<const Piece> under = overlapping(piece.first, piece.end());
    const auto begin = pieces_.begin() + (under.data() - pieces_.data());
    const auto stop = begin + static_cast<std::ptrdiff_t>(under.size());
    std::array<Piece, 3> made;
    std::size_t count = 0;
    if (begin != stop && begin->first < piece.first) {
        made[count++] = {begin->first, begin->at, piece.first - begin->first};
    }
    made[count++] = piece;
    if (begin != stop && (stop - 1)->end() > piece.end()) {
        const Piece& last = *(stop - 1);
        made[count++] = {piece.end(), last.at + (piece.end() - last.first), last.end() - piece.end()};
    }
    for (auto each = begin; each != stop; ++each) {
        bytes_ -= std::min(each->end(), piece.end()) - std::max(each->first, piece.first);
    }
    // Nothing that was in the log before follows its end, so it is only the piece before that may go on.
    if (begin != pieces_.begin() && made[0] == piece) {
        Piece& before = *(begin - 1);
        if (before.end() == piece.first && before.at + before.size == piece.at) {
            before.size += piece.size;
            made = {made[1]};
            --count;
        }
    }
    const auto kept = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(count), stop - begin);
    std::copy_n(made.begin(), kept, begin);
    if (begin + kept != stop) {
        pieces_.erase(begin + kept, stop);
    } else {
        pieces_.insert(stop, made.begin() + kept, made.begin() + static_cast<std::ptrdiff_t>(count));
    }
}

void PieceIndex::follow_rewriting() {
    std::uint64_t at = 0;
    std::vector<Piece> joined;
    for (const Piece& piece : pieces_) {
        if (!joined.empty() && joined.back().end() == piece.first) {
            joined.back().size += piece.size;
        } else {
            joined.push_back({piece.first, at, piece.size});
        }
        at += piece.size;
    }
    pieces_ = std::move(joined);
}

}  // namespace lihandover::ims
