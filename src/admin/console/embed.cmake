# cmake -DCSS=console.css -DJS=console.js -DOUTPUT=assets.cpp -P embed.cmake
# Makes the stylesheet and the script of the reviewers' page a part of the program.
foreach(kind css js)
  string(TOUPPER ${kind} variable)
  file(READ "${${variable}}" ${kind})
  string(FIND "${${kind}}" ")asset\"" inside)
  if(NOT inside EQUAL -1)
    message(FATAL_ERROR "${${variable}} contains the end of a raw string literal")
  endif()
endforeach()
file(WRITE "${OUTPUT}" "// Generated from src/admin/console/console.css and console.js.
#include \"console/assets.hpp\"

namespace lihandover::admin {

std::string_view console_css() {
    return R\"asset(${css})asset\";
}

std::string_view console_js() {
    return R\"asset(${js})asset\";
}

}  // namespace lihandover::admin
")
