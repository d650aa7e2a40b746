#include "lihandover/ims/assembly.hpp"

#include <algorithm>

#include "piece_index.hpp"
#include "piece_log.hpp"

namespace lihandover::ims {

namespace {

// Octets from there on are of no message: who says so lies, or counts wrong.
constexpr std::uint64_t longest_message = std::uint64_t{1} << 48;

// Pieces of the index. Runs are what a message in disorder consists of, and they are bounded; each may be several
// pieces while they are not in order in the log.
constexpr std::size_t most_ranges = 2 * Assembly::max_ranges;

// Writing the log anew may cost so many times the bytes that came since the last time.
constexpr std::uint64_t most_rewriting = 32;

/// What of a chunk is not there yet, or is different there.
struct News {
    std::uint64_t first = 0;
    std::string_view bytes;
    bool conflicts = false;
};

}  // namespace

class Assembly::Impl {
  public:
    Impl(Spools& spools, std::size_t in_memory) : in_memory_(in_memory), log_(spools, in_memory) {}

    model::Status take(const MsrpFrame& chunk);
    model::Result<Bytes> take_bytes();

    [[nodiscard]] bool complete() const { return end_ && !lost_ && !index_.has_hole() && index_.end() >= *end_; }
    [[nodiscard]] std::optional<std::uint64_t> total() const {
        return end_ ? std::max(*end_, index_.end()) : announced_;
    }
    [[nodiscard]] std::vector<Range> ranges() const;
    [[nodiscard]] std::uint64_t held() const { return log_.size(); }
    [[nodiscard]] std::uint64_t held_in_memory() const { return sizeof(Impl) + log_.memory() + index_.memory(); }

    [[nodiscard]] bool abandoned() const { return abandoned_; }
    [[nodiscard]] bool ended() const { return last_came_ || abandoned_; }
    [[nodiscard]] bool conflicting() const { return conflicting_; }
    [[nodiscard]] bool lost() const { return lost_; }

  private:
    [[nodiscard]] model::Status place(std::uint64_t first, std::string_view bytes);
    [[nodiscard]] model::Result<News> news_of(std::uint64_t first, std::string_view bytes);
    [[nodiscard]] bool wants_order() const;
    [[nodiscard]] bool may_rewrite() const;
    [[nodiscard]] model::Status put_in_order();

