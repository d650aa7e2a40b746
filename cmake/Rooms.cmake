# lihandover_room(NAME SOURCES a.cpp … [ROOMS model …] [LIBRARIES lib …])
#   A room is one static library lihandover_NAME (alias lihandover::NAME). ROOMS lists the rooms whose public headers
#   it may include, and nothing else is on its include path by way of the link. Every room has base; one that uses Asio
#   names base_async for the headers of base that need it. A room that names asio, base_async or http gets Asio's
#   precompiled headers, any other those of the standard library.
function(lihandover_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;ROOMS;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  add_library(lihandover_${name} STATIC ${ROOM_SOURCES})
  add_library(lihandover::${name} ALIAS lihandover_${name})
  target_include_directories(lihandover_${name}
    PUBLIC ${PROJECT_SOURCE_DIR}/include
    PRIVATE ${PROJECT_SOURCE_DIR}/src/${name})
  list(TRANSFORM ROOM_ROOMS PREPEND lihandover::)
  if(NOT name STREQUAL base)
    list(PREPEND ROOM_ROOMS lihandover::base)
  endif()
  target_link_libraries(lihandover_${name}
    PUBLIC ${ROOM_ROOMS} ${ROOM_LIBRARIES}
    PRIVATE ${ROOM_PRIVATE_LIBRARIES} lihandover_flags)
  set(linked ${ROOM_ROOMS} ${ROOM_LIBRARIES})
  if(lihandover::asio IN_LIST linked OR lihandover::base_async IN_LIST linked OR lihandover::http IN_LIST linked)
    target_precompile_headers(lihandover_${name} REUSE_FROM precompiled_asio)
  else()
    target_precompile_headers(lihandover_${name} REUSE_FROM precompiled_standard)
  endif()
  # Once subfolders have added theirs.
  cmake_language(EVAL CODE "cmake_language(DEFER CALL lihandover_unity lihandover_${name})")
endfunction()

# lihandover_test(NAME SOURCES a_test.cpp … ROOMS model …)
#   A GoogleTest program of one room; every case becomes a ctest of its own, labelled with the folder's name. Building
#   tests_FOLDER builds all programs of that folder.
function(lihandover_test name)
  cmake_parse_arguments(TEST "WHOLE" "" "SOURCES;ROOMS;LIBRARIES" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  list(TRANSFORM TEST_ROOMS PREPEND lihandover::)
  target_link_libraries(${name} PRIVATE ${TEST_ROOMS} ${TEST_LIBRARIES} lihandover::asio GTest::gmock GTest::gtest_main
    lihandover_flags)
  target_precompile_headers(${name} REUSE_FROM precompiled_tests)
  target_compile_definitions(${name} PRIVATE LIHANDOVER_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  if(NOT TARGET tests_${folder})
    add_custom_target(tests_${folder})
  endif()
  add_dependencies(tests_${folder} ${name})
  if(TEST_WHOLE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS ${folder})
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 120 LABELS ${folder})
  endif()
endfunction()
