#include "x2x3/copy_record.hpp"

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <type_traits>

namespace lihandover::intake {
namespace {

// A change of the format needs a new version, and the old one read as before: stores hold copies over an upgrade.
constexpr std::uint8_t version = 1;
constexpr std::uint8_t has_time = 1;

class Writer {
  public:
    template <typename T>
    void integer(T value) {
        static_assert(std::is_integral_v<T>);
        boost::endian::native_to_little_inplace(value);
        out.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(std::string_view value) {
        integer(static_cast<std::uint32_t>(value.size()));
        out += value;
    }
    void instant(const model::Instant& value) {
        integer(value.seconds);
        integer(value.nanos);
    }
    std::string out;
};

class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    template <typename T>
    T integer() {
        T value{};
        const std::string_view bytes = take(sizeof value);
        std::ranges::copy(bytes, reinterpret_cast<char*>(&value));
        return boost::endian::little_to_native(value);
    }
    std::string_view text() { return take(integer<std::uint32_t>()); }
    model::Instant instant() {
        model::Instant value;
        value.seconds = integer<std::int64_t>();
        value.nanos = integer<std::int32_t>();
        good_ = good_ && value.nanos >= 0 && value.nanos < 1'000'000'000;
        return value;
    }
    std::string_view take(std::size_t size) {
        good_ = good_ && size <= rest_.size();
        const std::string_view taken = good_ ? rest_.substr(0, size) : std::string_view{};
        rest_.remove_prefix(taken.size());
        return taken;
    }
    /// Of a list whose elements have at least `least` bytes each.
    std::size_t count(std::size_t least) {
        const auto number = integer<std::uint32_t>();
        good_ = good_ && number <= rest_.size() / least;
        return good_ ? number : 0;
    }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool good_ = true;
};

bool is_kind(std::uint8_t number) {
    return number >= static_cast<std::uint8_t>(ims::Copy::Kind::sip) &&
           number <= static_cast<std::uint8_t>(ims::Copy::Kind::mime);
}

bool is_direction(std::uint8_t number) {
    return number >= static_cast<std::uint8_t>(ims::Direction::unknown) &&
           number <= static_cast<std::uint8_t>(ims::Direction::not_applicable);
}

}  // namespace

std::string encode_copy(const ims::Copy& copy, std::string_view payload) {
    Writer writer;
    writer.out.reserve(256 + payload.size());
    writer.integer(version);
    writer.out.append(copy.xid.bytes.begin(), copy.xid.bytes.end());
    writer.integer(copy.correlation);
    writer.integer(static_cast<std::uint8_t>(copy.kind));
    writer.integer(static_cast<std::uint8_t>(copy.direction));
    writer.integer(copy.at ? has_time : std::uint8_t{0});
    if (copy.at) {
        writer.instant(*copy.at);
    }
    writer.instant(copy.received_at);
    writer.integer(static_cast<std::uint32_t>(copy.matched.size()));
    for (const std::string_view matched : copy.matched) {
        writer.text(matched);
    }
    for (const std::string_view text : {copy.mime_type, copy.mime_transfer_encoding, copy.sdp, copy.point, payload}) {
        writer.text(text);
    }
    return std::move(writer.out);
}

std::optional<ims::Copy> decode_copy(std::string_view bytes) {
    Reader reader(bytes);
    if (reader.integer<std::uint8_t>() != version) {
        return std::nullopt;
    }
    ims::Copy copy;
    const std::string_view xid = reader.take(copy.xid.bytes.size());
    std::ranges::copy(xid, copy.xid.bytes.begin());
    copy.correlation = reader.integer<std::uint64_t>();
    const auto kind = reader.integer<std::uint8_t>();
    const auto direction = reader.integer<std::uint8_t>();
    const auto time = reader.integer<std::uint8_t>();
    if (!is_kind(kind) || !is_direction(direction) || time > has_time) {
        return std::nullopt;
    }
    copy.kind = static_cast<ims::Copy::Kind>(kind);
    copy.direction = static_cast<ims::Direction>(direction);
    if (time == has_time) {
        copy.at = reader.instant();
    }
    copy.received_at = reader.instant();
    for (std::size_t left = reader.count(sizeof(std::uint32_t)); left > 0; --left) {
        copy.matched.push_back(reader.text());
    }
    for (std::string_view* const text :
         {&copy.mime_type, &copy.mime_transfer_encoding, &copy.sdp, &copy.point, &copy.payload}) {
        *text = reader.text();
    }
    return reader.done() ? std::optional(std::move(copy)) : std::nullopt;
}

}  // namespace lihandover::intake
