# cmake -DINPUT=schema.xsd -DOUTPUT=csp_schema.cpp -P embed.cmake
# Makes the text of the CSP schema a part of the program: what items carry is what the documents were written for.
file(READ "${INPUT}" text)
string(FIND "${text}" ")xsd\"" inside)
if(NOT inside EQUAL -1)
  message(FATAL_ERROR "${INPUT} contains the end of a raw string literal")
endif()
file(WRITE "${OUTPUT}" "// Generated from schemas/lihandover-csp-1.0.xsd.
#include \"lihandover/etsi/names.hpp\"

namespace lihandover::etsi {

std::string_view csp_schema() {
    static constexpr std::string_view text = R\"xsd(${text})xsd\";
    return text;
}

}  // namespace lihandover::etsi
")
