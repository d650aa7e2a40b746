#include "piece_log.hpp"

#include <algorithm>
#include <utility>

namespace lihandover::ims {

namespace {

// Of what is copied from one spool to another, so much at a time.
constexpr std::size_t copied_at_once = std::size_t{256} << 10;
constexpr std::size_t compared_at_once = std::size_t{64} << 10;

std::size_t at_most(std::uint64_t size, std::size_t most) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(size, most));
}

}  // namespace

model::Status PieceLog::append(std::string_view bytes) {
    if (spool_) {
        return spool_->append(bytes);
    }
    const std::size_t size = memory_.size() + bytes.size();
    if (size > in_memory_) {
        return spool(bytes);
    }
    if (size > memory_.capacity()) {
        // Twice as much, but no more than may be used: reserve() alone would not stop there.
        std::string larger;
        larger.reserve(std::min(std::max(size, memory_.capacity() * 2), in_memory_));
        larger.append(memory_);
        memory_ = std::move(larger);
    }
    memory_.append(bytes);
    return {};
}

/// Moves what is in memory to a spool, with more behind it.
model::Status PieceLog::spool(std::string_view bytes) {
    auto made = spools_.make();
    if (!made) {
        return made.error();
    }
    for (const std::string_view each : {std::string_view(memory_), bytes}) {
        if (each.empty()) {
            continue;
        }
        if (auto appended = (*made)->append(each); !appended) {
            return appended;
        }
    }
    spool_ = std::move(*made);
    std::string().swap(memory_);
    return {};
}

model::Result<bool> PieceLog::has(std::uint64_t at, std::string_view bytes) {
    if (!spool_) {
        return std::string_view(memory_).substr(static_cast<std::size_t>(at), bytes.size()) == bytes;
    }
    std::string buffer(std::min(bytes.size(), compared_at_once), '\0');
    while (!bytes.empty()) {
        const std::span<char> there(buffer.data(), std::min(bytes.size(), buffer.size()));
        if (auto read = spool_->read(at, there); !read) {
            return read.error();
        }
        if (!std::ranges::equal(there, bytes.substr(0, there.size()))) {
            return false;
        }
        at += there.size();
        bytes.remove_prefix(there.size());
    }
    return true;
}

model::Status PieceLog::rewrite(std::span<const Piece> pieces, std::uint64_t bytes) {
    if (!spool_) {
        std::string ordered;
        ordered.reserve(static_cast<std::size_t>(bytes));
        for (const Piece& piece : pieces) {
            ordered.append(memory_, static_cast<std::size_t>(piece.at), static_cast<std::size_t>(piece.size));
        }
        memory_ = std::move(ordered);
        return {};
    }
    auto made = spools_.make();
    if (!made) {
        return made.error();
    }
    if (auto copied = copy_to(**made, pieces, bytes); !copied) {
        return copied;
    }
    spool_ = std::move(*made);
    return {};
}

model::Status PieceLog::copy_to(Spool& to, std::span<const Piece> pieces, std::uint64_t bytes) {
    std::string buffer(at_most(bytes, copied_at_once), '\0');
    std::size_t filled = 0;
    for (const Piece& piece : pieces) {
        for (std::uint64_t done = 0; done < piece.size;) {
            const std::size_t size = at_most(piece.size - done, buffer.size() - filled);
            if (auto read = spool_->read(piece.at + done, std::span(buffer).subspan(filled, size)); !read) {
                return read;
            }
            done += size;
            filled += size;
            bytes -= size;
            if (filled < buffer.size() && bytes > 0) {
                continue;
            }
            if (auto appended = to.append(std::string_view(buffer.data(), filled)); !appended) {
                return appended;
            }
            filled = 0;
        }
    }
    return {};
}

Bytes PieceLog::take() {
    Bytes out = spool_ ? Bytes(std::shared_ptr<Spool>(std::move(spool_))) : Bytes(std::move(memory_));
    spool_.reset();
    memory_ = std::string();
    return out;
}

}  // namespace lihandover::ims
