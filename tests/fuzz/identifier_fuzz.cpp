// Identifiers: when two are one party. The first line is one, the rest is the other; the first byte gives their types.

#include <string>

#include "fuzz.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/liid.hpp"
#include "lihandover/model/uuid.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

constexpr model::KeyRules exact{model::CaseRule::exact, model::CaseRule::exact, nullptr};
constexpr model::KeyRules folded{model::CaseRule::insensitive, model::CaseRule::insensitive, nullptr};

void check_keys(const model::Identifier& one, const model::KeyRules& rules) {
    model::IdentifierScratch scratch;
    const auto keys = model::keys_of(one.type, one.value, rules, scratch);
    must(keys.size() >= 1, "an identifier has a key");
    model::IdentifierScratch used{"left", "over", "here"};
    const auto again = model::keys_of(one.type, one.value, rules, used);
    must(again.size() == keys.size(), "a used scratch changes nothing");
    for (std::size_t n = 0; n < keys.size(); ++n) {
        const model::IdentifierKey& key = keys.begin()[n];
        fuzz::touch(key.bytes);
        must(key.hash == model::identity_hash(key.identity_class, key.bytes), "the hash is the bytes'");
        must(again.begin()[n].bytes == key.bytes && again.begin()[n].hash == key.hash, "nor does it change a key");
        must(key.bytes.size() <= 16 * one.value.size() + 64, "a key is bounded");
    }
    must(model::equivalent(one, one, rules), "an identifier is itself");
}

void check_one(const model::Identifier& one) {
    const model::NumberPlan plan{"44", "0", "00"};
    model::KeyRules national = exact;
    national.numbers = &plan;
    for (const model::KeyRules& rules : {exact, folded, national}) {
        check_keys(one, rules);
    }
    const std::string normal = model::normalised(one.type, one.value);
    must(model::normalised(one.type, normal) == normal, "normalising twice is normalising once");
    // Blanks at the ends are ignored, but URIs in documents have them as escapes, which are not.
    const auto visible = [](char c) { return c > ' ' && c < 0x7F; };
    if (!one.value.empty() && visible(one.value.front()) && visible(one.value.back())) {
        must(model::equivalent(one, {one.type, normal}), "the normalised is the same party");
    }
    const auto problem = model::target_problem(one.type, one.value);
    must(!problem || fuzz::is_ascii_text(*problem), "a problem is a phrase of ours");
    must(model::target_problem(one.type, one.value).has_value() == problem.has_value(), "a problem stays one");
}

void check_two(const model::Identifier& left, const model::Identifier& right) {
    const bool equivalent = model::equivalent(left, right);
    must(equivalent == model::equivalent(right, left), "which is first does not matter");
    must(model::equivalent(left, right, folded) == model::equivalent(right, left, folded), "nor with regard to case");
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