    std::size_t in_memory_;
    PieceLog log_;
    PieceIndex index_;
    std::uint64_t since_rewriting_ = 0;       ///< bytes logged
    std::optional<std::uint64_t> end_;        ///< of the last chunk
    std::optional<std::uint64_t> announced_;  ///< by Byte-Range
    bool last_came_ = false;
    bool abandoned_ = false;
    bool conflicting_ = false;
    bool lost_ = false;
};

model::Status Assembly::Impl::take(const MsrpFrame& chunk) {
    const std::uint64_t first = chunk.range ? std::max<std::uint64_t>(chunk.range->start, 1) - 1 : 0;
    const std::uint64_t size = chunk.body.size();
    const bool possible = first < longest_message && size <= longest_message - first;
    if (possible && size > 0) {
        if (auto placed = place(first, chunk.body); !placed) {
            return placed;
        }
    }
    lost_ = lost_ || !possible;
    if (chunk.range && chunk.range->total) {
        announced_ = chunk.range->total;
    }
    abandoned_ = abandoned_ || chunk.flag == ChunkFlag::abandoned;
    if (chunk.flag == ChunkFlag::last) {
        last_came_ = true;
        if (possible) {
            end_ = std::max(end_.value_or(0), first + size);
        }
    }
    return {};
}

model::Status Assembly::Impl::place(std::uint64_t first, std::string_view bytes) {
    News news{first, bytes, false};
    if (first < index_.end()) {
        auto found = news_of(first, bytes);
        if (!found) {
            return found.error();
        }
        news = *found;
        if (news.bytes.empty()) {
            return {};
        }
    }
    const std::uint64_t end = news.first + news.bytes.size();
    if (index_.pieces().size() >= max_ranges && index_.is_apart(news.first, end) && index_.runs() >= max_ranges) {
        lost_ = true;
        return {};
    }
    if (wants_order() && may_rewrite()) {
        if (auto done = put_in_order(); !done) {
            return done;
        }
    }
    if (index_.pieces().size() + 2 > most_ranges) {
        lost_ = true;
        return {};
    }
    index_.make_room();
    const std::uint64_t at = log_.size();
    if (auto appended = log_.append(news.bytes); !appended) {
        return appended;
    }
    index_.put({news.first, at, news.bytes.size()});
    since_rewriting_ += news.bytes.size();
    conflicting_ = conflicting_ || news.conflicts;
    return {};
}

/// A chunk that came before is not logged again: so who repeats fills no disk.
model::Result<News> Assembly::Impl::news_of(std::uint64_t first, std::string_view bytes) {
    const std::uint64_t end = first + bytes.size();
    News out{first, bytes, false};
    std::uint64_t known_to = first;    // up to there, all is as it was
    std::uint64_t known_from = first;  // so far, all from there on is
    std::uint64_t before = first;
    for (const Piece& piece : index_.overlapping(first, end)) {
        const std::uint64_t from = std::max(first, piece.first);
        const std::uint64_t to = std::min(end, piece.end());
        const auto same = log_.has(piece.at + (from - piece.first), bytes.substr(from - first, to - from));
        if (!same) {
            return same.error();
        }
        out.conflicts = out.conflicts || !*same;
        known_to = *same && known_to == from ? to : known_to;
        known_from = !*same ? to : from == before ? known_from : from;
        before = to;
    }
    known_from = std::max(before == end ? known_from : end, known_to);
    out.first = known_to;
    out.bytes = bytes.substr(known_to - first, known_from - known_to);
    return out;
}

/// Whether the index is long, or most of the log is of what was overwritten.
bool Assembly::Impl::wants_order() const {
    const std::uint64_t dead = log_.size() - index_.bytes();
    return index_.pieces().size() + 2 > most_ranges || dead > std::max<std::uint64_t>(index_.bytes(), in_memory_);
}

/// Not at the price of a long message for every few bytes.
bool Assembly::Impl::may_rewrite() const {
    return log_.in_memory() || index_.bytes() / most_rewriting <= since_rewriting_;
}

model::Status Assembly::Impl::put_in_order() {
    if (auto done = log_.rewrite(index_.pieces(), index_.bytes()); !done) {
        return done;
    }
    index_.follow_rewriting();
    since_rewriting_ = 0;
    return {};
}

std::vector<Range> Assembly::Impl::ranges() const {
    std::vector<Range> out;
    for (const Piece& piece : index_.pieces()) {
        if (!out.empty() && out.back().last == piece.first) {
            out.back().last = piece.end();
        } else {
            out.push_back({piece.first + 1, piece.end()});
        }
    }
    return out;
}

model::Result<Bytes> Assembly::Impl::take_bytes() {
    if (!index_.is_in_order(log_.size())) {
        if (auto done = put_in_order(); !done) {
            return done.error();
        }
    }
    Bytes out = log_.take();
    index_ = PieceIndex();
    since_rewriting_ = 0;
    end_.reset();
    announced_.reset();
    last_came_ = abandoned_ = conflicting_ = lost_ = false;
    return out;
}

Assembly::Assembly(Spools& spools, std::size_t in_memory) : impl_(std::make_unique<Impl>(spools, in_memory)) {}
Assembly::Assembly(Assembly&&) noexcept = default;
Assembly& Assembly::operator=(Assembly&&) noexcept = default;
Assembly::~Assembly() = default;

model::Status Assembly::take(const MsrpFrame& chunk) {
    return impl_->take(chunk);
}
bool Assembly::complete() const {
    return impl_->complete();
}
bool Assembly::abandoned() const {
    return impl_->abandoned();
}
bool Assembly::ended() const {
    return impl_->ended();
}
std::optional<std::uint64_t> Assembly::total() const {
    return impl_->total();
}
std::vector<Range> Assembly::ranges() const {
    return impl_->ranges();
}
bool Assembly::conflicting() const {
    return impl_->conflicting();
}
bool Assembly::lost() const {
    return impl_->lost();
}
std::uint64_t Assembly::held() const {
    return impl_->held();
}
std::uint64_t Assembly::held_in_memory() const {
    return impl_->held_in_memory();
}
model::Result<Bytes> Assembly::take_bytes() {
    return impl_->take_bytes();
}

}  // namespace lihandover::ims
