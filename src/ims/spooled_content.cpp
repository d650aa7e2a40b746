#include "spooled_content.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

namespace lihandover::ims {

namespace {

constexpr std::size_t piece = std::size_t{64} << 10;

/// Calls `with` for all bytes from `from` on.
template <typename With>
model::Status each_piece(Spool& spool, std::uint64_t from, With&& with) {
    std::string buffer;
    for (std::uint64_t at = from; at < spool.size(); at += buffer.size()) {
        buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece, spool.size() - at)));
        if (auto read = spool.read(at, std::span(buffer.data(), buffer.size())); !read) {
            return read;
        }
        if (auto done = with(std::string_view(buffer)); !done) {
            return done;
        }
    }
    return {};
}

model::Result<Bytes> rest_of(Spool& spool, std::uint64_t from, Spools& spools) {
    auto made = spools.make();
    if (!made) {
        return made.error();
    }
    std::shared_ptr<Spool> rest = std::move(*made);
    const auto copied = each_piece(spool, from, [&rest](std::string_view bytes) { return rest->append(bytes); });
    return copied ? model::Result<Bytes>(Bytes(std::move(rest))) : copied.error();
}

}  // namespace

SpooledContent read_spooled_content(std::string_view content_type, std::string_view disposition, const Bytes& bytes,
                                    Spools& spools) {
    SpooledContent out{{}, std::string(content_type), file_name_of(disposition), bytes, {}};
    if (read_content_type(content_type).type != "message/cpim") {
        return out;
    }
    Spool& spool = *bytes.spooled();
    out.beginning.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece, spool.size())));
    if (!spool.read(0, std::span(out.beginning.data(), out.beginning.size()))) {
        return out;
    }
    std::string_view left = out.beginning;
    std::string_view type = content_type;
    std::string_view how = disposition;
    for (int depth = 0; depth < max_cpim_depth && read_content_type(type).type == "message/cpim"; ++depth) {
        const auto message = read_cpim(left);
        if (!message || !message->content_transfer_encoding.empty()) {
            break;
        }
        add_wrapping(out.content, *message);
        type = message->content_type;
        how = message->content_disposition;
        left = message->body;
    }
    auto rest = rest_of(spool, static_cast<std::uint64_t>(left.data() - out.beginning.data()), spools);
    if (rest && left.data() != out.beginning.data()) {
        out.bytes = std::move(*rest);
        out.type = type;
        out.file_name = file_name_of(how);
    }
    return out;
}

model::Result<Digest> digest_of(const Bytes& bytes) {
    if (bytes.in_memory()) {
        return digest_of(bytes.memory());
    }
    ContentDigest digest;
    const auto read = each_piece(*bytes.spooled(), 0, [&digest](std::string_view part) {
        digest.update(part);
        return model::Status();
    });
    return read ? model::Result<Digest>(digest.finish()) : read.error();
}

Bytes brought_in(Bytes bytes, std::size_t most) {
    if (bytes.in_memory() || bytes.size() > most) {
        return bytes;
    }
    std::string all(static_cast<std::size_t>(bytes.size()), '\0');
    const auto read = bytes.spooled()->read(0, std::span(all.data(), all.size()));
    return read ? Bytes(std::move(all)) : bytes;
}

}  // namespace lihandover::ims
