#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bounded_xml.hpp"

namespace lihandover::ims {

/// Adds the URIs of the entries of a list (RFC 4826 3), of lists within it too, in order, until `out` has `most`.
void add_entries(XmlElement list, std::size_t most, std::vector<std::string>& out);

}  // namespace lihandover::ims
