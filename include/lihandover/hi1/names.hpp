#pragma once

#include <string_view>

namespace lihandover::hi1 {

// Namespaces of TS 103 120 and of TS 103 280, whose types it uses.

inline constexpr std::string_view core_namespace = "http://uri.etsi.org/03120/common/2019/10/Core";
inline constexpr std::string_view delivery_namespace = "http://uri.etsi.org/03120/common/2019/10/Delivery";
inline constexpr std::string_view common_namespace = "http://uri.etsi.org/03120/common/2016/02/Common";
inline constexpr std::string_view types_namespace = "http://uri.etsi.org/03280/common/2017/07";
inline constexpr std::string_view schema_instance_namespace = "http://www.w3.org/2001/XMLSchema-instance";

}  // namespace lihandover::hi1
