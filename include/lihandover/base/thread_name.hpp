#pragma once

#include <pthread.h>

#include <cstddef>

namespace lihandover::base {

/// Names the calling thread, as `top -H` and debuggers show it: at most 15 bytes. Threads that it starts have the same
/// name, until they have one of their own.
template <std::size_t size>
void name_thread(const char (&name)[size]) {
    static_assert(size <= 16, "the kernel keeps 15 bytes of a name");
    pthread_setname_np(pthread_self(), name);
}

}  // namespace lihandover::base
