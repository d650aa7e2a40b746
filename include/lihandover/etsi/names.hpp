#pragma once

#include <cstdint>
#include <string_view>

namespace lihandover::etsi {

// The namespaces of the documents (SPEC section 1) and of the CSP-defined part.

inline constexpr std::string_view core_namespace = "http://uri.etsi.org/03120/common/2019/10/Core";
inline constexpr std::string_view delivery_namespace = "http://uri.etsi.org/03120/common/2019/10/Delivery";
inline constexpr std::string_view common_namespace = "http://uri.etsi.org/03120/common/2016/02/Common";
inline constexpr std::string_view types_namespace = "http://uri.etsi.org/03280/common/2017/07";
inline constexpr std::string_view messaging_namespace = "http://uri.etsi.org/03707/2020/02";
inline constexpr std::string_view schema_instance_namespace = "http://www.w3.org/2001/XMLSchema-instance";

/// Namespace and schemaIdentifier (TS 103 707 table 9) of the CSP-defined part that this writer writes:
/// schemas/lihandover-csp-1.0.xsd. A changed schema gets a new one, and a new writer version with it.
inline constexpr std::string_view csp_schema_identifier = "urn:lihandover:csp:1.0";

/// The newest way of writing items. Profile::writer_version says which one an item is written with for good.
inline constexpr std::uint32_t current_writer_version = 1;

/// The text of schemas/lihandover-csp-1.0.xsd as it was when the program was built. Lives as long as the program.
[[nodiscard]] std::string_view csp_schema();

}  // namespace lihandover::etsi
