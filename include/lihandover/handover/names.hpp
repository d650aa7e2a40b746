#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lihandover::handover {

/// TS 103 707 V1.1.1.
inline constexpr std::string_view messaging_namespace = "http://uri.etsi.org/03707/2020/02";

// Writer versions. Profile::writer_version says for good which one an item is written with, and each has its own schema
// of the CSP-defined part: a changed schema has a new namespace, which is its schemaIdentifier (TS 103 707 table
// 9), and a new writer version.
//   1  schemas/lihandover-csp-1.0.xsd: events
//   2  schemas/lihandover-csp-1.1.xsd: also what the service said of binary objects
//   3  schemas/lihandover-csp-1.2.xsd: also identifiers of type im_uri; items of earlier versions have none

/// The newest, with which new profiles are made.
inline constexpr std::uint32_t current_writer_version = 3;
inline constexpr std::string_view csp_schema_identifier = "urn:lihandover:csp:1.2";

/// schemaIdentifier by writer version, from version 1 on.
inline constexpr std::array<std::string_view, current_writer_version> csp_schema_identifiers = {
    "urn:lihandover:csp:1.0", "urn:lihandover:csp:1.1", csp_schema_identifier};

/// Whether this program can write items of that version.
[[nodiscard]] constexpr bool has_writer(std::uint32_t version) {
    return version >= 1 && version <= current_writer_version;
}

/// The text of the schema file of a version that has_writer accepts, as it was when the program was built. Lives as
/// long as the program.
[[nodiscard]] std::string_view csp_schema(std::uint32_t writer_version = current_writer_version);

}  // namespace lihandover::handover
