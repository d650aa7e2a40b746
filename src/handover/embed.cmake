# cmake -DINPUT=1.0.xsd|1.1.xsd|… -DOUTPUT=csp_schema.cpp -P embed.cmake
# Makes the texts of the CSP schemas a part of the program, by writer version: what items carry is what the documents
# were written for.
string(REPLACE "|" ";" inputs "${INPUT}")
set(texts "")
foreach(input IN LISTS inputs)
  file(READ "${input}" text)
  string(FIND "${text}" ")xsd\"" inside)
  if(NOT inside EQUAL -1)
    message(FATAL_ERROR "${input} contains the end of a raw string literal")
  endif()
  string(APPEND texts "        R\"xsd(${text})xsd\",\n")
endforeach()
file(WRITE "${OUTPUT}" "// Generated from schemas/lihandover-csp-*.xsd.
#include \"lihandover/handover/names.hpp\"

namespace lihandover::handover {

std::string_view csp_schema(std::uint32_t writer_version) {
    static constexpr std::array<std::string_view, current_writer_version> texts = {
${texts}    };
    return texts.at(writer_version - 1);
}

}  // namespace lihandover::handover
")
