#include "lihandover/warrants/warrant.hpp"

#include <openssl/evp.h>

#include <cstdlib>

namespace lihandover::warrants {

namespace {

// One byte of version, then the members in their order: strings and lists with their length as four bytes, times as
// eight bytes of seconds and four of nanoseconds, all least significant byte first; what may be absent behind an
// byte 0 or 1. A change of the format needs a new version, and decode() for the old one kept: stores hold it for
// years. A warrant that the old version can say is written in it still: its digest stays the same.
constexpr std::uint8_t first_version = 1;
constexpr std::uint8_t with_xids = 2;  // a list of XIDs of 16 bytes each at the end
constexpr std::uint8_t of_test = 3;    // nothing more: a test intercept, which has no XIDs

class Writer {
  public:
    template <typename T>
    void integer(T value) {
        auto bits = static_cast<std::make_unsigned_t<T>>(value);
        for (std::size_t n = 0; n < sizeof(T); ++n) {
            out.push_back(static_cast<char>(bits & 0xFFU));
            bits = static_cast<std::make_unsigned_t<T>>(static_cast<std::uint64_t>(bits) >> 8U);
        }
    }
    void text(std::string_view value) {
        integer(static_cast<std::uint32_t>(value.size()));
        out.append(value);
    }
    void uuid(const model::Uuid& value) {
        for (const std::uint8_t byte : value.bytes) {
            integer(byte);
        }
    }
    void instant(const model::Instant& value) {
        integer(value.seconds);
        integer(value.nanos);
    }
    void optional_instant(const model::MaybeInstant& value) {
        integer(static_cast<std::uint8_t>(value.has_value() ? 1 : 0));
        if (value) {
            instant(*value);
        }
    }

    std::string out;
};

/// Reads what Writer wrote; after anything that does not fit, `good` is false and the rest reads as zeros.
class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes) : left_(bytes) {}

    template <typename T>
    [[nodiscard]] T integer() {
        if (left_.size() < sizeof(T)) {
            fail();
            return T{};
        }
        std::uint64_t value = 0;
        for (std::size_t n = sizeof(T); n-- > 0;) {
            value = (value << 8U) | static_cast<unsigned char>(left_[n]);
        }
        left_.remove_prefix(sizeof(T));
        return static_cast<T>(value);
    }
    [[nodiscard]] std::string text() {
        const auto length = integer<std::uint32_t>();
        if (length > left_.size()) {
            fail();
            return {};
        }
        std::string value(left_.substr(0, length));
        left_.remove_prefix(length);
        return value;
    }
    [[nodiscard]] model::Uuid uuid() {
        model::Uuid value;
        for (std::uint8_t& byte : value.bytes) {
            byte = integer<std::uint8_t>();
        }
        return value;
    }
    [[nodiscard]] model::Instant instant() {
        model::Instant value;
        value.seconds = integer<std::int64_t>();
        value.nanos = integer<std::int32_t>();
        if (value.nanos < 0 || value.nanos >= 1'000'000'000) {
            fail();
        }
        return value;
    }
    [[nodiscard]] std::optional<model::Instant> optional_instant() {
        return flag() ? std::optional(instant()) : std::nullopt;
    }
    [[nodiscard]] bool flag() { return number_below(2) == 1; }
    [[nodiscard]] std::uint8_t number_below(std::size_t bound) {
        const auto value = integer<std::uint8_t>();
        if (value >= bound) {
            fail();
            return 0;
        }
        return value;
    }
    /// A count of things of at least `least` bytes each, so that a damaged one cannot ask for memory.
    [[nodiscard]] std::size_t count(std::size_t least) {
        const auto value = integer<std::uint32_t>();
        if (value > left_.size() / least) {
            fail();
            return 0;
        }
        return value;
    }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] bool done() const { return left_.empty(); }

  private:
    void fail() {
        good_ = false;
        left_ = {};
    }
    std::string_view left_;
    bool good_ = true;
};

}  // namespace

