#pragma once

#include <functional>
#include <thread>

#include "lihandover/base/descriptor.hpp"

namespace lihandover::app {

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and all threads that it starts. A signal that comes before anybody
/// waits for it is kept by the kernel, neither lost nor deadly. The first thing that main() does.
void hold_back_signals();
/// Undoes it, for a run that ends at once (`--check`).
void let_signals_through();

/// Takes the blocked signals on a separate thread, whatever the other threads hang in.
class SignalThread {
  public:
    /// `heard` gets the number of each, on that thread; it must not block. Throws std::system_error if the system gives
    /// no descriptors.
    explicit SignalThread(std::function<void(int)> heard);
    SignalThread(const SignalThread&) = delete;
    SignalThread& operator=(const SignalThread&) = delete;
    ~SignalThread();

  private:
    void run(const std::function<void(int)>& heard) const;

    base::Descriptor signals_;
    base::Descriptor end_;
    std::thread thread_;
};

}  // namespace lihandover::app
