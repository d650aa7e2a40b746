// Identifiers: when two are one party. A line of the first, the rest is the second; the first byte says of what types.

#include <string>

#include "fuzz.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/liid.hpp"
#include "lihandover/model/uuid.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

void check_one(const model::Identifier& one) {
    std::string scratch;
    const auto canonical = model::canonical(one.type, one.value, scratch);
    fuzz::touch(canonical.bytes);
    must(canonical.hash == model::identity_hash(canonical.identity_class, canonical.bytes), "the hash is the bytes'");
    must(model::equivalent(one, one), "an identifier is itself");
    std::string scratch_again = "left over";
    const auto again = model::canonical(one.type, one.value, scratch_again);
    must(again.bytes == canonical.bytes && again.hash == canonical.hash, "a used scratch changes nothing");
    must(canonical.bytes.size() <= 16 * one.value.size() + 64, "what is canonical is bounded");

    const std::string normal = model::normalised(one.type, one.value);
    must(model::normalised(one.type, normal) == normal, "normalising twice is normalising once");
    must(model::equivalent(one, {one.type, normal}), "the normalised is the same party");
    const auto problem = model::target_problem(one.type, one.value);
    must(!problem || fuzz::is_ascii_text(*problem), "a problem is a phrase of ours");
    must(model::target_problem(one.type, one.value).has_value() == problem.has_value(), "a problem stays one");
}

void check_two(const model::Identifier& left, const model::Identifier& right) {
    std::string left_scratch;
    std::string right_scratch;
    const auto a = model::canonical(left.type, left.value, left_scratch);
    const auto b = model::canonical(right.type, right.value, right_scratch);
    const bool same_key = a.identity_class == b.identity_class && a.bytes == b.bytes;
    const bool equivalent = model::equivalent(left, right);
    must(equivalent == model::equivalent(right, left), "which is first does not matter");
    must(!equivalent || same_key, "the same party has the same key");
    must(!same_key || a.hash == b.hash, "the same key has the same hash");
    if (same_key && !(a.has_optional_parameters && b.has_optional_parameters)) {
        must(equivalent, "the same key is the same party");
    }
}

void check_ids(std::string_view text) {
    const auto uuid = model::Uuid::parse(text);
    if (uuid) {
        std::string lower(text);
        for (char& c : lower) {
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        }
        must(uuid->to_string() == lower, "a UUID is its text");
    }
    if (model::is_liid(text)) {
        must(!text.empty() && text.size() <= 50 && fuzz::is_ascii_text(text), "an LIID is short and can be seen");
    }
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::uint8_t types = input.byte();
    constexpr std::size_t count = model::identifier_type_names.size();
    const fuzz::Exact first(input.line());
    const fuzz::Exact second(input.rest());
    const model::Identifier left{static_cast<model::IdentifierType>(types % count), first.view()};
    const model::Identifier right{static_cast<model::IdentifierType>(types / count % count), second.view()};
    check_one(left);
    check_one(right);
    check_two(left, right);
    check_ids(first.view());
}
