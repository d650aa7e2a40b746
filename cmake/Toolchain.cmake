# Compiler, linker and hardening flags for every target of the project.

# A unity build has files of its own, which name others by their place: the cache would only cost time.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT LIHANDOVER_UNITY)
  # Without these ccache passes by every file that uses a precompiled header.
  set(ccache_launcher ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache_launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${ccache_launcher})
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(lihandover_flags INTERFACE)
target_compile_options(lihandover_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -Wno-restrict # GCC 12 raises false alarms in std::string with it
  # Optimising, it does so on a coroutine's frame whose allocation it inlined, and on a test's own operator new.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-mismatched-new-delete>
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>) # the preprocessed text names the precompiled header, for ccache
if(LIHANDOVER_UNITY)
  # What a file has for itself is seen by those behind it, and is not in the file that GCC calls the main one.
  target_compile_options(lihandover_flags INTERFACE -Wno-shadow -Wno-subobject-linkage)
endif()
if(LIHANDOVER_WERROR)
  target_compile_options(lihandover_flags INTERFACE -Werror)
endif()

# Everything is linked into position-independent executables. The same option for all, since a precompiled header is good
# for one setting; a shared library brings its own.
set(LIHANDOVER_TARGET_TYPE $<TARGET_PROPERTY:TYPE>)
add_compile_options("$<$<NOT:$<OR:$<STREQUAL:${LIHANDOVER_TARGET_TYPE},SHARED_LIBRARY>,$<STREQUAL:${LIHANDOVER_TARGET_TYPE},MODULE_LIBRARY>>>:-fPIE>")
add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
add_compile_options($<$<CONFIG:Debug,RelWithDebInfo>:-g${LIHANDOVER_DEBUG_INFO}>)
if(LIHANDOVER_REPRODUCIBLE)
  add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -ffile-prefix-map=${PROJECT_BINARY_DIR}=.)
endif()
if(LIHANDOVER_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "LIHANDOVER_FUZZ needs Clang: scripts/fuzz configures with it")
  endif()
  # The engine's counters in every room; tests/fuzz links the engine itself.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
elseif(LIHANDOVER_SANITIZE)
  add_compile_options(-fsanitize=${LIHANDOVER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LIHANDOVER_SANITIZE})
  if(LIHANDOVER_SANITIZE MATCHES "thread")
    # GCC warns that TSan does not model fences; the ones in Asio are beside atomics it does see.
    add_compile_options(-Wno-tsan)
  endif()
else()
  add_compile_options(-fstack-protector-strong -fcf-protection)
  add_compile_definitions($<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

if(LIHANDOVER_COVERAGE)
  # Counters of several threads add up rightly only when they are atomic.
  add_compile_options(--coverage -fprofile-update=atomic -O0)
  add_link_options(--coverage)
endif()