std::string encode(const Warrant& warrant) {
    Writer writer;
    writer.integer(warrant.test ? of_test : warrant.xids.empty() ? first_version : with_xids);
    writer.text(warrant.liid);
    writer.text(warrant.destination);
    writer.instant(warrant.valid_from);
    writer.instant(warrant.valid_until);
    writer.integer(static_cast<std::uint32_t>(warrant.targets.size()));
    for (const Target& target : warrant.targets) {
        writer.integer(static_cast<std::uint8_t>(target.type));
        writer.text(target.value);
        writer.optional_instant(target.from);
        writer.optional_instant(target.until);
        writer.optional_instant(target.observed_at);
    }
    writer.integer(static_cast<std::uint32_t>(warrant.services.size()));
    for (const std::string& service : warrant.services) {
        writer.text(service);
    }
    for (const bool part :
         {warrant.deliver.metadata, warrant.deliver.content, warrant.deliver.binary, warrant.deliver.location}) {
        writer.integer(static_cast<std::uint8_t>(part ? 1 : 0));
    }
    writer.integer(static_cast<std::uint8_t>(warrant.priority));
    writer.integer(static_cast<std::uint8_t>(warrant.review));
    writer.integer(static_cast<std::uint8_t>(warrant.correlation));
    writer.text(warrant.reference);
    writer.integer(static_cast<std::uint8_t>(warrant.acknowledge_not_unique ? 1 : 0));
    if (!warrant.test && !warrant.xids.empty()) {
        writer.integer(static_cast<std::uint32_t>(warrant.xids.size()));
        for (const model::Uuid& xid : warrant.xids) {
            writer.uuid(xid);
        }
    }
    return std::move(writer.out);
}

namespace {

model::Result<Warrant> decode_one(ByteReader& reader) {
    const auto version = reader.integer<std::uint8_t>();
    if (version < first_version || version > of_test) {
        return model::Error{"the stored warrant is of a version that this program does not know"};
    }
    Warrant warrant;
    warrant.liid = reader.text();
    warrant.destination = reader.text();
    warrant.valid_from = reader.instant();
    warrant.valid_until = reader.instant();
    constexpr std::size_t least_target = 8;
    for (std::size_t left = reader.count(least_target); left > 0; --left) {
        Target& target = warrant.targets.emplace_back();
        target.type = static_cast<model::IdentifierType>(reader.number_below(model::identifier_type_names.size()));
        target.value = reader.text();
        target.from = reader.optional_instant();
        target.until = reader.optional_instant();
        target.observed_at = reader.optional_instant();
    }
    constexpr std::size_t least_text = 4;
    for (std::size_t left = reader.count(least_text); left > 0; --left) {
        warrant.services.push_back(reader.text());
    }
    warrant.deliver.metadata = reader.flag();
    warrant.deliver.content = reader.flag();
    warrant.deliver.binary = reader.flag();
    warrant.deliver.location = reader.flag();
    warrant.priority = static_cast<Priority>(reader.number_below(2));
    warrant.review = static_cast<Review>(reader.number_below(3));
    warrant.correlation = static_cast<Correlation>(reader.number_below(2));
    warrant.reference = reader.text();
    warrant.acknowledge_not_unique = reader.flag();
    warrant.test = version == of_test;
    if (version == with_xids) {
        for (std::size_t left = reader.count(sizeof(model::Uuid)); left > 0; --left) {
            warrant.xids.push_back(reader.uuid());
        }
    }
    const bool needless = version == with_xids && warrant.xids.empty();
    if (!reader.good() || needless) {
        return model::Error{"the stored warrant is damaged"};
    }
    return warrant;
}

}  // namespace

model::Result<Warrant> decode(std::string_view bytes) {
    ByteReader reader(bytes);
    auto warrant = decode_one(reader);
    return warrant && !reader.done() ? model::Error{"the stored warrant is damaged"} : std::move(warrant);
}

model::Result<std::vector<Warrant>> decode_all(std::string_view bytes) {
    ByteReader reader(bytes);
    std::vector<Warrant> warrants;
    do {
        auto warrant = decode_one(reader);
        if (!warrant) {
            return warrant.error();
        }
        warrants.push_back(std::move(*warrant));
    } while (!reader.done());
    return warrants;
}

Digest digest_of(const Warrant& warrant) {
    const std::string bytes = encode(warrant);
    Digest digest{};
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
        std::abort();  // SHA-256 of memory fails only where OpenSSL itself is broken
    }
    return digest;
}

State state_at(const Warrant& warrant, model::Instant now) {
    if (now < warrant.valid_from) {
        return State::pending;
    }
    return now < warrant.valid_until ? State::active : State::expired;
}

model::Instant takes_until(const Warrant& warrant, std::chrono::seconds late_events) {
    return {warrant.valid_until.seconds + late_events.count(), warrant.valid_until.nanos};
}

}  // namespace lihandover::warrants
