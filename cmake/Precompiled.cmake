# Headers that nearly every file reads, parsed once: a file of coroutines costs a third less to compile.
#
#   precompiled_standard  what rooms use of the standard library
#   precompiled_asio      the same, and Asio: for whatever links lihandover::asio
#   precompiled_tests     the same, and GoogleTest
#
# Only headers from outside the project: a change in one of ours compiles what includes it and nothing else. A file still
# includes what it uses, since clang-tidy looks at it without these (scripts/tidy.py).
#
# Debug builds only: optimising, GCC 12 takes code from a precompiled header for ours, and warns of what it only suspects
# in the standard library.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT DEFINED CMAKE_DISABLE_PRECOMPILE_HEADERS)
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()

set(LIHANDOVER_STANDARD_HEADERS
  <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <deque> <exception> <filesystem> <functional>
  <limits> <map> <memory> <mutex> <optional> <set> <span> <stdexcept> <string> <string_view> <system_error> <thread>
  <tuple> <unordered_map> <utility> <variant> <vector>)
set(LIHANDOVER_ASIO_HEADERS
  <boost/asio/any_io_executor.hpp> <boost/asio/as_tuple.hpp> <boost/asio/async_result.hpp> <boost/asio/awaitable.hpp>
  <boost/asio/bind_cancellation_slot.hpp> <boost/asio/cancellation_signal.hpp> <boost/asio/co_spawn.hpp>
  <boost/asio/deferred.hpp> <boost/asio/detached.hpp> <boost/asio/dispatch.hpp> <boost/asio/error.hpp>
  <boost/asio/executor_work_guard.hpp> <boost/asio/io_context.hpp> <boost/asio/ip/tcp.hpp>
  <boost/asio/local/stream_protocol.hpp> <boost/asio/post.hpp> <boost/asio/redirect_error.hpp>
  <boost/asio/steady_timer.hpp> <boost/asio/strand.hpp> <boost/asio/this_coro.hpp> <boost/asio/thread_pool.hpp>
  <boost/asio/use_awaitable.hpp> <boost/asio/use_future.hpp>)

# lihandover_precompile(NAME LIBRARIES lib … HEADERS <h> …)
function(lihandover_precompile name)
  cmake_parse_arguments(PCH "" "" "LIBRARIES;HEADERS" ${ARGN})
  add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled/empty.cpp)
  target_link_libraries(${name} PRIVATE ${PCH_LIBRARIES} lihandover_flags)
  target_precompile_headers(${name} PRIVATE ${PCH_HEADERS})
endfunction()

lihandover_precompile(precompiled_standard HEADERS ${LIHANDOVER_STANDARD_HEADERS})
lihandover_precompile(precompiled_asio
  LIBRARIES lihandover::asio
  HEADERS ${LIHANDOVER_STANDARD_HEADERS} ${LIHANDOVER_ASIO_HEADERS})
