#include "lihandover/audit/chain.hpp"

// Of the digest itself: EVP's way to it costs as much as the digest of an entry.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <stdexcept>

namespace lihandover::audit {

namespace {

constexpr char chained_version = 2;
constexpr std::string_view signed_purpose = "lihandover audit checkpoint 1\n";

enum Presence : std::uint8_t {
    has_object_id = 1,
    has_correlation = 2,
    has_received_at = 4,
    has_refusal = 8,
    has_item = 16,
};

template <typename Number>
void append_big_endian(std::string& out, Number number) {
    std::array<char, sizeof number> bytes{};
    for (std::size_t i = bytes.size(); i > 0; --i) {
        bytes[i - 1] = static_cast<char>(number & 0xffU);
        number >>= 8U;
    }
    out.append(bytes.data(), bytes.size());
}

void append_number(std::string& out, std::uint64_t number) {
    append_big_endian(out, number);
}

void append_time(std::string& out, model::Instant time) {
    append_number(out, static_cast<std::uint64_t>(time.seconds));
    append_big_endian(out, static_cast<std::uint32_t>(time.nanos));
}

void append_text(std::string& out, std::string_view text) {
    append_big_endian(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

template <typename Array>
std::string_view view_of(const Array& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void expect(int success) {
    if (success != 1) {
        throw std::runtime_error("the SHA-256 of the cryptographic library does not work");
    }
}

}  // namespace

void append_canonical(const Recorded& recorded, std::string& out) {
    const Entry& entry = recorded.entry;
    out.push_back(chained_version);
    append_number(out, recorded.number);
    out.push_back(static_cast<char>(entry.kind));
    out.push_back(static_cast<char>((entry.object_id ? has_object_id : 0) | (entry.correlation ? has_correlation : 0) |
                                    (entry.received_at ? has_received_at : 0) |
                                    (entry.refusal != nullptr ? has_refusal : 0) | (recorded.item ? has_item : 0)));
    append_time(out, entry.at);
    for (const std::string_view text : {entry.destination, entry.liid, entry.who, entry.why}) {
        append_text(out, text);
    }
    if (entry.object_id) {
        out += view_of(entry.object_id->bytes);
    }
    if (entry.correlation) {
        append_number(out, entry.correlation->level_id);
        append_number(out, entry.correlation->sequence_number);
    }
    if (entry.received_at) {
        append_time(out, *entry.received_at);
    }
    if (entry.refusal != nullptr) {
        out.push_back(static_cast<char>(entry.refusal->kind));
        append_number(out, entry.refusal->code);
        append_text(out, entry.refusal->words);
    }
    if (recorded.item) {
        append_number(out, *recorded.item);
    }
}

std::string signed_bytes(const Hash& chain, const Checkpoint& checkpoint) {
    std::string out(signed_purpose);
    out += view_of(chain);
    append_number(out, checkpoint.head.number);
    out += view_of(checkpoint.head.hash);
    append_time(out, checkpoint.at);
    append_text(out, checkpoint.node);
    return out;
}

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

Hasher::Hasher() : context_(EVP_MD_CTX_new()) {
    expect(context_ != nullptr ? EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) : 0);
}

void Hasher::update(std::string_view bytes) {
    expect(bytes.empty() ? 1 : EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

Hash Hasher::finish() {
    Hash hash{};
    unsigned size = 0;
    expect(EVP_DigestFinal_ex(context_.get(), hash.data(), &size));
    // Without a type it is the same again, which saves looking for it.
    expect(EVP_DigestInit_ex(context_.get(), nullptr, nullptr));
    return hash;
}

Hash Hasher::of(const Hash& previous, const Recorded& recorded) {
    canonical_.assign(view_of(previous));
    append_canonical(recorded, canonical_);
    Hash hash{};
    SHA256_CTX context;
    expect(SHA256_Init(&context));
    expect(SHA256_Update(&context, canonical_.data(), canonical_.size()));
    expect(SHA256_Final(hash.data(), &context));
    return hash;
}

}  // namespace lihandover::audit
