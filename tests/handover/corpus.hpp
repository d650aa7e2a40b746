#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/handover/validator.hpp"
#include "lihandover/handover/writer.hpp"
#include "lihandover/model/item.hpp"

namespace lihandover::handover::test {

/// An item with the memory that its views need.
struct Item {
    model::Share share;
    model::ItemIdentity identity;
    model::Profile profile;
    std::vector<model::BinaryObject> objects;
    std::deque<std::string> memory;

    Item() = default;
    Item(const Item&) = delete;
    Item& operator=(const Item&) = delete;
    Item(Item&&) = default;
    Item& operator=(Item&&) = default;
    ~Item() = default;

    std::string_view keep(std::string text) { return memory.emplace_back(std::move(text)); }
    void party(model::PartyRole role, const std::vector<std::pair<model::IdentifierType, std::string>>& identifiers,
               bool targeted = false, std::string nickname = {});
};

/// A profile that check_profile accepts.
[[nodiscard]] model::Profile usual_profile(std::uint32_t writer_version = current_writer_version);

/// A message from one party to another, everything ordered.
[[nodiscard]] Item usual_item();

/// An object for which a source gave everything.
[[nodiscard]] model::BinaryObject usual_object();

/// Any event that a source might report, hostile text included; the same for the same seed.
[[nodiscard]] Item random_item(std::uint32_t seed);

/// Text of up to `longest` characters of all kinds: other scripts, controls, lone surrogates, markup.
[[nodiscard]] std::string hostile_text(std::mt19937& random, std::size_t longest);

[[nodiscard]] model::Uuid some_uuid(std::uint8_t seed);

/// The whole document of one item or several.
[[nodiscard]] std::string document_of(const Item& item);
[[nodiscard]] std::string deliver_of(const Item& item);

[[nodiscard]] std::filesystem::path schemas_dir();
/// Our schemas, compiled once.
[[nodiscard]] const Validator& validator();

}  // namespace lihandover::handover::test
